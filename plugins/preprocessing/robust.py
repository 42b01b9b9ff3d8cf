"""Median and quartiles instead of mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import numpy as np
from annotated_types import Gt, Lt

from runner import DataError, preprocessing

from ._columns import Array, Columns, Features, Function, on_numbers
from ._statistics import Per, known, quantile, rescale

Quantile = Annotated[float, Gt(0), Lt(1)]


@preprocessing
def robust(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    low: Quantile = 0.25,
    high: Quantile = 0.75,
    per: Per = "channel",
    columns: Columns = None,
) -> Function:
    """The median to 0, the span from quantile `low` to `high` to 1; NaN stays NaN.

    Outliers do not change what becomes of the rest. columns: which; of several inputs, without
    it, all that are numbers. Raises DataError where `low` is not below `high`.
    """
    if low >= high:
        raise DataError(f"preprocessing.robust: low={low} is not below high={high}")

    def fit(array: Array) -> Any:
        span = known(quantile(high), array, per) - known(quantile(low), array, per)
        return rescale(array, per, known(np.nanmedian, array, per), span)

    return on_numbers(features, vocabulary, columns, "robust", fit)
