"""Targets with a shape: of each pixel or step, of the steps to come, or of every value."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from runner.components.types import Per, Splits, Task
from runner.data.parts import named
from runner.data.stream import example_of, remade
from runner.errors import ConfigError, DataError, PluginError, choices

if TYPE_CHECKING:
    from collections.abc import Callable

    from runner.components.types import Array, Features, Part

NOTHING = -1
"""The class of a pixel or step that counts for nothing: padding, or what nobody has labelled."""
AXES: dict[str, str] = {
    "pixel": "(rows, height, width)",
    "step": "(rows, steps)",
    "horizon": "(rows, steps)",
}
ALIGNED = ("pixel", "step")
"""Where features have a place for each target."""


def check_per(task: Task, where: str) -> None:
    """Raise PluginError for a task of places that there is not."""
    if task.per not in get_args(Per):
        raise PluginError(
            f"{where} has a task per '{task.per}': {choices(task.per, get_args(Per))}"
        )
    if task.per == "view":
        raise PluginError(f"{where} has a task that only the config gives, as task=contrastive")
    kinds = ("classification", "regression") if task.per in ALIGNED else ("regression",)
    if task.per != "row" and task.kind not in kinds:
        raise PluginError(
            f"{where} has a {task.kind} task per {task.per}, which may be {' or '.join(kinds)}"
        )


def per_place(axes: int) -> str:
    """What a sentence on targets of so many axes ends with: the tasks that take them."""
    return {
        2: "; a class for each step is Task.tagging(classes)",
        3: "; a class for each pixel is Task.segmentation(classes), values for each step to come "
        "Task.forecast(values)",
    }.get(axes, "")


def check_shaped(where: str, values: Array, task: Task) -> None:
    """Raise DataError for targets, float64, that are not those of the task's places."""
    if task.per != "value":
        axes = AXES[task.per]
        ranks = [axes.count(",") + 1]
        if task.kind == "regression":
            ranks = [ranks[0] + 1] if task.outputs > 1 else [*ranks, ranks[0] + 1]
            axes = f"{axes[:-1]}, {task.outputs})" if task.outputs > 1 else axes
        if values.ndim not in ranks:
            raise DataError(
                f"{where} has targets of shape {values.shape}; {task.said} takes {axes}"
            )
        width = values.shape[-1] if values.ndim > AXES[task.per].count(",") + 1 else 1
        if width != task.outputs and task.kind == "regression":
            raise DataError(
                f"{where} has {width} values in each place of its targets; its task says "
                f"{task.outputs}"
            )
    places = values.shape[1 : 1 + len(task.places)]
    if places != task.places:
        raise DataError(
            f"{where} has targets of shape {places} in every row; its task says {task.places}"
        )
    if task.kind != "classification":
        return
    if (wrong := values[(values < NOTHING) | (values >= task.outputs) | (values % 1 != 0)]).size:
        raise DataError(
            f"{where} has the label {wrong[0]:g} in its targets; {task.said} of {task.outputs} "
            f"classes has the labels 0 to {task.outputs - 1}, and -1 for what counts for nothing"
        )


def check_places(where: str, features: Features, targets: Array, task: Task) -> None:
    """Raise DataError where features and targets that go by pixel or step differ in their size."""
    if task.per not in ALIGNED:
        return
    arrays = named(features)
    places = task.sized(targets).places
    if any(array.shape[1 : 1 + len(places)] == places for array in arrays.values()):
        return
    shapes = ", ".join(str(array.shape[1:]) for array in arrays.values())
    raise DataError(
        f"{where} has targets of {_size(places)} {task.per}s for features of shape {shapes}: they "
        f"must be of one size"
    )


def _size(places: tuple[int, ...]) -> str:
    return " x ".join(map(str, places))


def reconstructing(splits: Splits, where: str) -> Splits:
    """The splits whose targets are their features, as the model takes them.

    Raises ConfigError where these are codes, or several inputs.
    """
    features = example_of(splits.train)[0]
    if isinstance(features, dict) or splits.vocabulary:
        what = "codes" if not isinstance(features, dict) else f"the inputs {', '.join(features)}"
        raise ConfigError(
            f"task=reconstruction gives back one array of numbers, and {where} has {what}: add a "
            "preprocessing that makes numbers of them, such as encode"
        )
    if features.ndim < 2:
        raise ConfigError(
            f"task=reconstruction gives back an array for each row, and {where} has one number"
        )

    return _retargeted(splits, Task.reconstruction(features.shape[1:]), np.asarray)


def without_targets(splits: Splits, size: int) -> Splits:
    """The splits for a task without targets: zeros stand where these are expected."""

    def zeros(features: Features) -> Array:
        return np.zeros(len(next(iter(named(features).values()))), np.float32)

    return _retargeted(splits, Task.contrastive(size), zeros)


def _retargeted(splits: Splits, task: Task, made: Callable[[Any], Array]) -> Splits:
    """The splits with another task, and targets made of the features."""

    def changed(part: Part) -> Part:
        return remade(part, lambda features, _: (features, made(features)))

    return replace(
        splits,
        task=task,
        train=changed(splits.train),
        val=splits.val and changed(splits.val),
        test=splits.test and changed(splits.test),
    )
