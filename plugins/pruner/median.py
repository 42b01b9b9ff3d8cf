"""Stop what is worse than half of the other runs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from typing import Annotated

from annotated_types import Ge, Gt

from runner import Curve, pruner


@pruner
def median(
    curve: Curve,
    epoch: int,
    epochs: int,
    others: Sequence[Curve],
    show: Callable[[float], str],
    *,
    warmup: Annotated[int, Ge(0)] | None = None,
    every: Annotated[int, Gt(0)] | None = None,
    least: Annotated[int, Gt(0)] = 5,
) -> bool | str:
    """Worse than the median of at least so many others, by the best value so far.

    Looked at every so many epochs after the warm-up; null: a tenth of all epochs, for both, and
    at least 2 of warm-up. Others that were stopped before count with their best value (Golovin et
    al., Google Vizier, 2017, doi:10.1145/3097983.3098043).
    """
    tenth = max(1, epochs // 10)
    begins, step = max(2, tenth) if warmup is None else warmup, every or tenth
    if epoch < max(begins, 1) or (epoch - begins) % step:
        return False
    bests = [other.best(epoch) for other in others if other.counts(epoch)]
    if len(bests) < least:
        return False
    middle, best = statistics.median(bests), curve.best(epoch)
    if best <= middle:
        return False
    return f"{show(best)} is worse than the median {show(middle)} of {len(bests)} runs"
