"""Numbers by the range in which they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import numpy as np
from annotated_types import Ge

from runner import DataError, Transform, preprocessing

from ._categories import Output, spread, with_codes
from ._columns import (
    Array,
    Columns,
    Features,
    Function,
    chosen_columns,
    columns_of,
    is_number,
    is_text,
)


@preprocessing
def bucketize(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    bins: Annotated[int, Ge(2)] = 10,
    output: Output = "one_hot",
    columns: Columns = None,
) -> Function | Transform:
    """Each number as one of `bins` ranges that hold as many rows of the training split each.

    Where many values are equal there are fewer ranges. columns: which; without it all of a table,
    and of several inputs all that are numbers. Raises DataError for text and for missing values.
    """
    names = chosen_columns(features, columns, "bucketize")
    arrays = columns_of(features)
    if names is None:
        if not isinstance(features, dict):
            chosen_columns(features, [*arrays] if features.ndim < 3 else [0], "bucketize")
        names = [name for name, array in arrays.items() if is_number(name, array, vocabulary)]
    made = {name: _ranges(name, arrays[name], bins, output) for name in names}
    return with_codes(features, made, output, "bucketize")


def _ranges(name: str, array: Array, bins: int, output: Output) -> tuple[Function, int]:
    """A function from numbers to the number of their range, and how many ranges there are."""
    import keras

    if is_text(array) or np.isnan(values := array.astype("float64")).any():
        raise DataError(
            f"preprocessing.bucketize: column {name} holds text or missing values, which are in "
            "no range: name others in preprocessing.bucketize.columns, or put impute before it"
        )
    bounds = np.unique(np.quantile(values, np.arange(1, bins) / bins).astype("float32"))
    layer, size = keras.layers.Discretization(bin_boundaries=bounds.tolist()), len(bounds) + 1
    return spread(layer, size, output), size
