"""No configuration twice: which were tried, and how one is found that was not."""

from __future__ import annotations

import math
from collections.abc import Collection, Hashable, Iterator
from typing import Any

import numpy as np

from runner import Dimension, Params, Space

DRAWS = 64
"""How many random configurations are tried before all of a space that is nearly used up are."""


def key(params: Params) -> Hashable:
    """A configuration as a member of a set."""
    return tuple((name, _hashable(params[name])) for name in sorted(params))


def _hashable(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    # True equals 1, and is another choice.
    return ("flag", value) if isinstance(value, bool) else value


def untried(
    space: Space, tried: Collection[Hashable], rng: np.random.Generator
) -> dict[str, Any] | None:
    """A random configuration that was not tried; None where there is none left."""
    for _ in range(DRAWS):
        params = space.params(rng.random(len(space)).tolist())
        if key(params) not in tried:
            return params
    if not math.isfinite(space.size):
        return None
    # Few are left, or they are in a corner that is rarely drawn.
    left = [params for params in configurations(space) if key(params) not in tried]
    return left[int(rng.integers(len(left)))] if left else None


def configurations(space: Space) -> Iterator[dict[str, Any]]:
    """All configurations of a finite space, each once."""

    def extend(params: dict[str, Any], rest: list[Dimension]) -> Iterator[dict[str, Any]]:
        if not rest:
            yield params
            return
        dimension = rest[0]
        if not counts(dimension, params):
            yield from extend(params, rest[1:])
            return
        for value in values_of(dimension):
            yield from extend({**params, dimension.name: value}, rest[1:])

    yield from extend({}, list(space))


def counts(dimension: Dimension, params: Params) -> bool:
    """Whether a dimension counts, given those before it that do."""
    return all(
        name in params and params[name] in values for name, values in dimension.only_if.items()
    )


def values_of(dimension: Dimension) -> Iterator[Any]:
    """The values of a dimension that has finitely many."""
    if dimension.kind == "choice":
        yield from dimension.choices
    elif dimension.kind == "float":
        yield dimension.low
    else:
        yield from range(int(dimension.low), int(dimension.high) + 1)
