"""The training split's targets in a few numbers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.components.types import Summary, Task

if TYPE_CHECKING:
    from runner.components.types import Array


def summary_of(targets: Array, task: Task) -> Summary:
    """Rows of each class, or mean and deviation of each value.

    targets: as the dataset gave them, (rows,) or (rows, values).
    """
    rows = len(targets)
    if task.kind in ("classification", "binary"):
        labels = np.asarray(targets).reshape(-1).astype(int)
        # -1 is a place of no class.
        counts = np.bincount(labels[labels >= 0], minlength=max(2, task.outputs))
        return Summary(rows, counts=tuple(counts.tolist()))
    table = np.asarray(targets, np.float64).reshape(rows, -1)
    if task.kind == "multilabel":
        return Summary(rows, counts=tuple(table.sum(axis=0).astype(int).tolist()))
    mean, std = table.mean(axis=0), table.std(axis=0)
    return Summary(rows, mean=tuple(mean.tolist()), std=tuple(std.tolist()))
