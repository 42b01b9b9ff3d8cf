"""What is missing in a column, and how a sentence says where."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runner.errors import DataError

if TYPE_CHECKING:
    from runner.components.types import Array

MissingLabel = Literal["refuse", "drop"]
"""What becomes of rows without a label: an error that names them, or they are left out."""
LISTED = 5
"""So many rows are named by their numbers."""


def missing_in(column: Array) -> Array:
    """Whether each value is missing: None, NaN, NaT, masked or blank text; bool, (rows,).

    Of rows with several values, whether any of them is.
    """
    masked = np.ma.getmaskarray(column)
    values = np.asarray(np.ma.getdata(column))
    if values.dtype.kind in "US":
        absent = np.char.strip(values) == values.dtype.type()
    elif values.dtype.kind == "O":
        flat = [_is_missing(value) for value in values.reshape(-1).tolist()]
        absent = np.array(flat, dtype=bool).reshape(values.shape)
    else:
        # Only NaN and NaT differ from themselves.
        absent = np.asarray(values != values, dtype=bool)
    absent = absent | masked
    by_row: Array = absent if absent.ndim < 2 else absent.reshape(len(absent), -1).any(axis=1)
    return by_row


def _is_missing(value: Any) -> bool:
    if value is None or (isinstance(value, str | bytes) and not value.strip()):
        return True
    try:
        return bool(value != value)
    except (TypeError, ValueError):
        return True  # pandas.NA says neither yes nor no


def in_rows(count: int, total: int, first: Sequence[int]) -> str:
    """`3 of 100 rows (rows 4, 14, 24)`, for a sentence.

    first: the first of them, counted from 0; people count from 1.
    """
    listed = ", ".join(str(row + 1) for row in first[:LISTED])
    more = ", …" if count > min(len(first), LISTED) else ""
    return f"{count} of {total} rows (row{'s' if count > 1 else ''} {listed}{more})"


def keyed(by: str, name: str, keys: Array) -> None:
    """Raise DataError where rows lack the value by which they are to be divided.

    by: the config's split.by. name: what the column is called.
    """
    rows = np.flatnonzero(missing_in(keys))
    if len(rows):
        noun = "time" if by.startswith("time:") else "value"
        raise DataError(
            f"split.by={by}: {len(rows)} rows have no {noun} in '{name}': "
            f"{in_rows(len(rows), len(keys), rows[:LISTED].tolist())}; fill it, or leave them out"
        )
