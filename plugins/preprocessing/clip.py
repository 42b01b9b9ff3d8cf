"""Outliers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le

from runner import DataError, preprocessing

from ._columns import Array, Columns, Features, Function, as_computed, on_numbers
from ._statistics import Per, known, quantile

Share = Annotated[float, Ge(0), Le(1)]


@preprocessing
def clip(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    by: Literal["quantile", "deviation"] = "quantile",
    low: Share = 0.01,
    high: Share = 0.99,
    deviations: Annotated[float, Gt(0)] = 3.0,
    per: Per = "channel",
    columns: Columns = None,
) -> Function:
    """Hold values between two quantiles, or so many deviations from the mean; NaN stays NaN.

    Quantiles `low` and `high`, mean and deviation are the training split's. columns: which; of
    several inputs, without it, all that are numbers. Raises DataError where `low` is not below
    `high`.
    """
    if low >= high:
        raise DataError(f"preprocessing.clip: low={low} is not below high={high}")

    def fit(array: Array) -> Function:
        if by == "quantile":
            least, most = known(quantile(low), array, per), known(quantile(high), array, per)
        else:
            mean, width = known(np.nanmean, array, per), known(np.nanstd, array, per) * deviations
            least, most = mean - width, mean + width
        # An empty column has no bounds; infinity is nothing that JSON could say.
        limit = float(np.finfo("float32").max)
        least = np.where(np.isnan(least), -limit, least)
        most = np.where(np.isnan(most), limit, most)

        def hold(batch: Any) -> Any:
            from keras import ops

            batch = as_computed(batch)
            low, high = least.astype(batch.dtype), most.astype(batch.dtype)
            return ops.minimum(ops.maximum(batch, low), high)

        return hold

    return on_numbers(features, vocabulary, columns, "clip", fit)
