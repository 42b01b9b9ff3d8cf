"""How the files of metrics make Keras' own."""

from __future__ import annotations

from typing import Any

from runner import Task

from .._targets import demand, metric_on_outputs

BY_NUMBER = ("SparseCategorical", "SparseTopK", "IoU", "MeanIoU")
"""Metrics that take classes by their numbers, as the targets give them."""


def make(
    name: str,
    said: str,
    task: Task,
    kinds: tuple[str, ...],
    *,
    several: bool = False,
    **params: Any,
) -> Any:
    """The Keras metric of that class name, called `said`, on targets shaped like the outputs.

    several: whether it compares several outputs of one example. Raises ModelError where the task
    is none of `kinds`, or has one output only.
    """
    demand(task, kinds, f"metrics=[{said}]", "metrics=[auto]", several)
    import keras

    if name.startswith(BY_NUMBER):
        return getattr(keras.metrics, name)(name=said, **params)
    return metric_on_outputs(name)(task=task, name=said, **params)
