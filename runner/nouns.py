"""What components take and give: the nouns of the plugin door."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable

    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

TaskKind = Literal["classification", "binary", "multilabel", "regression"]


@dataclass(frozen=True)
class Task:
    """What is to be learned; loss, head and metrics follow from it."""

    kind: TaskKind
    outputs: int
    """Units of the head: classes, labels or values; 1 for a binary task."""
    names: tuple[str, ...] = ()
    """What the classes, labels or values are called, where the dataset says."""

    @classmethod
    def classification(cls, classes: int, names: tuple[str, ...] = ()) -> Task:
        """One of `classes` classes; targets are integers 0 .. classes-1, shape (rows,)."""
        return cls("classification", classes, names)

    @classmethod
    def binary(cls, names: tuple[str, ...] = ()) -> Task:
        """Yes or no; targets are 0 or 1, shape (rows,)."""
        return cls("binary", 1, names)

    @classmethod
    def multilabel(cls, labels: int, names: tuple[str, ...] = ()) -> Task:
        """Any subset of `labels` labels; targets are 0 or 1, shape (rows, labels)."""
        return cls("multilabel", labels, names)

    @classmethod
    def regression(cls, values: int = 1, names: tuple[str, ...] = ()) -> Task:
        """`values` real numbers; targets of shape (rows,) or (rows, values)."""
        return cls("regression", values, names)


@dataclass(frozen=True)
class Split:
    """The `split` part of the config: shares of the rows, and the seed that draws them."""

    val: float
    test: float
    seed: int


@dataclass(frozen=True)
class Data:
    """A dataset not yet split: features (rows, ...), targets (rows,) or (rows, values)."""

    features: Array
    targets: Array
    task: Task


@dataclass(frozen=True)
class Splits:
    """A dataset in its parts, each a pair (features, targets); val and test may be None."""

    train: tuple[Array, Array]
    val: tuple[Array, Array] | None
    test: tuple[Array, Array] | None
    task: Task


@dataclass
class Recipe:
    """What is about to be compiled, as regularizers receive and return it."""

    model: keras.Model
    loss: keras.losses.Loss | Callable[[Any, Any], Any]
    optimizer: keras.optimizers.Optimizer
    metrics: list[Any] = field(default_factory=list)
    callbacks: list[keras.callbacks.Callback] = field(default_factory=list)
