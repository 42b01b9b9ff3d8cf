"""The whole state of a run between two epochs: weights, optimizer, callbacks, the best so far.

The order of batches and the random masks are no part of it: they follow from (seed, epoch).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.backend.keras_private import optimized_by
from runner.components.types import Recipe
from runner.errors import ModelError
from runner.journal.records import EpochEnd
from runner.model.files import Tensors, assign_tensors, numpy_of, with_preprocessing
from runner.model.own_steps import class_of, own_optimizers
from runner.system.terminal import say

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Checkpoint:
    """The point where a run goes on: its records so far, and the state after its last epoch."""

    epochs: Sequence[EpochEnd]
    tensors: Tensors
    state: str | None
    """None where it is kept weights alone, by their names in the model that takes raw rows."""


OTHERS = "optimizers"
"""The part that holds the state of optimizers that the model brings itself."""
Best = tuple[float, int | None, Sequence[Any]]
"""The monitor's best value (sign turned so that less is better), its epoch and its weights."""


def snapshot(recipe: Recipe, best: Best) -> tuple[dict[str, Array], str]:
    """The state as tensors, and as JSON what is no tensor."""
    value, epoch, weights = best
    parts = {
        "model": recipe.model.weights,
        "optimizer": recipe.model.optimizer.variables,
    }
    others = own_optimizers(recipe.model)
    parts |= {f"{OTHERS}/{i:04d}": one.variables for i, one in enumerate(others)}
    tensors = {
        f"{part}/{index:04d}": numpy_of(variable)
        for part, variables in parts.items()
        for index, variable in enumerate(variables)
    }
    tensors |= {f"best/{index:04d}": value for index, value in enumerate(weights)}
    state: dict[str, Any] = {
        "best": value,
        "best_epoch": epoch,
        "callbacks": [_plain_state(callback) for callback in recipe.callbacks],
    }
    if others:
        state["optimizers"] = [_optimized(one, recipe.model) for one in others]
    return tensors, json.dumps(state)


def restore(recipe: Recipe, checkpoint: Checkpoint) -> tuple[float, int | None, list[Array]]:
    """Set the recipe to the checkpoint's state and return the best so far.

    Raises ModelError where the model or its optimizer has other variables than when it was saved.
    """
    assert checkpoint.state is not None
    _assign(recipe.model.weights, _part(checkpoint.tensors, "model"))
    _assign(recipe.model.optimizer.variables, _part(checkpoint.tensors, "optimizer"))
    state = json.loads(checkpoint.state)
    _restore_others(recipe.model, checkpoint.tensors, state.get("optimizers"))
    for callback, saved in zip(recipe.callbacks, state["callbacks"], strict=True):
        # Keras turns the sign of min_delta when a callback first compares; a new one does so anew.
        vars(callback).update({k: v for k, v in saved.items() if k != "min_delta"})
    return state["best"], state["best_epoch"], _part(checkpoint.tensors, "best")


def begin_with_weights(
    recipe: Recipe, checkpoint: Checkpoint, preprocessing: Any, steps: int
) -> None:
    """Set the model's weights, and the optimizer's count of steps, by which schedules go.

    steps: batches an epoch. All else begins anew: the optimizer's moments, callbacks' counts.

    Raises ModelError where the model has other weights than when they were saved.
    """
    assign_tensors(with_preprocessing(recipe.model, preprocessing), checkpoint.tensors)
    recipe.model.optimizer.iterations.assign(steps * len(checkpoint.epochs))


def _optimized(optimizer: Any, model: Any) -> list[int]:
    """The places, among the model's weights, of those that an optimizer has state for."""
    places = {id(weight): place for place, weight in enumerate(model.weights)}
    return [places[id(variable)] for variable in optimized_by(optimizer) if id(variable) in places]


def _restore_others(
    model: Any, tensors: Mapping[str, Array], optimized: Sequence[Sequence[int]] | None
) -> None:
    """Give the model's own optimizers their state, which they get when they are first used."""
    others = own_optimizers(model)
    if optimized is None:
        if others:
            say(
                f"the checkpoint says nothing of the optimizers of {class_of(model)} itself, "
                "which begin anew: the run may differ from one that was never interrupted"
            )
        return
    if len(others) != len(optimized):
        raise ModelError(
            f"the checkpoint has {len(optimized)} optimizers of the model's own and the run "
            f"{len(others)}: a component has changed since"
        )
    for index, (optimizer, places) in enumerate(zip(others, optimized, strict=True)):
        if places and not optimizer.built:
            optimizer.build([model.weights[place] for place in places])
        _assign(optimizer.variables, _part(tensors, f"{OTHERS}/{index:04d}"))


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
