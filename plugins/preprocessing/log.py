"""Logarithm."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner import DataError, preprocessing

from ._columns import Array, Columns, Features, Function, as_computed, on_numbers


@preprocessing
def log(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    signed: bool = False,
    columns: Columns = None,
) -> Function:
    """log(1 + x), for amounts that span orders of magnitude; NaN stays NaN.

    signed: of the size of x, with its sign, for values of both signs. columns: which; of several
    inputs, without it, all that are numbers. Raises DataError where the training split holds
    values of -1 or less and `signed` is false; later ones become NaN.
    """

    def fit(array: Array) -> Function:
        if not signed and np.any(array <= -1):
            raise DataError(
                f"preprocessing.log: the training split holds the value {np.nanmin(array):g}, "
                "and log(1 + x) needs x > -1: take preprocessing.log.signed=true"
            )

        def transform(batch: Any) -> Any:
            from keras import ops

            batch = as_computed(batch)
            return ops.sign(batch) * ops.log1p(ops.abs(batch)) if signed else ops.log1p(batch)

        return transform

    return on_numbers(features, vocabulary, columns, "log", fit)
