"""Losses and metrics against the task: which fit, and targets in the shape they need."""

from __future__ import annotations

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
    if task.kind not in kinds:
        meant = " or ".join(kinds) or "sequence"
        raise ModelError(
            f"{what} is for a {meant} task, and the dataset's task is {task.kind}: take {instead}"
        )
    if several and task.outputs < 2:
        raise ModelError(
            f"{what} compares the values of one example with each other, and the task has only "
            f"one value: take {instead}"
        )


def like_outputs(task: Task) -> Change:
    """A function (y_true, y_pred) -> y_true in the shape of y_pred; classes become one-hot.

    Rows that are shares of classes already, as mixing makes them, stay what they are.
    """

    def change(y_true: Any, y_pred: Any) -> Any:
        from keras import ops

        shares = len(y_true.shape) == 2 and y_true.shape[-1] == task.outputs > 1
        if task.kind == "classification" and not shares:
            classes = ops.cast(ops.reshape(y_true, (-1,)), "int32")
            return ops.one_hot(classes, task.outputs, dtype=y_pred.dtype)
        return ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))

    return change


def loss_on(inner: Any, change: Change) -> Any:
    """A Keras loss that is `inner` on changed targets; `inner` and `change` are its attributes."""
    return _changed_loss()(inner, change)


@functools.cache
def _changed_loss() -> Any:
    """The class of such losses, made once a process, when Keras is there."""
    import keras

    class ChangedTargets(keras.losses.Loss):  # type: ignore[misc]
        def __init__(self, inner: Any, change: Change) -> None:
            super().__init__(name=inner.name, reduction=inner.reduction)
            self.inner = inner
            self.change = change

        def call(self, y_true: Any, y_pred: Any) -> Any:
            return self.inner.call(self.change(y_true, y_pred), y_pred)

    return ChangedTargets


@functools.cache
def metric_on_outputs(name: str) -> Any:
    """A subclass of the Keras metric of that name whose targets have the outputs' shape.

    Its instances take one argument more, `task`.
    """
    import keras

    class ChangedTargets(getattr(keras.metrics, name)):  # type: ignore[misc]
        def __init__(self, *, task: Task, **params: Any) -> None:
            super().__init__(**params)
            self._change = like_outputs(task)

        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
            y_true = self._change(y_true, y_pred)
            return super().update_state(y_true, y_pred, sample_weight=sample_weight)

    ChangedTargets.__name__ = ChangedTargets.__qualname__ = name
    return ChangedTargets
