"""Losses and metrics against the task: which fit, and targets in the shape they need."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

from runner import ModelError, Task

BY_CLASS = ("classification",)
BY_LABEL = ("binary", "multilabel")
CLASSES = (*BY_CLASS, *BY_LABEL)
VALUES = ("regression",)
ALL = (*CLASSES, *VALUES)

Change = Callable[[Any, Any], Any]


def demand(
    task: Task, kinds: tuple[str, ...], what: str, instead: str, several: bool = False
) -> None:
    """Raise ModelError unless the task is one of these kinds.

    what: the choice as the config says it, such as `loss=poisson`.
    several: whether it needs more than one output for an example.
    """
    if task.per == "view":
        raise ModelError(
            f"{what} compares outputs with targets, and task=contrastive has none: take {instead}"
        )
    if task.kind not in kinds:
        meant = " or ".join(kinds) or "sequence"
        raise ModelError(
            f"{what} is for a {meant} task, and the dataset's task is {task.said}: take {instead}"
        )
    if several and task.outputs < 2:
        raise ModelError(
            f"{what} compares the values of one example with each other, and the task has only "
            f"one value: take {instead}"
        )


def like_outputs(task: Task) -> Change:
    """A function (y_true, y_pred) -> y_true in the shape of y_pred; classes become one-hot.

    Rows that are shares of classes already, as mixing makes them, stay what they are. A class of
    -1, which counts for nothing, becomes zeros.
    """
    rank = 2 + len(task.places)

    def change(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        shares = len(y_true.shape) == rank and y_true.shape[-1] == task.outputs > 1
        if task.kind == "classification" and not shares:
            classes = ops.cast(ops.reshape(y_true, ops.shape(y_pred)[:-1]), "int32")
            return ops.one_hot(classes, task.outputs, dtype=y_pred.dtype)
        return ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))

    return change


def counted(task: Task, y_true: Any) -> Any:
    """Which places of a classification count: not those of class -1; None where all do."""
    from keras import ops

    if task.kind != "classification" or not task.places:
        return None
    if len(y_true.shape) == 2 + len(task.places):
        return ops.sum(y_true, axis=-1) > 0  # shares of classes, none where nothing counts
    return y_true >= 0


def as_rows(task: Task, y_true: Any, y_pred: Any) -> tuple[Any, Any, Any]:
    """Targets and outputs with places as those of so many rows, and what each counts or None.

    Classes have the shape (rows,), values that of the outputs, (rows, outputs).
    """
    from keras import ops

    if not task.places:
        return y_true, y_pred, None
    count = counted(task, y_true)
    if task.kind == "classification":
        # Of what counts for nothing, any class that there is.
        y_true = ops.reshape(ops.maximum(y_true, 0), (-1,))
    else:
        y_true = ops.reshape(y_true, (-1, task.outputs))
    weights = None if count is None else ops.reshape(count, (-1,))
    return y_true, ops.reshape(y_pred, (-1, task.outputs)), weights


def loss_on(inner: Any, change: Change, task: Task) -> Any:
    """A Keras loss that is `inner` on changed targets; these are its attributes.

    Of a task with places it is the mean over those that count.
    """
    return _changed_loss()(inner, change, task)


@functools.cache
def _changed_loss() -> Any:
    """The class of such losses, made once a process, when Keras is there."""
    import keras
    from keras import ops

    class ChangedTargets(keras.losses.Loss):  # type: ignore[misc]
        def __init__(self, inner: Any, change: Change, task: Task) -> None:
            super().__init__(name=inner.name, reduction=inner.reduction)
            self.inner = inner
            self.change = change
            self._task = task

        def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            if self._task.places:
                # Targets say what counts, to the metrics too: no mask that layers have left.
                y_pred = y_pred * 1
            return super().__call__(y_true, y_pred, sample_weight)

        def call(self, y_true: Any, y_pred: Any) -> Any:
            losses = self.inner.call(self.change(y_true, y_pred), y_pred)
            if (count := counted(self._task, y_true)) is None:
                return losses
            # What the mean over all places makes of it is the mean over those that count.
            share = ops.mean(ops.cast(count, losses.dtype))
            return ops.where(count, losses, 0.0) / ops.maximum(share, 1e-7)

    return ChangedTargets


@functools.cache
def metric_on_outputs(name: str, by_number: bool = False) -> Any:
    """A subclass of the Keras metric of that name whose targets have the outputs' shape.

    Its instances take one argument more, `task`. by_number: it takes classes by their numbers.
    """
    import keras
    from keras import ops

    class ChangedTargets(getattr(keras.metrics, name)):  # type: ignore[misc]
        def __init__(self, *, task: Task, **params: Any) -> None:
            super().__init__(**params)
            self._task = task
            rows = dataclasses.replace(task, per="row", places=())
            self._change = None if by_number else like_outputs(rows)

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            y_true, y_pred, counts = as_rows(self._task, y_true, y_pred)
            y_true = y_true if self._change is None else self._change(y_true, y_pred)
            weights = sample_weight if counts is None else ops.cast(counts, self.dtype)
            return super().update_state(y_true, y_pred, sample_weight=weights)

    ChangedTargets.__name__ = ChangedTargets.__qualname__ = name
    return ChangedTargets
