"""Configurations that a search has already, so that none is suggested twice."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from typing import Any

import numpy as np

from runner import History, Params, Space

DRAWS = 64
"""So many blind draws find a configuration that is new, or what is left is listed."""


def key_of(params: Params) -> Hashable:
    """Equal for equal configurations, in whichever order and sequence type they have come."""
    return frozenset((name, _hashable(value)) for name, value in params.items())


def tried(history: History, pending: Sequence[Params]) -> set[Hashable]:
    """The keys of what is tried, or about to be."""
    return {key_of(one) for one in (*(trial.params for trial in history.trials), *pending)}


def left(space: Space, known: set[Hashable]) -> Iterator[dict[str, Any]]:
    """The configurations of a finite space that are not known, in order."""
    return (one for one in space.configurations() if key_of(one) not in known)


def untried(
    space: Space, known: set[Hashable], generator: np.random.Generator
) -> dict[str, Any] | None:
    """A random configuration that is not known; None where there is none."""
    is_finite = space.size < math.inf
    for _ in range(DRAWS if is_finite else 1):
        params = space.params(generator.random(len(space)).tolist())
        if not is_finite or key_of(params) not in known:
            return params
    others = list(left(space, known))
    return others[generator.integers(len(others))] if others else None


def _hashable(value: Any) -> Hashable:
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value if isinstance(value, Hashable) else repr(value)
