"""What samplers and pruners take and give: spaces, trials, suggestions, the curves of runs.

In all of it less is better: of a metric of which more is better, the runner hands over the
negative. A run that failed, diverged or broke a constraint has the value infinity.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Params = Mapping[str, Any]
"""Dimension's name -> value, of the dimensions that count."""


@dataclass(frozen=True)
class Search:
    """The values worth trying of a component's param: `Annotated[float, Search(1e-4, 1e-1)]`.

    Either two bounds, or the values themselves: `Search(values=["relu", "gelu"])`.
    """

    low: float | None = None
    high: float | None = None
    log: bool = False
    """Whether orders of magnitude are alike, rather than differences."""
    values: Sequence[Any] = ()


@dataclass(frozen=True)
class Dimension:
    """One param that a search varies.

    Of kind "float" or "int" it lies between `low` and `high`, both included; of kind "choice" it
    is one of `choices`.
    """

    name: str
    """As an override has it: `optimizer.learning_rate`."""
    kind: Literal["float", "int", "choice"]
    low: float = math.nan
    high: float = math.nan
    log: bool = False
    choices: tuple[Any, ...] = ()
    """Text, numbers, flags, None, or tuples of them."""
    ordered: bool = False
    """Whether the choices are numbers in ascending order."""
    only_if: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    """Other dimensions -> their values under which this one counts; always, where it is empty."""
    structural: bool = False
    """Whether runs that differ in it cannot train as one program."""

    def value(self, place: float) -> Any:
        """The value at a place of the dimension, from 0 to 1 (which counts as the last)."""
        if self.kind == "choice":
            return self.choices[min(int(place * len(self.choices)), len(self.choices) - 1)]
        low, high = self._ends
        if self.log:
            value = math.exp(math.log(low) + place * (math.log(high) - math.log(low)))
        else:
            value = low + place * (high - low)
        value = min(max(value, self.low), self.high)
        return round(value) if self.kind == "int" else value

    def place(self, value: Any) -> float:
        """The place of a value, from 0 to 1: of a choice, the middle of its part."""
        if self.kind == "choice":
            return (self.choices.index(value) + 0.5) / len(self.choices)
        if self.low == self.high:
            return 0.5
        low, high = self._ends
        if self.log:
            return (math.log(value) - math.log(low)) / math.log(high / low)
        return (float(value) - low) / (high - low)

    @property
    def _ends(self) -> tuple[float, float]:
        """Where the places begin and end: a whole number has all that is rounded to it."""
        if self.kind == "float":
            return self.low, self.high
        low = max(self.low - 0.5, self.low / 2) if self.log else self.low - 0.5
        return low, self.high + 0.5

    def contains(self, value: Any) -> bool:
        """Whether the value is one of its values."""
        if self.kind == "choice":
            return value in self.choices
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return self.low <= value <= self.high and (self.kind == "float" or value == int(value))

    def values(self) -> Iterator[Any]:
        """Its values in order, where they are finitely many."""
        if self.kind == "choice":
            yield from self.choices
        elif self.kind == "int":
            yield from range(int(self.low), int(self.high) + 1)
        else:
            assert self.low == self.high
            yield self.low

    @property
    def size(self) -> float:
        """How many values it has."""
        if self.kind == "choice":
            return len(self.choices)
        if self.low == self.high:
            return 1
        return self.high - self.low + 1 if self.kind == "int" else math.inf


