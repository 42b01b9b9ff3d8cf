"""Configurations as numbers, and outcomes as Gaussian quantiles.

A configuration is first a row of *codes*, one a dimension: of a choice its index, of an int its
value, of a float its place from 0 to 1, and ABSENT where the dimension does not count. The network
and the process see *columns*: numbers and ordered choices on [-1, 1] (logarithms where the
dimension is of orders of magnitude), a choice as one column a value, 1 or -1, and for a dimension
that may be absent one more, 1 where it is; its other columns then have its default, the middle.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner import Dimension, Params, Space, Trial

Array = NDArray[np.float64]
ABSENT = -1e6
BEYOND = 1.5
"""How far from the middle a number of another task counts, where 1 is the end of the space."""


class Encoding:
    """A space's configurations as codes and columns, and back."""

    def __init__(self, space: Space, past: Iterable[Params] = ()) -> None:
        self.space = space
        self.dimensions = tuple(space)
        self._index = {one.name: column for column, one in enumerate(self.dimensions)}
        lacking = [set(self._index) - set(params) for params in past]
        missing = set().union(*lacking) if lacking else set()
        self.may_be_absent = [bool(one.only_if) or one.name in missing for one in space]
        self.groups = np.array(
            [
                index
                for index, one in enumerate(self.dimensions)
                for _ in range(_width(one) + self.may_be_absent[index])
            ],
            dtype=int,
        )
        """Which dimension each column belongs to: (columns,)."""
        self.structural = np.array([one.structural for one in space], dtype=bool)

    def codes(self, configurations: Sequence[Params]) -> Array:
        """The codes of configurations: (configurations, dimensions).

        Of a dimension that a configuration lacks, or of a choice that the space lacks: ABSENT.
        """
        rows = np.full((len(configurations), len(self.dimensions)), ABSENT)
        for column, one in enumerate(self.dimensions):
            rows[:, column] = [
                _code(one, params[one.name]) if one.name in params else ABSENT
                for params in configurations
            ]
        return rows

    def params(self, codes: Array) -> dict[str, Any]:
        """The configuration of one row of codes."""
        return {
            one.name: _value(one, code)
            for one, code in zip(self.dimensions, codes.tolist(), strict=True)
            if code != ABSENT
        }

    def columns(self, codes: Array) -> Array:
        """What the network and the process see of codes: (rows, columns)."""
        parts = []
        for index, one in enumerate(self.dimensions):
            code = codes[:, index]
            absent = code == ABSENT
            if _width(one) == 1:
                place = np.clip(2 * self._places(one, code) - 1, -BEYOND, BEYOND)
                parts.append(np.where(absent, 0.0, place)[:, None])
            else:
                hot = np.where(code[:, None] == np.arange(len(one.choices)), 1.0, -1.0)
                parts.append(np.where(absent[:, None], 0.0, hot))
            if self.may_be_absent[index]:
                parts.append(np.where(absent, 1.0, -1.0)[:, None])
        return np.hstack(parts)

    def draw(self, places: Array) -> Array:
        """The codes at places of the unit cube: (rows, dimensions) both."""
        codes = np.empty_like(places)
        for index, one in enumerate(self.dimensions):
            codes[:, index] = _codes_at(one, places[:, index])
        return self.counted(codes)

    def counted(self, codes: Array) -> Array:
        """The codes with ABSENT where a dimension does not count, and its middle where it does."""
        codes = codes.copy()
        for index, one in enumerate(self.dimensions):
            counts = np.ones(len(codes), dtype=bool)
            for other, values in one.only_if.items():
                deciding = self.space[other]
                allowed = [_code(deciding, value) for value in values]
                counts &= np.isin(codes[:, self._index[other]], allowed)
            middle = _codes_at(one, np.array([0.5]))[0]
            codes[counts & (codes[:, index] == ABSENT), index] = middle
            codes[~counts, index] = ABSENT
        return codes

    def _places(self, one: Dimension, codes: Array) -> Array:
        """Places from 0 to 1 of the codes of numbers and ordered choices."""
        if one.kind == "float":
            return codes
        if one.kind == "choice":
            return codes / max(len(one.choices) - 1, 1)
        if one.low == one.high:
            return np.full(len(codes), 0.5)
        if one.log:
            return np.log(np.maximum(codes, 0.5) / one.low) / math.log(one.high / one.low)
        return (codes - one.low) / (one.high - one.low)


