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
ROWS = 20_000
"""So many broken numbers of a column are looked at."""
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
    return "float64" if any(map(_needs_double, _columns(array))) else "float32"


def block_type(sample: Array) -> str:
    """The same for numbers that are read block by block, of which some rows are known."""
    kind = number_type(sample)
    unknown = sample.dtype.kind in "iu" and sample.dtype.itemsize > 2
    return "float64" if kind == "float32" and unknown else kind


def compact(array: Array) -> Array:
    """The numbers in their `number_type`."""
    return np.asarray(array, dtype=number_type(array))


def merges(column: Array) -> tuple[int, int] | None:
    """How many different values become how many as float32, where these are fewer; or None.

    Of many broken numbers some rows are looked at.
    """
    if column.dtype.kind not in "fiu" or column.dtype.itemsize <= 2 or column.dtype == np.float32:
        return None
    known, whole = _known(column)
    if whole and (not len(known) or np.abs(known).max() <= EXACT):
        return None
    values = np.unique(known if whole else _some(known))
    with np.errstate(over="ignore"):
        after = len(np.unique(values.astype("float32")))
    lost = len(values) - after
    return (len(values), after) if lost > (0 if whole else MERGED * len(values)) else None


def _needs_double(column: Array) -> bool:
    known, whole = _known(column)
    if whole:
        # Though these rows may stay apart, others need not.
        return bool(len(known) and np.abs(known).max() > EXACT)
    return merges(column) is not None


def _known(column: Array) -> tuple[Array, bool]:
    """The values that are finite, and whether all of them are whole."""
    known = column if column.dtype.kind in "iu" else column[np.isfinite(column)]
    return known, column.dtype.kind in "iu" or bool((known == np.floor(known)).all())


def _some(values: Array) -> Array:
    """Values from everywhere, and some in a row: such as stand together are often near."""
    if len(values) <= ROWS:
        return values
    half, middle = ROWS // 2, len(values) // 2
    return np.concatenate([values[:: len(values) // half], values[middle : middle + half]])


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
    """The columns of a table, or the channels of larger examples."""
    rows = np.asarray(array).reshape(len(array), -1) if array.ndim < 3 else array
    rows = rows.reshape(-1, rows.shape[-1])
    return [rows[:, number] for number in range(rows.shape[1])]
