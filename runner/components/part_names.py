"""Parts of data that come divided: their names, and the draw of what the source leaves open."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from runner.components.row_hash import TEST, TRAIN, VAL
from runner.errors import DataError

if TYPE_CHECKING:
    from runner.components.types import Array, SplitPlan

PARTS = ("train", "val", "test")
NAMES = {
    "train": TRAIN,
    "training": TRAIN,
    "val": VAL,
    "valid": VAL,
    "validation": VAL,
    "dev": VAL,
    "development": VAL,
    "test": TEST,
    "testing": TEST,
}
FIRST = 5
"""Values that a sentence gives."""


def part_named(name: str) -> int | None:
    """The part that a folder or a value of this name means: 0 train, 1 val, 2 test; or None."""
    return NAMES.get(name.strip().lower())


def parts_of_values(split: SplitPlan, values: Array) -> Array:
    """The part that each value names, int8; see `SplitPlan.named`."""
    distinct, inverse = np.unique(np.asarray(values).astype(str), return_inverse=True)
    parts = [part_named(value) for value in distinct.tolist()]
    odd = [value for value, part in zip(distinct.tolist(), parts, strict=True) if part is None]
    if odd:
        more = f" and {len(odd) - FIRST} more" if len(odd) > FIRST else ""
        raise DataError(
            f"split.by={split.by} needs the names of parts, and '{split.column}' holds "
            f"{', '.join(map(repr, odd[:FIRST]))}{more}: its values may be {', '.join(NAMES)}"
        )
    return np.array(parts, np.int8)[inverse.reshape(-1)]


def split_of_rest(split: SplitPlan, rows: Sequence[int]) -> SplitPlan:
    """The split by which val is drawn from train where the source has none; `SplitPlan.rest`."""
    counts = ", ".join(f"{name} {n}" for name, n in zip(PARTS, rows, strict=True) if n)
    if not rows[TRAIN]:
        raise DataError(f"the data come in parts of their own ({counts}), and none of it is train")
    by = None if (split.by or "").startswith("column:") else split.by
    if rows[VAL]:
        for key, value in (("by", by), ("folds", split.folds)):
            if value is not None:
                raise DataError(
                    f"split.{key}={value} is of no use: the data come in parts of their own "
                    f"({counts})"
                )
        unused = "split.val and split.test are not used"
        rest = replace(split, val=0.0, test=0.0, by=None)
    else:
        drawn = f"split.folds={split.folds}" if split.folds else f"split.val={split.val}"
        unused = f"val is drawn from train ({drawn}), and split.test is not used"
        rest = replace(split, test=0.0, by=by)
    # Of one place, so that Python says it once.
    warnings.warn(f"the data come in parts of their own ({counts}): {unused}", stacklevel=1)
    return rest
