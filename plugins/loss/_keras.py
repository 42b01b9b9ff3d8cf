"""How the files of losses make Keras' own."""

from __future__ import annotations

from typing import Any

from runner import Task

from .._targets import demand, like_outputs, loss_on  # noqa: TID252 - two kinds share it


def make(name: str, said: str, task: Task, kinds: tuple[str, ...], **params: Any) -> Any:
    """The Keras loss of that class name, on one-hot targets where the task has classes.

    Raises ModelError where the task is none of `kinds`.
    """
    demand(task, kinds, f"loss={said}", "loss=auto")
    import keras

    made = getattr(keras.losses, name)(**params)
    if task.kind == "classification" and not name.startswith(("Sparse", "Circle")):
        return loss_on(made, like_outputs(task))
    return made
