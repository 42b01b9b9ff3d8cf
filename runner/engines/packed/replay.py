"""The starts of many members from a few that were built.

To build a Keras model costs more than to train a small one for an epoch, and all that the members
of a pack have of their own is what their seeds draw and a few numbers. So a few members are built,
those that hold the least and the greatest value of each param. What is learned from them: which
draw of which initializer a weight began as, and which number of the recipe is which param. It is
believed only if it foretells every built member to the last bit; otherwise each is built.
"""

from __future__ import annotations

import contextlib
import copy
import random
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.backend.keras_private import variables_made
from runner.backend.names import Unsupported
from runner.components.types import Recipe
from runner.engines.contract import Job
from runner.engines.packed.start import Start

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

DRAWS = 4096
"""How many seeds of a model's initializers are looked through."""
LARGEST_SEED = 10**9
"""Keras gives an initializer without a seed `random.randint(1, 10**9)`."""
Draw = Callable[[int], "Array"]
"""From a run's seed to a weight's first value."""


class Unforeseen(Exception):  # noqa: N818 - caught by who then builds the member
    """A start does not follow from the built ones."""


def built_with_draws(make: Callable[[], Recipe], seed: int) -> tuple[Recipe, dict[int, Draw]]:
    """Build a recipe; and for each variable of its model that is random, by id, its draw.

    Where Keras' variables cannot be watched no draw is known, and every member is built.
    """
    made: list[tuple[Any, Any]] = []
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(Unsupported):
            made = stack.enter_context(variables_made())
        recipe = make()
    seeds = {value: index for index, value in enumerate(_seeds(seed, DRAWS))}
    known = []
    for variable, initializer in made:
        if isinstance(drawn := getattr(initializer, "seed", None), int):
            index = seeds.get(drawn)
            if index is not None:
                draw = _draw(initializer, tuple(variable.shape), variable.dtype, index)
                known.append((variable.numpy(), draw))
    draws: dict[int, Draw] = {}
    for variable in recipe.model.variables:
        value = variable.numpy()
        for other, draw in known:
            # A model that was changed by copying holds the values, not the variables.
            if other.shape == value.shape and np.array_equal(other, value):
                draws[id(variable)] = draw
                break
    return recipe, draws


def _seeds(seed: int, count: int) -> list[int]:
    """The seeds that Keras gives the initializers of a model after `set_random_seed(seed)`."""
    drawn = random.Random(seed)
    return [drawn.randint(1, LARGEST_SEED) for _ in range(count)]


def _draw(initializer: Any, shape: tuple[int, ...], dtype: str, index: int) -> Draw:
    reseeded = copy.copy(initializer)

    def draw(seed: int) -> Array:
        reseeded.seed = _seeds(seed, index + 1)[index]
        value: Array = reseeded(shape, dtype=dtype).numpy()
        return value

    return draw


@dataclass
class Built:
    """A member that was built, and the numbers that its config gives; it holds no data."""

    run_id: str
    seed: int
    params: Mapping[str, float]
    """Dotted name -> value of each numeric param."""
    start: Start

    @classmethod
    def of(cls, job: Job, start: Start) -> Built:
        """A member and what it began as."""
        return cls(job.start.run_id, job.config.settings.seed, params_of(job), start)


def params_of(job: Job) -> dict[str, float]:
    """The job's numeric params: dotted name -> value."""
    return {p["name"]: p["number"] for p in job.start.params if p["number"] is not None}


