"""Rows that belong together, such as the windows of a file, on one side of every split."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from runner import DataError, SplitPlan

Array = np.ndarray[Any, Any]


def parts_of_groups(names: list[str], labels: Array | None, split: SplitPlan) -> Array:
    """The part of every group: int8, 0 train, 1 val, 2 test.

    names: one a group; with `split.seed` they decide, so that a group added later moves few.
    labels: a class for each group, to be spread evenly over the parts, or None.
    """
    for share, name in ((split.val, "val"), (split.test, "test")):
        if share and not round(len(names) * share) and not split.folds:
            raise DataError(
                f"split.{name}={share} of {len(names)} files (or groups of them) leaves none in "
                f"{name}"
            )
    keys = [hashlib.blake2b(f"{split.seed}/{name}".encode()).digest() for name in names]
    order = np.array(sorted(range(len(names)), key=keys.__getitem__))
    if labels is not None:
        place = np.empty(len(order))
        for label in np.unique(labels):
            same = order[labels[order] == label]
            place[same] = (np.arange(len(same)) + 0.5) / len(same)
        order = order[np.argsort(place[order], kind="stable")]
    test = round(len(names) * split.test)
    part = np.zeros(len(names), np.int8)
    part[order[:test]] = 2
    rest = order[test:]
    if split.folds:
        begin, end = (len(rest) * fold // split.folds for fold in (split.fold, split.fold + 1))
        part[rest[begin:end]] = 1
    else:
        part[rest[: round(len(names) * split.val)]] = 1
    return part
