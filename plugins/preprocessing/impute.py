"""Missing values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from runner import DataError, preprocessing

from ._statistics import Per, known


@preprocessing
def impute(
    features: np.ndarray[Any, Any],
    *,
    strategy: Literal["mean", "median", "constant"] = "mean",
    value: float = 0.0,
    per: Per = "channel",
) -> Callable[[Any], Any]:
    """Replace NaN by the training split's mean or median, or by a constant `value`.

    Raises DataError where a column of the training split holds no value to take it from.
    """
    if strategy == "constant":
        fill = np.asarray(value)
    else:
        statistic = np.nanmean if strategy == "mean" else np.nanmedian
        fill = known(statistic, features, per)
        if (empty := int(np.isnan(fill).sum())) > 0:
            raise DataError(
                f"preprocessing.impute.strategy={strategy} has nothing to go by: {empty} columns "
                "hold no value in the training split; drop them or take strategy=constant"
            )
    constant = fill.astype("float32")

    def replace(batch: Any) -> Any:
        from keras import ops

        return ops.where(ops.isnan(batch), constant, batch)

    return replace