class Replay:
    """A forecast of starts, learned from built ones."""

    def __init__(
        self, first: Job, start: Start, draws: Mapping[str, Sequence[Draw | None]]
    ) -> None:
        """draws: for the groups `trainable` and `other`, the draw of each variable, if random."""
        self._built = [Built.of(first, start)]
        self._draws = draws
        self._trusted: bool | None = None

    def extremes(self, jobs: Sequence[Job]) -> list[Job]:
        """Those jobs that hold the least or the greatest value of a param, by all and the built.

        A built one among them is left out.
        """
        params = [*(one.params for one in self._built), *map(params_of, jobs)]
        built, chosen = len(self._built), set()
        for name in params[0]:
            values = [one.get(name, params[0][name]) for one in params]
            chosen |= {values.index(pick(values)) for pick in (min, max)}
        return [jobs[index - built] for index in sorted(chosen) if index >= built]

    @property
    def structure(self) -> str:
        """Of those that were built."""
        return self._built[0].start.structure

    @property
    def varying(self) -> list[str]:
        """The paths of the numbers that are not the same in all that were built."""
        first, *others = [one.start.numbers for one in self._built]
        return [path for path in first if any(o[path] != first[path] for o in others)]

    def foretells(self, job: Job, start: Start) -> bool:
        """Whether the start of a job that was built follows from those built before."""
        return self._is_trusted and self._foretells(Built.of(job, start))

    def add(self, job: Job, start: Start) -> None:
        """Take in a member that was built."""
        self._built.append(Built.of(job, start))
        self._trusted = None

    def start(self, job: Job) -> Start:
        """The job's start; Unforeseen where it does not follow from the built ones."""
        for one in self._built:
            if one.run_id == job.start.run_id:
                # The callbacks stay as they were built: others are copied from them.
                return replace(one.start, callbacks=[copy.copy(c) for c in one.start.callbacks])
        if not self._is_trusted:
            raise Unforeseen
        return self._foretell(job.config.settings.seed, params_of(job))

    @property
    def _is_trusted(self) -> bool:
        """Whether all that were built follow from one another."""
        if self._trusted is None:
            self._trusted = all(self._foretells(one) for one in self._built)
        return self._trusted

    def _foretells(self, one: Built) -> bool:
        try:
            foretold = self._foretell(one.seed, one.params)
        except Unforeseen:
            return False
        start = one.start
        return (
            foretold.structure == start.structure
            and foretold.numbers == start.numbers
            and all(
                _equal(getattr(foretold, group), getattr(start, group))
                for group in ("trainable", "other", "slots")
            )
            and [_plain(c) for c in foretold.callbacks] == [_plain(c) for c in start.callbacks]
        )

    def _foretell(self, seed: int, params: Mapping[str, float]) -> Start:
        base = self._built[0].start
        values = {
            group: [
                value if draw is None else draw(seed)
                for value, draw in zip(getattr(base, group), self._draws[group], strict=True)
            ]
            for group in ("trainable", "other")
        }
        starts = [one.start for one in self._built]
        numbers = {
            path: self._follow([start.numbers.get(path) for start in starts], params)
            for path in base.numbers
        }
        slots = [
            np.asarray(self._follow([s.slots[i].item() for s in starts], params), slot.dtype)
            if slot.ndim == 0
            else slot
            for i, slot in enumerate(base.slots)
        ]
        return replace(
            base,
            numbers=numbers,
            trainable=values["trainable"],
            other=values["other"],
            slots=slots,
            callbacks=[self._callback(i, params) for i in range(len(base.callbacks))],
        )

    def _callback(self, index: int, params: Mapping[str, float]) -> Any:
        fresh = copy.copy(self._built[0].start.callbacks[index])
        if any(isinstance(value, types.FunctionType) for value in vars(fresh).values()):
            raise Unforeseen  # what it closes over may be the member's own
        for name, value in _plain(fresh).items():
            built = [_plain(one.start.callbacks[index]).get(name) for one in self._built]
            followed = self._follow(built, params)
            setattr(fresh, name, type(value)(followed) if followed != value else value)
        return fresh

    def _follow(self, values: Sequence[Any], params: Mapping[str, float]) -> Any:
        """A value that is the same in all that were built, or that is one of the params."""
        if all(value == values[0] for value in values):
            return values[0]
        single = np.float32
        same = [
            name
            for name in params
            if all(
                isinstance(v, int | float) and single(one.params.get(name, np.nan)) == single(v)
                for one, v in zip(self._built, values, strict=True)
            )
        ]
        numbers = {params[name] for name in same}
        if len(numbers) != 1:
            raise Unforeseen
        return numbers.pop()


def _equal(left: Sequence[Array], right: Sequence[Array]) -> bool:
    return len(left) == len(right) and all(
        one.shape == other.shape and np.array_equal(one, other)
        for one, other in zip(left, right, strict=True)
    )


def _plain(callback: Any) -> dict[str, Any]:
    """The callback's attributes that are plain values."""
    plain = bool | int | float | str | None
    return {k: v for k, v in vars(callback).items() if isinstance(v, plain)}


def draws_of(recipe: Recipe, draws: Mapping[int, Draw]) -> dict[str, list[Draw | None]]:
    """The draws in the order in which a Start has its values."""
    model = recipe.model
    groups = {"trainable": model.trainable_variables, "other": model.non_trainable_variables}
    return {name: [draws.get(id(v)) for v in group] for name, group in groups.items()}
