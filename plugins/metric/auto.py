"""The metrics that the task asks for."""

from __future__ import annotations

from runner import Task, metric

from .._targets import CLASSES
from . import keras_metrics
from ._keras import make


@metric(aliases=["Accuracy", "acc"])
def accuracy(task: Task) -> object:
    """Share of right answers: the likeliest class, or each label at a threshold of 0.5."""
    by_class = task.kind == "classification"
    return make(
        "SparseCategoricalAccuracy" if by_class else "BinaryAccuracy",
        "accuracy",
        CLASSES,
        {"task": task},
    )


@metric
def auto(task: Task) -> object:
    """The task's own: accuracy where there are classes, else mae; none without targets."""
    if task.per == "view":
        return []
    return keras_metrics.mae(task) if task.kind == "regression" else accuracy(task)
