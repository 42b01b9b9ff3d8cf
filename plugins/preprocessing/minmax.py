"""Into a range."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from runner import DataError, preprocessing

from ._statistics import Per, known, rescale


@preprocessing
def minmax(
    features: np.ndarray[Any, Any],
    *,
    low: float = 0.0,
    high: float = 1.0,
    per: Per = "channel",
    clip: bool = False,
) -> Callable[[Any], Any]:
    """The training split's least and greatest value to `low` and `high`; NaN stays NaN.

    clip: hold later values within the range too. A constant column becomes `low`. Raises
    DataError where `low` is not below `high`.
    """
    if low >= high:
        raise DataError(f"preprocessing.minmax: low={low} is not below high={high}")
    least = known(np.nanmin, features, per)
    layer = rescale(features, per, least, known(np.nanmax, features, per) - least)

    def scale(batch: Any) -> Any:
        from keras import layers, ops

        batch = layer(batch)
        if (low, high) != (0.0, 1.0):
            batch = layers.Rescaling(high - low, low, dtype="float32")(batch)
        return ops.clip(batch, low, high) if clip else batch

    return scale
