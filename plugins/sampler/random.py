"""Configurations drawn blindly."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner import History, Params, Space, sampler

from ._tried import key_of, tried, untried


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
        params = untried(space, known, generator)
        if params is None:
            break
        known.add(key_of(params))
        drawn.append(params)
    return drawn
