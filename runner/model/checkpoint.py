"""The whole state of a run between two epochs: weights, optimizer, callbacks, the best so far.

The order of batches and the random masks are no part of it: they follow from (seed, epoch).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Recipe
from runner.errors import ModelError
from runner.journal.records import EpochEnd
from runner.model.files import Tensors, numpy_of

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The point where a run goes on: its records so far, and the state after its last epoch."""

    epochs: Sequence[EpochEnd]
    tensors: Tensors
    state: str


Best = tuple[float, int | None, Sequence[Any]]
"""The monitor's best value (sign turned so that less is better), its epoch and its weights."""


def snapshot(recipe: Recipe, best: Best) -> tuple[dict[str, Array], str]:
    """The state as tensors, and as JSON what is no tensor."""
    value, epoch, weights = best
    parts = {
        "model": recipe.model.weights,
        "optimizer": recipe.model.optimizer.variables,
    }
    tensors = {
        f"{part}/{index:04d}": numpy_of(variable)
        for part, variables in parts.items()
        for index, variable in enumerate(variables)
    }
    tensors |= {f"best/{index:04d}": value for index, value in enumerate(weights)}
    state = {
        "best": value,
        "best_epoch": epoch,
        "callbacks": [_plain_state(callback) for callback in recipe.callbacks],
    }
    return tensors, json.dumps(state)


def restore(recipe: Recipe, checkpoint: Checkpoint) -> tuple[float, int | None, list[Array]]:
    """Set the recipe to the checkpoint's state and return the best so far.

    Raises ModelError where the model or its optimizer has other variables than when it was saved.
    """
    _assign(recipe.model.weights, _part(checkpoint.tensors, "model"))
    _assign(recipe.model.optimizer.variables, _part(checkpoint.tensors, "optimizer"))
    state = json.loads(checkpoint.state)
    for callback, saved in zip(recipe.callbacks, state["callbacks"], strict=True):
        # Keras turns the sign of min_delta when a callback first compares; a new one does so anew.
        vars(callback).update({k: v for k, v in saved.items() if k != "min_delta"})
    return state["best"], state["best_epoch"], _part(checkpoint.tensors, "best")


def _part(tensors: Mapping[str, Array], part: str) -> list[Array]:
    return [tensors[name] for name in sorted(tensors) if name.startswith(f"{part}/")]


def _assign(variables: Sequence[Any], values: Sequence[Array]) -> None:
    shapes = [tuple(v.shape) for v in variables], [value.shape for value in values]
    if shapes[0] != shapes[1]:
        raise ModelError(
            f"the checkpoint has {len(values)} variables and the run {len(variables)}, or their "
            "shapes differ: a component has changed since"
        )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _plain_state(callback: Any) -> dict[str, Any]:
    """The callback's counters and flags: whatever of its attributes JSON can say."""
    state = {}
    for name, value in vars(callback).items():
        plain = value.item() if isinstance(value, np.generic) else value
        if plain is None or isinstance(plain, bool | int | float | str):
            state[name] = plain
    return state
