"""The start of a member: its structure, its numbers, its initial values and its callbacks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.backend.seeds import is_generator
from runner.components.types import Recipe
from runner.engines.arrays import Callback, Variable
from runner.engines.structure.symbols import Shape, shape_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Start:
    """Everything that is one member's own when it begins to train."""

    structure: str
    numbers: Mapping[str, float]
    trainable: Sequence[Array]
    other: Sequence[Array]
    """The model's variables that no optimizer touches."""
    slots: Sequence[Array]
    """The optimizer's variables."""
    callbacks: Sequence[Callback]


def start_of(recipe: Recipe, shape: Shape | None = None) -> Start:
    """Take it from a recipe that was just built."""
    shape = shape or shape_of(recipe)
    model = recipe.model
    groups = (model.trainable_variables, model.non_trainable_variables, model.optimizer.variables)
    trainable, other, slots = ([_first_value(v) for v in group] for group in groups)
    return Start(shape.structure, shape.numbers, trainable, other, slots, recipe.callbacks)


def _first_value(variable: Variable) -> Array:
    """The variable's value; zeros for a seed generator, which is set anew for every epoch."""
    value: Array = variable.numpy()
    return value * 0 if is_generator(variable) else value
