"""Into a range."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner import DataError, preprocessing

from ._columns import Array, Columns, Features, Function, on_numbers
from ._statistics import Per, known, rescale


@preprocessing
def minmax(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    low: float = 0.0,
    high: float = 1.0,
    per: Per = "channel",
    clip: bool = False,
    columns: Columns = None,
) -> Function:
    """The training split's least and greatest value to `low` and `high`; NaN stays NaN.

    clip: hold later values within the range too. A constant column becomes `low`. columns: which;
    of several inputs, without it, all that are numbers. Raises DataError where `low` is not below
    `high`.
    """
    if low >= high:
        raise DataError(f"preprocessing.minmax: low={low} is not below high={high}")

    def fit(array: Array) -> Function:
        least = known(np.nanmin, array, per)
        layer = rescale(array, per, least, known(np.nanmax, array, per) - least)

        def scale(batch: Any) -> Any:
            from keras import layers, ops

            batch = layer(batch)
            if (low, high) != (0.0, 1.0):
                batch = layers.Rescaling(high - low, low, dtype=batch.dtype)(batch)
            return ops.clip(batch, low, high) if clip else batch

        return scale

    return on_numbers(features, vocabulary, columns, "minmax", fit)
