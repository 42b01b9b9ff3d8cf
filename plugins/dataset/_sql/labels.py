"""From label columns to the task and its targets, seen block by block."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from runner import Column, DataError, Task

from .._files.labels import Asked

Array = np.ndarray[Any, Any]
FEW = 20
"""Whole numbers with more values than these may be classes or values: the config says which."""
MOST = 10_000
"""More classes than these are a mistake."""


class Labels:
    """Sees all labels once, then turns any block of them into targets."""

    def __init__(self, columns: Sequence[Column], asked: Asked) -> None:
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
        self._columns = columns
        self._asked = asked
        self._values: list[Counter[Any]] = [Counter() for _ in columns]
        self._low = [np.inf] * len(columns)
        self._high = [-np.inf] * len(columns)
        self._missing = [0] * len(columns)
        self._codes: dict[Any, int] | None = None

    def see(self, labels: Sequence[Array]) -> None:
        """Take one block into account."""
        for i, values in enumerate(labels):
            if values.dtype.kind == "f":
                present = values[~np.isnan(values)]
                if len(present):
                    self._low[i] = min(self._low[i], float(present.min()))
                    self._high[i] = max(self._high[i], float(present.max()))
                present_values, counts = np.unique(present, return_counts=True)
                new = Counter(dict(zip(present_values.tolist(), counts.tolist(), strict=True)))
                self._missing[i] += len(values) - len(present)
            else:
                new = Counter(values.tolist())
                self._missing[i] += new.pop(None, 0)
            # Beyond that many, only whether there are too many matters.
            if len(self._values[i]) <= MOST:
                self._values[i].update(new)

    def settle(self) -> Task:
        """The task; DataError where the labels are none of it."""
        for column, missing in zip(self._columns, self._missing, strict=True):
            if missing:
                raise DataError(
                    f"the label '{column.name}' is missing in {missing} rows: leave them out, "
                    f"with WHERE {column.name} IS NOT NULL in dataset.query"
                )
        names = tuple(column.name for column in self._columns)
        kind = self._kind()
        for i, column in enumerate(self._columns):
            if len(self._values[i]) == 1:
                only = next(iter(self._values[i]))
                raise DataError(
                    f"the label '{column.name}' is {_named(only, column)} in every row: there is "
                    "nothing to learn"
                )
        if kind == "regression":
            return Task.regression(len(names), names)
        if kind == "multilabel":
            for column, values in zip(self._columns, self._values, strict=True):
                if not set(values) <= {0.0, 1.0}:
                    raise DataError(
                        f"the label '{column.name}' holds other values than 0 and 1, which is "
                        "not multilabel"
                    )
            return Task.multilabel(len(names), names)
        return self._classes(kind)

    def _kind(self) -> str:
        """The kind of task that was asked for, or that the labels are for."""
        families = {column.family for column in self._columns}
        if self._asked != "auto":
            if self._asked in ("classification", "binary") and len(self._columns) > 1:
                raise DataError(
                    f"dataset.task={self._asked} takes one label, dataset.label names "
                    f"{len(self._columns)}"
                )
            return self._asked
        if len(self._columns) > 1:
            flags = all(set(values) <= {0.0, 1.0} for values in self._values)
            return "multilabel" if flags and "float" not in families else "regression"
        if families == {"float"}:
            return "regression"
        count = len(self._values[0])
        if families == {"integer"} and count > FEW:
            low, high = self._low[0], self._high[0]
            raise DataError(
                f"the label '{self._columns[0].name}' has {count} different whole numbers from "
                f"{low:g} to {high:g}, which may be classes or values: say "
                "dataset.task=classification or dataset.task=regression"
            )
        return "classes"

    def _classes(self, kind: str) -> Task:
        """One class for each value, in their order."""
        column, values = self._columns[0], sorted(self._values[0])
        if len(values) > MOST:
            raise DataError(f"the label '{column.name}' has more than {MOST} classes")
        if kind == "binary" and len(values) > 2:
            raise DataError(
                f"the label '{column.name}' has {len(values)} values: dataset.task=binary takes 2"
            )
        self._codes = {value: code for code, value in enumerate(values)}
        names = tuple(_named(value, column) for value in values)
        if len(values) == 2 and kind != "classification":
            return Task.binary(names)
        return Task.classification(len(values), names)

    def shares(self) -> dict[str, int]:
        """How many rows each class has; empty where there are no classes."""
        if self._codes is None:
            return {}
        return {_named(v, self._columns[0]): self._values[0][v] for v in self._codes}

    def targets(self, labels: Sequence[Array]) -> Array:
        """A block's labels in the type of the task; DataError for a class not seen before."""
        if self._codes is None:
            columns = [values.astype(np.float32) for values in labels]
            return columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
        codes = self._codes
        try:
            if labels[0].dtype.kind == "f":
                known = np.array(list(codes))
                places = np.searchsorted(known, labels[0])
                if (known[np.minimum(places, len(known) - 1)] != labels[0]).any():
                    raise KeyError
                return places.astype(np.int64)
            texts = labels[0].tolist()
            return np.fromiter(map(codes.__getitem__, texts), np.int64, len(texts))
        except KeyError:
            raise DataError(
                f"the label '{self._columns[0].name}' has a value that it did not have when the "
                "run began: the source has changed since"
            ) from None


def _named(value: Any, column: Column) -> str:
    """A label as text: 3 rather than 3.0, true rather than 1.0."""
    if column.family == "boolean":
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