def distinct(codes: Array, besides: Array) -> NDArray[np.intp]:
    """The first row of each configuration that is not among others, in order."""
    keys, others = _keys(codes), _keys(besides)
    _, first = np.unique(keys, return_index=True)
    first.sort()
    fresh: NDArray[np.intp] = first[~np.isin(keys[first], others)]
    return fresh


def quantiles(values: Iterable[float]) -> Array:
    """Outcomes of one task as Gaussian quantiles, the inverse normal of (rank - 1/2) / n.

    Equal ones share their mean rank, and infinity is the last; 0 is the middle. Losses of one
    task span orders of magnitude that those of another do not (Salinas et al. 2020,
    arXiv:1909.13595).
    """
    from scipy.special import ndtri

    losses = np.array(list(values), dtype=float)
    losses[np.isnan(losses)] = np.inf
    if not len(losses):
        return losses
    _, place, counts = np.unique(losses, return_inverse=True, return_counts=True)
    ranks = np.cumsum(counts) - (counts - 1) / 2
    result: Array = ndtri((ranks[place] - 0.5) / len(losses))
    return result


def loss(trial: Trial) -> float:
    """A trial's one objective; infinity where it breaks a constraint."""
    return trial.values[0] if trial.values and trial.feasible else math.inf


def _width(one: Dimension) -> int:
    return len(one.choices) if one.kind == "choice" and not one.ordered else 1


def _number_code(one: Dimension, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return ABSENT
    if one.kind == "int":
        return float(value)
    if one.log and value <= 0:
        return -1.0
    return one.place(value)


def _code(one: Dimension, value: Any) -> float:
    if one.kind == "choice":
        alike = (index for index, known in enumerate(one.choices) if _are_alike(known, value))
        return float(next(alike, ABSENT))
    return _number_code(one, value)


def _are_alike(one: Any, other: Any) -> bool:
    # True is 1 to Python, and not the same choice; a tuple comes back from a file as a list.
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(_are_alike, one, other))
    return bool(one == other) and isinstance(one, bool) == isinstance(other, bool)


def _value(one: Dimension, code: float) -> Any:
    if one.kind == "choice":
        return one.choices[int(code)]
    return int(code) if one.kind == "int" else one.value(code)


def _codes_at(one: Dimension, places: Array) -> Array:
    """The codes at places from 0 to 1, all values of an int equally likely at their scale."""
    if one.kind == "float":
        return places
    if one.kind == "choice":
        return np.minimum(np.floor(places * len(one.choices)), len(one.choices) - 1)
    low, high = one.low - 0.5, one.high + 0.5
    if one.log:
        low = max(low, one.low / 2)
        values = np.exp(math.log(low) + places * (math.log(high) - math.log(low)))
    else:
        values = low + places * (high - low)
    return np.clip(np.round(values), one.low, one.high)


def _keys(codes: Array) -> NDArray[np.uint64]:
    """A number of 64 bits a row, equal for equal rows."""
    bits = (np.round(codes, 9) + 0.0).view(np.uint64)  # adding 0 makes 0.0 of -0.0
    keys = np.zeros(len(codes), np.uint64)
    for column in bits.T:
        # One round of splitmix64 (doi:10.1145/2714064.2660195) for each dimension.
        keys = (keys ^ column) + np.uint64(0x9E3779B97F4A7C15)
        keys = (keys ^ (keys >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        keys = (keys ^ (keys >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        keys ^= keys >> np.uint64(31)
    return keys
