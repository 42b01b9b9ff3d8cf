"""The quality of outputs with places: classes of pixels and steps, values of steps, examples.

All of it is made of sums, so that outputs may come piece by piece. NumPy alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Task
from runner.evaluate.metrics import (
    OutputEvaluation,
    by_class,
    evaluate_outputs,
    log_losses,
    names_of,
    pairs,
    predicted_of,
)

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def evaluate_part(task: Task, targets: Array, outputs: Array) -> OutputEvaluation:
    """Evaluate a part's outputs at once, whatever the task gives them for."""
    if task.per == "row":
        return evaluate_outputs(task, targets, outputs)
    return evaluate_places(task, [(targets, outputs)])


def evaluate_places(task: Task, pieces: Iterable[tuple[Array, Array]]) -> OutputEvaluation:
    """Evaluate targets and outputs, (rows, *places, outputs), given in pieces.

    Classes: accuracy is the share of places that are right; with precision, recall, F1 and
    confusion, of pixels the intersection over union, too. Values: mae, rmse and r2, and of steps
    to come the mae of each, mae[+1] for the first; of examples that are given back, mse and mae.
    Outputs that are not all finite, and those without targets, give an empty evaluation.
    """
    if task.per == "view":
        return OutputEvaluation({})
    sums = _ClassSums(task) if task.kind == "classification" else _ValueSums(task)
    for targets, outputs in pieces:
        if not np.isfinite(outputs).all():
            return OutputEvaluation({})
        sums.add(np.asarray(targets), np.asarray(outputs))
    return sums.evaluation()


class _ClassSums:
    """Counts of actual and predicted classes; places of class -1 are left out."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._counts = np.zeros((task.outputs, task.outputs), dtype=np.int64)
        self._log_loss = 0.0

    def add(self, targets: Array, outputs: Array) -> None:
        """Count some rows."""
        classes, outputs = targets.reshape(-1).astype(int), outputs.reshape(-1, outputs.shape[-1])
        counted = classes >= 0
        classes, outputs = classes[counted], outputs[counted]
        predicted = predicted_of(self._task, outputs)
        among = np.bincount(classes * self._task.outputs + predicted, minlength=self._counts.size)
        self._counts += among.reshape(self._counts.shape)
        self._log_loss += float(log_losses(outputs[np.arange(len(classes)), classes]).sum())

    def evaluation(self) -> OutputEvaluation:
        """What the counts say."""
        counts, names, total = self._counts, names_of(self._task), int(self._counts.sum())
        if not total:
            return OutputEvaluation({})
        metrics = {"accuracy": float(np.trace(counts) / total)}
        if self._task.per == "pixel":
            metrics |= _intersections(names, counts)
        metrics |= by_class(names, counts)
        metrics["log_loss"] = self._log_loss / total
        return OutputEvaluation(metrics, names, pairs(counts))


def _intersections(names: tuple[str, ...], counts: Array) -> dict[str, float]:
    """Intersection over union of each class that occurs, among targets or predictions, and their
    mean.
    """
    both = np.diag(counts)
    union = counts.sum(axis=0) + counts.sum(axis=1) - both
    each = {
        f"iou[{name}]": float(share / of)
        for name, share, of in zip(names, both, union, strict=True)
        if of
    }
    return {"mean_iou": float(np.mean(list(each.values()))), **each}


class _ValueSums:
    """Sums of errors, and of what r2 compares them with."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._rows = 0
        self._absolute: Array = np.zeros(task.output_shape)
        self._squared: Array = np.zeros(task.output_shape)
        # Of the targets' distance from the first of them, whose square loses fewer digits.
        self._origin: Array | None = None
        self._moved: Array = np.zeros(task.output_shape)
        self._moved_squared: Array = np.zeros(task.output_shape)

    def add(self, targets: Array, outputs: Array) -> None:
        """Take some rows into the sums."""
        actual = targets.reshape(-1, *self._task.output_shape).astype(np.float64)
        error = outputs.reshape(actual.shape) - actual
        self._rows += len(actual)
        self._absolute += np.abs(error).sum(axis=0)
        self._squared += (error**2).sum(axis=0)
        self._origin = actual[0] if self._origin is None else self._origin
        moved = actual - self._origin
        self._moved += moved.sum(axis=0)
        self._moved_squared += (moved**2).sum(axis=0)

    def evaluation(self) -> OutputEvaluation:
        """What the sums say."""
        if not self._rows:
            return OutputEvaluation({})
        absolute, squared = self._absolute / self._rows, self._squared / self._rows
        if self._task.per == "value":
            return OutputEvaluation({"mse": float(squared.mean()), "mae": float(absolute.mean())})
        metrics = {"mae": float(absolute.mean()), "rmse": float(np.sqrt(squared.mean()))}
        spread = self._moved_squared - self._moved**2 / self._rows
        if self._rows > 1 and (spread > 1e-9 * np.maximum(self._moved_squared, 1e-30)).all():
            metrics["r2"] = float((1 - self._squared / spread).mean())
        if self._task.outputs > 1:
            for index, name in enumerate(names_of(self._task)):
                metrics[f"mae[{name}]"] = float(absolute[..., index].mean())
                metrics[f"rmse[{name}]"] = float(np.sqrt(squared[..., index].mean()))
        if self._task.per == "horizon":
            metrics |= {f"mae[+{at}]": float(one.mean()) for at, one in enumerate(absolute, 1)}
        return OutputEvaluation(metrics)
