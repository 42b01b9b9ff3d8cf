"""Categories: text or whole numbers, turned into codes or into rows of zeros and a one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from runner import DataError, Transform

from ._columns import (
    WHOLE,
    Array,
    Columns,
    Features,
    Function,
    by_column,
    chosen_columns,
    columns_of,
    is_category,
    is_text,
)

Output = Literal["one_hot", "codes"]
"""one_hot: a column for each category; codes: whole numbers, for an embedding."""


def category_columns(
    features: Features, vocabulary: Mapping[str, int], columns: Columns, who: str
) -> list[str]:
    """The columns that were asked for, or all of a table, or of several inputs the categories.

    Raises DataError for columns that are not there, and where there are none.
    """
    if (names := chosen_columns(features, columns, who)) is not None:
        return names
    arrays = columns_of(features)
    if not isinstance(features, dict):
        chosen_columns(features, [*arrays] if features.ndim < 3 else [0], who)
        return [*arrays]
    names = [name for name in arrays if is_category(name, arrays[name], vocabulary)]
    if not names:
        raise DataError(
            f"preprocessing.{who} finds no column of text or codes: name some in "
            f"preprocessing.{who}.columns; available: {', '.join(arrays)}"
        )
    return names


def whole(name: str, array: Array, who: str) -> Array:
    """The values as text or whole numbers, NaN left out; DataError where they are neither."""
    if is_text(array):
        return array.astype(str)
    if array.dtype.kind in WHOLE:
        return array.astype("int64")
    known = array[~np.isnan(array)]
    if (broken := known[known % 1 != 0]).size:
        raise DataError(
            f"preprocessing.{who}: column {name} holds {broken[0]:g}, and categories are text or "
            f"whole numbers: name the categories in preprocessing.{who}.columns"
        )
    return known.astype("int64")


def as_category(tensor: Any, missing: int = -1) -> Any:
    """The tensor as text or whole numbers, which Keras' layers for categories take.

    missing: what stands for NaN.
    """
    from keras import ops

    if tensor.dtype in ("string", "int64"):
        return tensor
    if "float" in str(tensor.dtype):
        tensor = ops.where(ops.isnan(tensor), float(missing), tensor)
    return ops.cast(tensor, "int64")


def lookup(
    name: str, array: Array, who: str, output: Output, limit: int | None = None
) -> tuple[Function, int]:
    """A function of a column, and how many codes it gives: the categories and, first, the rest.

    limit: of so many categories at most, the most frequent ones. Missing values, "" and whatever
    the training split does not hold are the rest, code 0.
    """
    import keras

    values = whole(name, array, who)
    categories, counts = np.unique(
        values[values != ""] if is_text(values) else values, return_counts=True
    )
    # The most frequent first; of equal ones, the first in order.
    categories = categories[np.argsort(-counts, kind="stable")][:limit]
    if not categories.size:
        raise DataError(f"preprocessing.{who}: column {name} holds no value in the training split")
    below = 0 if is_text(values) else int(categories.min()) - 1
    if is_text(values):
        # No category of the data may be called as the rest is.
        rest = "[UNK]" if "[UNK]" not in categories else "".join(categories) + "?"
        layer = keras.layers.StringLookup(vocabulary=categories.tolist(), oov_token=rest)
    else:
        layer = keras.layers.IntegerLookup(vocabulary=categories.tolist(), oov_token=below)
    size = len(categories) + 1
    return spread(lambda tensor: layer(as_category(tensor, below)), size, output), size


def spread(codes: Function, size: int, output: Output) -> Function:
    """The function of a column that gives codes, or rows with a one in the place of the code."""
    if output == "codes":
        return codes

    def rows(tensor: Any) -> Any:
        from keras import ops

        # Keras' layers could do this themselves, but say another shape or type than they give.
        return ops.one_hot(ops.cast(codes(tensor), "int32"), size, dtype="float32")

    return rows


def with_codes(
    features: Features, functions: Mapping[str, tuple[Function, int]], output: Output, who: str
) -> Function | Transform:
    """The columns changed; where they become codes, with the number of codes of each.

    Raises DataError where codes would stand in one table beside other numbers.
    """
    change = by_column(features, {name: function for name, (function, _) in functions.items()})
    if output == "one_hot":
        return change
    if isinstance(features, dict):
        return Transform(change, {name: size for name, (_, size) in functions.items()})
    if len(functions) < len(columns_of(features)):
        raise DataError(
            f"preprocessing.{who} cannot put codes and other numbers into one table: take "
            "one_hot, or all columns"
        )
    return Transform(change, {"features": max(size for _, size in functions.values())})
