"""Successive halving: at each rung, a run goes on only if it is among the best that came there."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated

from annotated_types import Ge, Gt

from runner import Curve, pruner


@pruner
def halving(
    curve: Curve,
    epoch: int,
    epochs: int,
    others: Sequence[Curve],
    show: Callable[[float], str],
    *,
    eta: Annotated[float, Ge(1.1)] = 3.0,
    first: Annotated[int, Gt(0)] | None = None,
) -> bool | str:
    """At rungs `first`, `first` eta, `first` eta^2, ...: only the best 1/eta go on.

    first: null is a tenth of all epochs, and at least 2. Runs that train side by side are compared
    when all have come to the rung; others with those that were there before (the stopping variant
    of ASHA, Li et al. 2018, arXiv:1810.05934), so that nothing is paused or trained anew.
    """
    if epoch not in set(_rungs(first or _first(epochs), eta, epochs)):
        return False
    return _beaten(curve, epoch, others, eta, show)


@pruner
def hyperband(
    curve: Curve,
    epoch: int,
    epochs: int,
    others: Sequence[Curve],
    number: int,
    show: Callable[[float], str],
    *,
    eta: Annotated[float, Ge(1.1)] = 3.0,
    first: Annotated[int, Gt(0)] | None = None,
    brackets: Annotated[int, Ge(1)] = 2,
) -> bool | str:
    """Successive halving in brackets, each with a later first rung than the one before.

    Runs are dealt to brackets by their number, fewer to those that stop later, and compared within
    theirs (Li et al. 2017, arXiv:1603.06560).
    """
    bracket = _bracket(number, brackets, eta)
    begins = math.ceil((first or _first(epochs)) * eta**bracket)
    if epoch not in set(_rungs(begins, eta, epochs)):
        return False
    rivals = [other for other in others if _bracket(other.number, brackets, eta) == bracket]
    return _beaten(curve, epoch, rivals, eta, show)


def _first(epochs: int) -> int:
    """The first rung, where none is given: before it, ranks say little of the end."""
    return max(2, -(-epochs // 10))


def _rungs(first: int, eta: float, epochs: int) -> Iterator[int]:
    """The epochs at which runs are compared, before the last one."""
    for power in itertools.count():
        rung = round(first * eta**power)
        if rung >= epochs:
            return
        yield rung


def _beaten(
    curve: Curve, epoch: int, others: Sequence[Curve], eta: float, show: Callable[[float], str]
) -> bool | str:
    """Why the run is not among the best 1/eta of those that came to this epoch."""
    best = curve.best(epoch)
    there = [other.best(epoch) for other in others if len(other.values) >= epoch]
    stay = int((len(there) + 1) / eta)
    if stay < 1 or sum(value < best for value in there) < stay:
        return False
    last = sorted(there)[stay - 1]
    return f"{show(best)} is not among the best {stay} of {len(there) + 1} runs (to {show(last)})"


def _bracket(number: int, brackets: int, eta: float) -> int:
    """The bracket of a run: the same share of all epochs to each, spread evenly over the runs."""
    costs = [eta**-power for power in range(brackets)]
    place = (number * (math.sqrt(5) - 1) / 2) % 1 * sum(costs)
    return sum(place >= reached for reached in itertools.accumulate(costs[:-1]))
