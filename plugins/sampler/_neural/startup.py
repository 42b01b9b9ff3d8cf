"""First trials where nothing is known: spread over the space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from runner.components.search_types import History, Params, Suggestion

from .encode import distinct
from .prior import Prior

POINTS = 7
"""The logarithm, to the base of 2, of how many points there are to take from."""


def spread(
    prior: Prior, history: History, pending: Sequence[Params], n: int, seed: int
) -> list[Suggestion]:
    """Up to n configurations of a scrambled Sobol sequence, none that was tried or is pending.

    Sobol 1967, doi:10.1016/0041-5553(67)90144-9.
    """
    from scipy.stats.qmc import Sobol

    encoding = prior.encoding
    points = Sobol(len(encoding.dimensions), rng=seed).random_base2(POINTS)
    codes = encoding.draw(points)
    besides = encoding.codes([*(trial.params for trial in history.trials), *pending])
    rows = distinct(codes, besides)
    left = codes[rows][:n]
    if not len(left):
        left = prior.pool(seed).codes
        left = left[distinct(left, besides)][:n]
    return [Suggestion(encoding.params(row), "spread") for row in np.asarray(left)]
