"""How the files of losses make Keras' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner import ModelError

from .._targets import demand, like_outputs, loss_on

BY_NUMBER = ("SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy", "Circle")
"""Losses that take classes by their numbers, as the targets give them."""


def make(
    class_name: str,
    name: str,
    kinds: tuple[str, ...],
    arguments: Mapping[str, Any],
    *,
    several: bool = False,
) -> Any:
    """The Keras loss of that class, on one-hot targets where the task has classes.

    name: the component's. kinds: the kinds of task that it is for. several: whether it compares
    several outputs of one example. arguments: of the component, the task and all its params.

    Raises ModelError where the task is none of `kinds`, or has one output only.
    """
    params = dict(arguments)
    task = params.pop("task")
    demand(task, kinds, f"loss={name}", "loss=auto", several)
    if task.places and class_name in BY_NUMBER:
        if class_name != "SparseCategoricalCrossentropy":
            raise ModelError(
                f"loss={name} takes one class a row, and the dataset's task is {task.said}: take "
                "loss=auto"
            )
        params["ignore_class"] = -1 if params["ignore_class"] is None else params["ignore_class"]
    import keras

    loss = getattr(keras.losses, class_name)(**params)
    if task.kind == "classification" and class_name not in BY_NUMBER:
        return loss_on(loss, like_outputs(task), task)
    return loss
