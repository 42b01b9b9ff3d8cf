"""The loss that the task asks for."""

from __future__ import annotations

from runner import Task, loss

from . import keras_losses
from .nt_xent import nt_xent


@loss
def auto(task: Task) -> object:
    """The task's own: sparse_categorical_crossentropy, binary_crossentropy, or mse.

    Of classes for each step or pixel categorical_crossentropy, which takes mixed ones, too; of
    pairs of views nt_xent.
    """
    if task.per == "view":
        return nt_xent(task)
    if task.kind == "classification" and task.places:
        return keras_losses.categorical_crossentropy(task)
    if task.kind == "classification":
        return keras_losses.sparse_categorical_crossentropy(task)
    if task.kind == "regression":
        return keras_losses.mse(task)
    return keras_losses.binary_crossentropy(task)
