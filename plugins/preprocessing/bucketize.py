"""Numbers by the range in which they are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

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
    and of several inputs all that are numbers. Raises DataError for text and for missing values;
    later ones become NaN.
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
    if is_text(array) or np.isnan(values := array.astype("float64")).any():
        raise DataError(
            f"preprocessing.bucketize: column {name} holds text or missing values, which are in "
            "no range: name others in preprocessing.bucketize.columns, or put impute before it"
        )
    # Keras' Discretization computes in float32, which would put different numbers into one range.
    bounds = np.unique(np.quantile(values, np.arange(1, bins) / bins))
    size = len(bounds) + 1

    def codes(tensor: Any) -> Any:
        from keras import ops

        over = ops.expand_dims(ops.cast(tensor, "float64"), -1) >= bounds
        return ops.sum(ops.cast(over, "int64"), axis=-1)

    def rows(tensor: Any) -> Any:
        from keras import ops

        # Rows that come later may miss the value: it is in no range, and so is no number.
        made = spread(codes, size, "one_hot")(tensor)
        missing = ops.expand_dims(ops.isnan(ops.cast(tensor, "float64")), -1)
        return ops.where(missing, np.float32("nan"), made)

    return (codes if output == "codes" else rows), size
