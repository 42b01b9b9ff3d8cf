"""In which type numbers stay until they are encoded or scaled, and what float32 would merge."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from runner.data.parts import is_text, named

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runner.components.types import Array, Features

EXACT = 2**24
"""Up to here float32 holds every whole number."""
EXACT_DOUBLE = 2**53
"""Up to here float64 does."""
ROWS = 100_000
"""Rows that are looked at, spread over all."""
MERGED = 0.01
"""A share of different broken numbers that may become equal: of many, some always do."""


def number_type(array: Array) -> str:
    """float32 where that tells the values of every column apart, else float64 or int64."""
    if array.dtype.kind == "b" or array.dtype.itemsize <= 2 or array.dtype == np.float32:
        return "float32"
    if array.dtype.kind in "iu":
        most = max(abs(int(array.max())), abs(int(array.min()))) if array.size else 0
        if most <= EXACT:
            return "float32"
        return "float64" if most <= EXACT_DOUBLE or most >= 2**63 else "int64"
    return "float64" if any(merges(column) for column in _columns(array)) else "float32"


def block_type(sample: Array) -> str:
    """The same for numbers that are read block by block, of which some rows are known."""
    kind = number_type(sample)
    unknown = sample.dtype.kind in "iu" and sample.dtype.itemsize > 2
    return "float64" if kind == "float32" and unknown else kind


def compact(array: Array) -> Array:
    """The numbers in their `number_type`."""
    return np.asarray(array, dtype=number_type(array))


def merges(column: Array) -> tuple[int, int] | None:
    """How many different values become how many as float32, where these are fewer; or None."""
    if column.dtype.kind not in "fiu" or column.dtype.itemsize <= 2 or column.dtype == np.float32:
        return None
    # Whole numbers that are small enough need no sorting.
    with np.errstate(invalid="ignore"):
        small = (column <= EXACT) & (column >= -EXACT)
        if ((small & (column == np.floor(column))) | (column != column)).all():
            return None
    values = np.unique(column[column == column])
    with np.errstate(over="ignore"):
        after = len(np.unique(values.astype("float32")))
    whole = values.dtype.kind in "iu" or bool((values == np.floor(values)).all())
    lost = len(values) - after
    return (len(values), after) if lost > (0 if whole else MERGED * len(values)) else None


def warn_of_merged(
    features: Features, names: Sequence[str], vocabulary: Mapping[str, int]
) -> None:
    """Say which columns of what the model is given lose values to float32, and how many.

    names: what the columns of one array are called, where that is known.
    """
    for name, array in named(features).items():
        if is_text(array) or name in vocabulary:
            continue
        columns = _columns(array)
        for number, column in enumerate(columns):
            if (merged := merges(column)) is None:
                continue
            called = name if isinstance(features, dict) else f"{number} (counted from 0)"
            if not isinstance(features, dict) and len(names) == len(columns):
                called = names[number]
            before, after = merged
            warnings.warn(
                f"the column {called} has {before} different values, of which float32, in which "
                f"models compute, leaves {after}: add a preprocessing that scales or encodes it, "
                "such as preprocessing=[standardize]",
                stacklevel=2,
            )


def _columns(array: Array) -> list[Array]:
    """The columns of a table, or the channels of larger examples, of rows spread over all."""
    rows = np.asarray(array).reshape(len(array), -1) if array.ndim < 3 else array
    rows = rows.reshape(-1, rows.shape[-1])
    rows = rows[:: max(1, len(rows) // ROWS)]
    return [rows[:, number] for number in range(rows.shape[1])]
