"""Configurations drawn blindly."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from runner import History, Params, Space, sampler

from ._tried import key_of, left, tried

DRAWS = 64
"""So many blind draws find a configuration that is new, or what is left is listed."""


@sampler
def random(
    space: Space, history: History, pending: Sequence[Params], n: int, seed: int, objectives: int
) -> Sequence[Params]:
    """Values drawn blindly, each by itself (Bergstra and Bengio 2012).

    Journal of Machine Learning Research 13, pages 281 to 305.
    """
    known = tried(history, pending)
    first = len(history.trials) + len(pending)
    drawn = []
    for place in range(first, first + n):
        generator = np.random.default_rng([seed, place])
        params = _new(space, known, generator)
        if params is None:
            break
        known.add(key_of(params))
        drawn.append(params)
    return drawn


def _new(
    space: Space, known: set[Hashable], generator: np.random.Generator
) -> dict[str, Any] | None:
    """A configuration that is not known; None where there is none."""
    is_finite = space.size < math.inf
    for _ in range(DRAWS if is_finite else 1):
        params = space.params(generator.random(len(space)).tolist())
        if not is_finite or key_of(params) not in known:
            return params
    others = list(left(space, known))
    return others[generator.integers(len(others))] if others else None
