"""Stop what runs like it, on other data, did not make up for."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Lt

from runner import Curve, pruner

from .median import median

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

FEWEST = 16
"""Runs of another task, below which its ranks say little."""
EARLIER = 0.5
"""The second look at a curve, as a share of the epochs that are over."""


@pruner
def learned(
    curve: Curve,
    epoch: int,
    epochs: int,
    others: Sequence[Curve],
    past: Sequence[Curve],
    show: Callable[[float], str],
    *,
    top: Annotated[float, Gt(0), Lt(1)] = 0.05,
    risk: Annotated[float, Gt(0), Lt(1)] = 0.05,
    neighbours: Annotated[int, Ge(10)] = 40,
    every: Annotated[int, Gt(0)] | None = None,
    least: Annotated[int, Gt(0)] = 5,
) -> bool | str:
    """Of past runs with such a rank at this point, too few ended among the best `top`.

    Ranks are within a task, now and at half as many epochs; the `neighbours` nearest count, from
    all tasks of at least 16 finished runs. A run stops where the share of them that ended among
    the best is below `risk`. It is given the benefit of the doubt that a rank among few others
    leaves. Looked at every so many epochs, null: a tenth of all. Without a past, it is `median`.
    """
    import numpy as np

    step = every or max(1, epochs // 10)
    if epoch % step:
        return False
    features, ends = _past(_Key(past), round(epoch / epochs, 6))
    if len(ends) < neighbours:
        return median(curve, epoch, epochs, others, show, every=every, least=least)
    rivals = [other for other in others if other.counts(epoch)]
    if len(rivals) < least:
        return False
    now = [_place(curve.best(at), [other.best(at) for other in rivals]) for at in _looks(epoch)]
    doubt = math.sqrt(max(now[0] * (1 - now[0]), 0.05) / len(rivals))
    there = np.array([max(0.0, place - doubt) for place in now])
    near = np.argpartition(((features - there) ** 2).sum(axis=1), neighbours - 1)[:neighbours]
    made_it = int((ends[near] <= top).sum())
    if (made_it + 1) / (neighbours + 2) >= risk:
        return False
    return (
        f"{show(curve.best(epoch))} is worse than {now[0]:.0%} of {len(rivals)} runs, and of "
        f"{neighbours} such runs of other tasks {made_it} ended among the best {top:.0%}"
    )


def _looks(epoch: int) -> tuple[int, int]:
    return epoch, max(1, round(epoch * EARLIER))


def _place(value: float, others: Sequence[float]) -> float:
    """The share of the others that are better, those that are equal by half."""
    better = sum(other < value for other in others)
    equal = sum(other == value for other in others)
    return (better + equal / 2) / len(others)


class _Key:
    """Past curves as a key of a cache: by the very object, which is the same for a whole sweep."""

    def __init__(self, past: Sequence[Curve]) -> None:
        self.past = past

    def __hash__(self) -> int:
        return id(self.past)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Key) and other.past is self.past


@functools.lru_cache(256)
def _past(key: _Key, share: float) -> tuple[Array, Array]:
    """For past runs at a share of their epochs, the places at both looks and at the end."""
    import numpy as np

    tasks: dict[str, list[Curve]] = {}
    for curve in key.past:
        tasks.setdefault(curve.task, []).append(curve)
    rows = [_places(curves, share) for curves in tasks.values() if len(curves) >= FEWEST]
    table = np.concatenate(rows) if rows else np.zeros((0, 3))
    return table[:, :2], table[:, 2]


def _places(curves: Sequence[Curve], share: float) -> Array:
    """The places of a task's runs among each other: now, earlier, and at the end."""
    import numpy as np

    whole = max(len(curve.values) for curve in curves)
    columns = []
    for at in (*_looks(max(1, round(share * whole))), whole):
        bests = np.array([curve.best(at) for curve in curves])
        better = (bests[None, :] < bests[:, None]).sum(axis=1)
        equal = (bests[None, :] == bests[:, None]).sum(axis=1) - 1
        columns.append((better + equal / 2) / max(1, len(curves) - 1))
    return np.stack(columns, axis=1)
