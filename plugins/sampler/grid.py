"""Every combination of values, in order."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from runner import History, Params, RunnerError, Space, sampler

from ._tried import left, tried


@sampler
def grid(
    space: Space, history: History, pending: Sequence[Params], n: int, objectives: int
) -> Sequence[Params]:
    """Every combination of the values, in order, the last key the fastest.

    Raises RunnerError for a space with an interval of floats.
    """
    endless = [one.name for one in space if one.size == math.inf]
    if endless:
        raise RunnerError(
            f"search.sampler=grid tries every value, and {endless[0]} has endlessly many: give "
            f"those to try, {endless[0]}=0.1,0.2, or search.sampler=quasi"
        )
    return list(itertools.islice(left(space, tried(history, pending)), n))
