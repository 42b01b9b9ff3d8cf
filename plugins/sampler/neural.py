"""A searcher that learns: another neural network chooses what is tried next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from annotated_types import Ge

from runner import History, Params, Space, Suggestion, sampler

from ._neural.prior import learn
from ._neural.propose import propose
from ._neural.threads import one_thread
from .quasi import quasi


@sampler
def neural(
    space: Space,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    *,
    structures: Annotated[int, Ge(1)] | None = None,
    startup: Annotated[int, Ge(1)] = 8,
) -> list[Suggestion]:
    """A network taught by other tasks, and a Gaussian process on what it gets wrong.

    With no trial of another task: the process alone, after `startup` trials that are spread over
    the space. structures: at most so many structures in a batch; None for as many as promise most.
    """
    with one_thread():
        prior = learn(space, history.past, seed)
        known = len(history.trials) + len(pending)
        if prior.network is None and known < startup:
            first = quasi(space, history, pending, n, seed, objectives=1)
            return [Suggestion(params, "spread") for params in first]
        return list(propose(prior, history, pending, n, seed, structures))
