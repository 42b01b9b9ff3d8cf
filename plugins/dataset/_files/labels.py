"""From labels as they are read to targets and the task that they are for."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from runner import DataError, Task

Array = np.ndarray[Any, Any]
Asked = Literal["auto", "classification", "binary", "multilabel", "regression"]
MANY_CLASSES = 1000
"""More than that, and whole numbers are rather values than classes."""


def targets_of(where: str, parts: list[Array], asked: Asked) -> tuple[list[Array], Task]:
    """The parts' targets in the type of their task, and the task.

    where: what a sentence calls them, such as "y in data.npz".
    parts: labels of shape (rows,) or (rows, values), numbers or text.
    asked: the task, or auto: text or whole numbers are classes (0 and 1 alone: binary), columns
        of 0 and 1 are labels, anything else is values.
    """
    task, known = task_of(where, np.concatenate(parts), asked)
    return [codes(part, task, known) for part in parts], task


def task_of(where: str, labels: Array, asked: Asked) -> tuple[Task, Array | None]:
    """The task of all the labels, and the sorted names if the labels are text."""
    if labels.dtype.kind == "O":
        labels = labels.astype(str)
    if labels.dtype.kind not in "fiubUS":
        raise DataError(f"{where} is of type {labels.dtype}: it must hold numbers or text")
    known: Array | None = None
    names: tuple[str, ...] = ()
    if labels.dtype.kind in "US":
        known = np.unique(labels)
        names = tuple(str(name) for name in known)
        labels = np.searchsorted(known, labels)
        if asked == "regression":
            raise DataError(f"{where} holds text ({names[0]!r}): regression needs numbers")
    kind = _guess(where, labels) if asked == "auto" else asked
    _fits(where, labels, kind)
    if kind == "regression":
        return Task.regression(1 if labels.ndim == 1 else labels.shape[1]), None
    if kind == "multilabel":
        return Task.multilabel(labels.shape[1]), known
    if kind == "binary":
        return Task.binary(names), known
    return Task.classification(len(names) or int(labels.max()) + 1, names), known


class Seen:
    """The labels of a source that is read in blocks, as far as the task depends on them."""

    def __init__(self) -> None:
        self._values: Array | None = None

    def add(self, labels: Array) -> None:
        """Take in a block's labels, (rows,) or (rows, values)."""
        labels = labels.astype(str) if labels.dtype.kind == "O" else labels
        labels = labels[:, 0] if labels.shape[1:] == (1,) else labels
        before = self._values
        values = labels if before is None else np.concatenate([before, labels])
        values = np.unique(values, axis=0 if values.ndim == 2 else None)
        if len(values) > 2 * MANY_CLASSES and values.dtype.kind not in "US":
            # So many are values, or classes of which the ends say how many there are.
            values = np.concatenate([values[:MANY_CLASSES], values[-MANY_CLASSES:]])
        self._values = values

    def task(self, where: str, asked: Asked) -> tuple[Task, Array | None]:
        """As task_of says."""
        assert self._values is not None
        return task_of(where, self._values, asked)


def codes(labels: Array, task: Task, known: Array | None = None) -> Array:
    """Labels in the type of the task: int64 classes, or float32."""
    if known is not None:
        labels = labels.astype(str) if labels.dtype.kind == "O" else labels
        labels = np.searchsorted(known, labels.astype(known.dtype))
    return labels.astype("int64" if task.kind in ("classification", "binary") else "float32")


def _guess(where: str, y: Array) -> Asked:
    """The kind of task that such targets are for; DataError where they may be two."""
    zeros_and_ones = bool(np.isin(y, (0, 1)).all())
    if y.ndim == 2:
        return "multilabel" if zeros_and_ones else "regression"
    if zeros_and_ones:
        return "binary"
    if y.dtype.kind == "f":
        return "regression"
    if y.max() >= MANY_CLASSES or y.min() < 0:
        raise DataError(
            f"{where} holds whole numbers from {y.min()} to {y.max()}, which may be classes "
            "or values: say dataset.task=classification or dataset.task=regression"
        )
    return "classification"


def _fits(where: str, y: Array, kind: str) -> None:
    """Raise DataError where targets cannot be what the task says."""
    if kind in ("classification", "binary"):
        if y.ndim != 1:
            raise DataError(f"{where} has shape {y.shape}: {kind} needs shape (rows,)")
        if not np.isfinite(y).all() or (y != np.floor(y)).any() or y.min() < 0:
            raise DataError(f"{where} holds other than whole numbers from 0 on: not classes")
    if kind == "multilabel" and y.ndim != 2:
        raise DataError(f"{where} has shape {y.shape}: multilabel needs shape (rows, labels)")
    if kind in ("binary", "multilabel") and not np.isin(y, (0, 1)).all():
        raise DataError(f"{where} holds other values than 0 and 1: not {kind}")
    if not np.isfinite(y).all():
        raise DataError(f"{where} holds NaN or infinite values: drop those rows")


def is_number(text: str) -> bool:
    """Whether the text is a number as Python writes it, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers_or_text(texts: list[str]) -> Array:
    """Labels as text or, where every one is a number, as int64 or float64."""
    for kind in (np.int64, np.float64):
        try:
            return np.array(texts).astype(kind)
        except (ValueError, OverflowError):
            continue
    return np.array(texts)
