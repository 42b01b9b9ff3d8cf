"""The loss that the task asks for."""

from __future__ import annotations

from runner import Task, loss

from . import keras_losses


@loss
def auto(task: Task) -> object:
    """The task's own: sparse_categorical_crossentropy, binary_crossentropy, or mse."""
    if task.kind == "classification":
        return keras_losses.sparse_categorical_crossentropy(task)
    if task.kind == "regression":
        return keras_losses.mse(task)
    return keras_losses.binary_crossentropy(task)
