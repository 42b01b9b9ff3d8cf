"""How the files of losses make Keras' own."""

from __future__ import annotations

from typing import Any

from runner import Task

from .._targets import demand, like_outputs, loss_on

BY_NUMBER = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Circle")
"""Losses that take classes by their numbers, as the targets give them."""


def make(
    name: str,
    said: str,
    task: Task,
    kinds: tuple[str, ...],
    *,
    several: bool = False,
    **params: Any,
) -> Any:
    """The Keras loss of that class name, on one-hot targets where the task has classes.

    several: whether it compares several outputs of one example. Raises ModelError where the task
    is none of `kinds`, or has one output only.
    """
    demand(task, kinds, f"loss={said}", "loss=auto", several)
    import keras

    made = getattr(keras.losses, name)(**params)
    if task.kind == "classification" and name not in BY_NUMBER:
        return loss_on(made, like_outputs(task))
    return made
