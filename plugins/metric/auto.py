"""The metrics that the task asks for."""

from __future__ import annotations

from runner import Task, metric

from . import errors
from .accuracy import accuracy


@metric
def auto(task: Task) -> object:
    """The task's own: accuracy where there are classes, else mae."""
    return errors.mae(task) if task.kind == "regression" else accuracy(task)
