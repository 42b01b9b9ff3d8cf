"""What a row of each class counts in the training loss."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Splits, Task
from runner.data.heads import DOT, splits_by_head, targets_by_head
from runner.data.labels import is_number
from runner.data.stream import example_of
from runner.data.summary import summary_of
from runner.errors import ConfigError, choices

if TYPE_CHECKING:
    from runner.components.types import Array, Features


Wanted = str | Mapping[str | int, Any]
"""As the setting has it: balanced, or factors."""


@dataclass(frozen=True)
class HeadFactors:
    """The factors of several heads."""

    task: Task
    by_class: Mapping[str, Array | None]
    """Head -> a factor for every class, (classes,), or None."""


def class_weights(
    wanted: Wanted | None, splits: Splits, place: str = "class_weight"
) -> Array | HeadFactors | None:
    """A factor for every class by its number: float32 (classes,); None where none is asked for.

    Balanced: rows / (classes * rows of the class) in train (of a stream: in its sample), so that
    all classes that occur count the same and the mean over rows is 1, as Keras documents its
    `class_weight`. A mapping gives factors by number or name, 1 for a class that it leaves out.

    Of several heads, balanced is for each that has classes; a mapping says it head by head.

    place: the key, for the sentences. Raises ConfigError for a task without classes and for a
    class that there is not.
    """
    if wanted is None:
        return None
    task = splits.task
    if task.heads:
        return _by_head(wanted, splits)
    if task.kind not in ("classification", "binary"):
        raise ConfigError(f"{place} needs a task with classes; this is {task.kind}")
    given = wanted.values() if isinstance(wanted, Mapping) else ()
    if odd := [one for one in given if not isinstance(one, int | float)]:
        raise ConfigError(f"{place} has {odd[0]} for a class, where a factor is due: a number")
    classes = max(2, task.outputs)
    if wanted == "balanced":
        counts: Array = np.array(summary_of(example_of(splits.train)[1], task).counts)
        weights = counts.sum() / (np.count_nonzero(counts) * np.maximum(counts, 1))
    else:
        assert isinstance(wanted, Mapping)
        weights = _given(wanted, task, classes, place)
    return np.asarray(weights, np.float32)


def _by_head(wanted: Wanted, splits: Splits) -> HeadFactors:
    heads = splits_by_head(splits)
    if wanted == "balanced":
        have = [n for n, one in heads.items() if one.task.kind in ("classification", "binary")]
        if not have:
            raise ConfigError(
                "class_weight needs a head with classes: there are "
                + ", ".join(f"{name} ({one.task.kind})" for name, one in heads.items())
            )
        wanted = dict.fromkeys(have, "balanced")
    assert isinstance(wanted, Mapping)
    made: dict[str, Any] = dict.fromkeys(heads)
    for name, one in wanted.items():
        if str(name) not in heads:
            raise ConfigError(
                f"class_weight names no head in '{name}': {choices(str(name), heads)}; of several "
                "heads, give class_weight={head:balanced} or {head:{class:factor}}"
            )
        if isinstance(one, int | float):
            raise ConfigError(
                f"class_weight.{name}={one:g} is not valid: '{name}' is a head, give balanced or "
                "{class:factor}"
            )
        made[str(name)] = class_weights(one, heads[str(name)], f"class_weight{DOT}{name}")
    return HeadFactors(splits.task, made)


def row_factors(by_class: Array | HeadFactors, targets: Array) -> Array:
    """What each row counts by its class: (rows,), or of several heads (rows, heads)."""
    if not isinstance(by_class, HeadFactors):
        factors: Array = by_class[labels_of(targets)]
        return factors
    own = targets_by_head(by_class.task, targets)
    columns = [
        np.ones(len(targets), np.float32) if factors is None else factors[own[name]]
        for name, factors in by_class.by_class.items()
    ]
    return np.stack(columns, axis=1)


def weighted(
    features: Features, targets: Array, weights: Array | None, by_class: Array | HeadFactors | None
) -> tuple[Any, ...]:
    """A training step's rows: with weights where there are any, their own or of their classes."""
    if weights is None and by_class is not None:
        weights = row_factors(by_class, targets)
    return (features, targets) if weights is None else (features, targets, weights)


def labels_of(targets: Array) -> Array:
    """Classes as int64: (rows,), or where rows have places, in the shape of these."""
    labels = np.asarray(targets).astype(np.int64)
    return labels.reshape(-1) if labels.size == len(labels) else labels


def _given(wanted: Mapping[str | int, Any], task: Task, classes: int, place: str) -> Array:
    numbers = {name: number for number, name in enumerate(task.names)}
    if not any(map(is_number, numbers)):
        # Where classes are called by numbers of their own, 3 is the one that is called so.
        numbers = {str(number): number for number in range(classes)} | numbers
    weights = np.ones(classes)
    for name, weight in wanted.items():
        if str(name) not in numbers:
            raise ConfigError(
                f"{place}.{name}={weight} names no class: {choices(str(name), numbers)}"
            )
        if weight < 0:
            raise ConfigError(f"{place}.{name}={weight} is not valid: give 0 or more")
        weights[numbers[str(name)]] = weight
    return weights