@dataclass(frozen=True)
class Space:
    """What a search varies; a dimension comes after those that it depends on."""

    dimensions: tuple[Dimension, ...]

    def __iter__(self) -> Iterator[Dimension]:
        return iter(self.dimensions)

    def __len__(self) -> int:
        return len(self.dimensions)

    def __getitem__(self, name: str) -> Dimension:
        return next(dimension for dimension in self.dimensions if dimension.name == name)

    def active(self, params: Params) -> list[Dimension]:
        """The dimensions that count, given the values of those that they depend on."""
        active: dict[str, Dimension] = {}
        for dimension in self.dimensions:
            if all(
                other in active and params.get(other) in values
                for other, values in dimension.only_if.items()
            ):
                active[dimension.name] = dimension
        return list(active.values())

    def counted(self, params: Params) -> dict[str, Any]:
        """The params without those that do not count."""
        return {one.name: params[one.name] for one in self.active(params)}

    def params(self, places: Sequence[float]) -> dict[str, Any]:
        """The configuration at a place of the unit cube, one number from 0 to 1 a dimension."""
        return self.counted(
            {one.name: one.value(place) for one, place in zip(self, places, strict=True)}
        )

    def configurations(self) -> Iterator[dict[str, Any]]:
        """Every configuration of a finite space in order, the last dimension the fastest."""
        return self._configurations({}, 0)

    def _configurations(self, params: dict[str, Any], index: int) -> Iterator[dict[str, Any]]:
        """Those that begin with these params of the dimensions before `index`."""
        if index == len(self.dimensions):
            yield params
            return
        dimension = self.dimensions[index]
        # Those before it alone decide whether it counts.
        if Space(self.dimensions[: index + 1]).active(params)[-1:] != [dimension]:
            yield from self._configurations(params, index + 1)
            return
        for value in dimension.values():
            yield from self._configurations(params | {dimension.name: value}, index + 1)

    @property
    def size(self) -> float:
        """How many configurations there are, without listing them; infinity for a float."""
        return sum(self._sizes({}, 0)) if self._is_finite else math.inf

    @property
    def _is_finite(self) -> bool:
        return all(math.isfinite(dimension.size) for dimension in self)

    def _sizes(self, params: dict[str, Any], index: int) -> Iterator[float]:
        """The sizes of the parts of the space in which the same dimensions count."""
        deciding = {name for one in self for name in one.only_if}
        if index == len(self.dimensions):
            free = [one.size for one in self.active(params) if one.name not in deciding]
            yield math.prod(free)
            return
        dimension = self.dimensions[index]
        counts = dimension in self.active(params)
        if dimension.name in deciding and counts:
            for choice in dimension.choices:
                yield from self._sizes(params | {dimension.name: choice}, index + 1)
        else:
            yield from self._sizes(params, index + 1)


@dataclass(frozen=True)
class Trial:
    """A configuration that was tried, and what came of it."""

    params: Params
    values: tuple[float, ...]
    """One for each objective, less is better; infinity where nothing usable came of it."""
    violations: tuple[float, ...] = ()
    """One for each constraint: how far it is broken; 0 or less where it is met."""
    sampler: str = ""
    """Who suggested it."""
    stopped: bool = False
    """Whether a pruner ended it: its value is that of its best epoch so far."""

    @property
    def feasible(self) -> bool:
        """Whether it meets all constraints."""
        return all(violation <= 0 for violation in self.violations)


@dataclass(frozen=True)
class PastTask:
    """Trials of another task: other data, another split, or another fixed config."""

    name: str
    trials: tuple[Trial, ...]
    """A param that those runs did not have is missing; the only value is the first objective's."""


@dataclass(frozen=True)
class History:
    """All that a sampler may learn from."""

    trials: tuple[Trial, ...] = ()
    """Of this search, in the order in which they were suggested."""
    past: tuple[PastTask, ...] = ()
    """Of other tasks, in an order of their own that does not change."""


@dataclass(frozen=True)
class Suggestion:
    """A configuration to try next, and why."""

    params: Params
    slot: str = ""
    """Which part of the sampler suggested it."""
    mean: float | None = None
    """What the sampler expects of it, and how surely: a Gaussian quantile among the trials of the
    task, so that 0 is the middle and less is better."""
    deviation: float | None = None
    prior: float | None = None
    """The share, from 0 to 1, that other tasks had in choosing it."""
    evidence: float | None = None
    """How much better the trials so far are foretold with other tasks than without: the
    difference of the logarithms of the evidence."""


@dataclass(frozen=True)
class Curve:
    """A run's values of the monitored metric, one for each epoch that is over; less is better."""

    values: tuple[float, ...]
    status: str = "running"
    """As `runs.status` has it, and `pruned` where a pruner ended it."""
    number: int = 0
    """Which run of the sweep it is, counted from 0."""
    task: str = ""
    """Of a past one, what it was trained on: equal for curves that may be ranked together."""

    @functools.cached_property
    def bests(self) -> tuple[float, ...]:
        """The best value up to each epoch; infinity as long as none was a number."""
        numbers = (math.inf if math.isnan(value) else value for value in self.values)
        return tuple(itertools.accumulate(numbers, min))

    def best(self, epoch: int) -> float:
        """The best value up to an epoch, counted from 1; infinity where there is none."""
        known = min(epoch, len(self.values))
        return self.bests[known - 1] if known else math.inf

    def counts(self, epoch: int) -> bool:
        """Whether it can be compared at an epoch: it got so far, or was given up before."""
        return len(self.values) >= epoch or self.status in ("pruned", "failed")


def search_of(annotation: Any) -> Search | None:
    """What a param's annotation says of the values worth trying, if it says anything."""
    marks = getattr(annotation, "__metadata__", ())
    return next((mark for mark in marks if isinstance(mark, Search)), None)


def is_sound(search: Search) -> bool:
    """Whether it names values: either two bounds in order, above 0 with `log`, or a list."""
    if search.values:
        return search == dataclasses.replace(Search(), values=search.values)
    if search.low is None or search.high is None or not search.low <= search.high:
        return False
    return not search.log or search.low > 0
