"""Configurations that lie evenly in the space."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

from runner import History, Params, Space, sampler

from ._tried import key_of, left, tried

WALKED = 4096
"""Of a finite space so many points are walked through; what they leave out comes in order."""


@sampler
def quasi(
    space: Space, history: History, pending: Sequence[Params], n: int, seed: int, objectives: int
) -> Sequence[Params]:
    """The points of a scrambled Sobol sequence, which leave no gaps (Owen 1998).

    doi:10.1006/jcom.1998.0487.
    """
    if space.size == math.inf:
        first = len(history.trials) + len(pending)
        return [space.params(point) for point in _points(len(space), seed, first + n)[first:]]
    return list(itertools.islice(_new(space, tried(history, pending), seed), n))


def _new(space: Space, known: set[Any], seed: int) -> Iterator[dict[str, Any]]:
    """The sequence's configurations that are not known, each once, then what it leaves out."""
    seen = set(known)
    for point in _points(len(space), seed, WALKED):
        params = space.params(point)
        if key_of(params) not in seen:
            seen.add(key_of(params))
            yield params
    yield from left(space, seen)


def _points(dimensions: int, seed: int, count: int) -> Sequence[Sequence[float]]:
    """The first points of the sequence; longer ones begin with the same."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(dimensions, scramble=True, rng=seed)
    points = sequence.random_base2(max(0, math.ceil(math.log2(max(count, 1)))))
    return [point.tolist() for point in points[:count]]
