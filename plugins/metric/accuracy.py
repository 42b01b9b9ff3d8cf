"""Accuracy."""

from __future__ import annotations

from runner import Task, metric

from .._targets import CLASSES
from ._keras import make


@metric(aliases=["Accuracy", "acc"])
def accuracy(task: Task) -> object:
    """Share of right answers: the likeliest class, or each label at a threshold of 0.5."""
    name = "SparseCategoricalAccuracy" if task.kind == "classification" else "BinaryAccuracy"
    return make(name, "accuracy", task, CLASSES)
