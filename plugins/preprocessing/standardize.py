"""Zero mean, unit variance."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from runner import preprocessing

from ._columns import Array, Columns, Features, Function, on_numbers
from ._statistics import Per, known, rescale


@preprocessing
def standardize(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    per: Per = "channel",
    columns: Columns = None,
) -> Function:
    """Zero mean and unit variance by the training split's statistics; NaN stays NaN.

    columns: which; of several inputs, without it, all that are numbers.
    """

    def fit(array: Array) -> Any:
        mean = known(np.nanmean, array, per)
        return rescale(array, per, mean, known(np.nanstd, array, per))

    return on_numbers(features, vocabulary, columns, "standardize", fit)
