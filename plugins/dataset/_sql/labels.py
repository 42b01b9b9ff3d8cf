"""From label columns of a query to the task and its targets, seen block by block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner import AskedTask, Column, DataError, Task
from runner import Labels as Seen

Array = np.ndarray[Any, Any]
EXACT = 2**53
"""Up to here the DOUBLE in which a number comes holds every whole one."""


class Labels(Seen):
    """Labels in columns that have a name and a type, given as numbers with NaN, or text."""

    def __init__(self, columns: Sequence[Column], asked: AskedTask) -> None:
        """asked: the task that the config names, or auto."""
        for column in columns:
            if column.family in ("date", "other"):
                raise DataError(
                    f"dataset.label={column.name} is of type {column.type}: a label is a number, "
                    "a truth value or text; compute one in dataset.query"
                )
            if column.family == "text" and (len(columns) > 1 or asked == "regression"):
                need = "regression" if asked == "regression" else "a label of several columns"
                raise DataError(f"dataset.label={column.name} is text: {need} needs numbers")
        names = tuple(column.name for column in columns)
        where = f"the label {', '.join(map(repr, names))}"
        super().__init__(where, asked, names)
        self._columns = columns

    def see(self, labels: Array | Sequence[Array]) -> None:
        """Take one block into account."""
        super().see(self._typed(labels))

    def targets(self, labels: Array | Sequence[Array]) -> Array:
        """A block's labels in the type of the task; DataError for a class not seen before."""
        return super().targets(self._typed(labels))

    def settle(self) -> Task:
        """The task; DataError where the labels are none of it, or are the same in every row."""
        task = super().settle()
        for name, value in zip(self.names, self.constants(), strict=True):
            if value is not None and not self.of_trained:
                raise DataError(
                    f"the label '{name}' is {value} in every row: there is nothing to learn"
                )
        return task

    def _typed(self, labels: Array | Sequence[Array]) -> list[Array]:
        """The columns as whole numbers and truth values where that is their type."""
        kinds = {"boolean": "bool", "integer": "int64"}
        typed = []
        for column, values in zip(self._columns, labels, strict=True):
            kind = kinds.get(column.family)
            if kind and values.dtype.kind == "f":
                missing = np.isnan(values)
                if kind == "int64" and (np.abs(values) > EXACT).any():
                    raise DataError(
                        f"the label '{column.name}' holds whole numbers above 2^53, some of which "
                        "would be taken for one: make text of them, with "
                        f"CAST({column.name} AS VARCHAR) in dataset.query"
                    )
                values = np.ma.array(np.where(missing, 0, values).astype(kind), mask=missing)
            typed.append(values)
        return typed


class HeadLabels:
    """The same for several heads, a column each; tasks and targets are dicts by its name."""

    def __init__(self, columns: Sequence[Column], asked: Sequence[AskedTask]) -> None:
        """asked: each column's task, or auto."""
        pairs = zip(columns, asked, strict=True)
        self._heads = {column.name: Labels([column], task) for column, task in pairs}

    def see(self, labels: Sequence[Array]) -> None:
        """Take one block into account."""
        for head, values in zip(self._heads.values(), labels, strict=True):
            head.see([values])

    def targets(self, labels: Sequence[Array]) -> dict[str, Array]:
        """A block's targets, head by head."""
        pairs = zip(self._heads.items(), labels, strict=True)
        return {name: head.targets([values]) for (name, head), values in pairs}

    def settle(self) -> dict[str, Task]:
        """The tasks, as `Labels.settle` has one."""
        return {name: head.settle() for name, head in self._heads.items()}


AnyLabels = Labels | HeadLabels


def labels_of(
    columns: Sequence[Column],
    label: str | Sequence[str] | Mapping[str, AskedTask],
    task: AskedTask,
) -> AnyLabels:
    """What sees the labels: one task, or where the config has tasks by column, a head for each.

    task: what `dataset.task` says; of heads, of those that say auto.
    """
    if not isinstance(label, Mapping):
        return Labels(columns, task)
    return HeadLabels(columns, [task if one == "auto" else one for one in label.values()])
