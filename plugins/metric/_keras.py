"""How the files of metrics make Keras' own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._targets import demand, metric_on_outputs

BY_NUMBER = ("SparseCategorical", "SparseTopK", "IoU", "MeanIoU")
"""Metrics that take classes by their numbers, as the targets give them."""


def make(
    class_name: str,
    name: str,
    kinds: tuple[str, ...],
    arguments: Mapping[str, Any],
    *,
    several: bool = False,
    **more: Any,
) -> Any:
    """The Keras metric of that class, called `name`, on targets shaped like the outputs.

    kinds: the kinds of task that it is for. several: whether it compares several outputs of one
    example. arguments: of the component, the task and all its params. more: for Keras, beside or
    instead of those.

    Raises ModelError where the task is none of `kinds`, or has one output only.
    """
    params = {**arguments, **more}
    task = params.pop("task")
    demand(task, kinds, f"metrics=[{name}]", "metrics=[auto]", several)
    import keras

    by_number = class_name.startswith(BY_NUMBER)
    if by_number and not task.places:
        return getattr(keras.metrics, class_name)(name=name, **params)
    return metric_on_outputs(class_name, by_number)(task=task, name=name, **params)
