"""What a row of each class counts in the training loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Splits, Task
from runner.config.settings import ClassWeight
from runner.data.labels import is_number
from runner.data.stream import example_of
from runner.errors import ConfigError, choices

if TYPE_CHECKING:
    from runner.components.types import Array, Features


def class_weights(wanted: ClassWeight | None, splits: Splits) -> Array | None:
    """A factor for every class by its number: float32 (classes,); None where none is asked for.

    Balanced: rows / (classes * rows of the class) in train (of a stream: in its sample), so that
    all classes that occur count the same and the mean over rows is 1, as Keras documents its
    `class_weight`. A mapping gives factors by number or name, 1 for a class that it leaves out.

    Raises ConfigError for a task without classes and for a class that there is not.
    """
    if wanted is None:
        return None
    task = splits.task
    if task.kind not in ("classification", "binary"):
        raise ConfigError(f"class_weight needs a task with classes; this is {task.kind}")
    classes = max(2, task.outputs)
    if wanted == "balanced":
        labels = np.asarray(example_of(splits.train)[1]).reshape(-1).astype(int)
        counts = np.bincount(labels, minlength=classes)
        weights = len(labels) / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        weights = _given(wanted, task, classes)
    return weights.astype(np.float32)


def weighted(
    features: Features, targets: Array, weights: Array | None, by_class: Array | None
) -> tuple[Any, ...]:
    """A training step's rows: with weights where there are any, their own or of their classes."""
    if weights is None and by_class is not None:
        weights = by_class[targets.reshape(-1).astype(int)]
    return (features, targets) if weights is None else (features, targets, weights)


def _given(wanted: Mapping[str | int, float], task: Task, classes: int) -> Array:
    numbers = {name: number for number, name in enumerate(task.names)}
    if not any(map(is_number, numbers)):
        # Where classes are called by numbers of their own, 3 is the one that is called so.
        numbers = {str(number): number for number in range(classes)} | numbers
    weights = np.ones(classes)
    for name, weight in wanted.items():
        if str(name) not in numbers:
            raise ConfigError(
                f"class_weight.{name}={weight} names no class: {choices(str(name), numbers)}"
            )
        if weight < 0:
            raise ConfigError(f"class_weight.{name}={weight} is not valid: give 0 or more")
        weights[numbers[str(name)]] = weight
    return weights
