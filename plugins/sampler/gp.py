"""A Gaussian process over the params: what the trials so far leave to be hoped for elsewhere."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator, Sequence
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from runner import History, Params, Space, Suggestion, Trial, sampler

from ._gaussian_process import Posterior, encode, fit, quantiles
from ._tried import key_of, tried, untried

KEPT = 200
"""So many trials are looked at: the best and the latest."""
DRAWN = 400
"""So many candidates are drawn from all of the space."""
NEAR = 5
"""So many trials, and so many candidates, have their neighbours looked at."""
STEPS = (0.02, 0.1)
"""How far neighbours are, as deviations, in shares of a param's range."""


@sampler
def gp(
    space: Space,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    *,
    startup: Annotated[int, Ge(2)] = 8,
) -> list[Suggestion]:
    """A Gaussian process, and where it expects most improvement.

    It is scikit-learn's, with a Matérn 5/2 kernel that has a length scale for each param; outcomes
    count by their rank, so that a diverged run is no more than the worst one. Of several to try at
    once, each takes it that those before it come out as expected. startup: so many trials are
    drawn at random. doi:10.1023/A:1008306431147.
    """
    rng = np.random.default_rng([seed, len(history.trials), len(pending)])
    known = tried(history, pending)
    suggestions: list[Suggestion] = []
    if len(history.trials) >= startup:
        from threadpoolctl import threadpool_limits

        # Matrices of a hundred rows are slower on several threads, and less sure to repeat.
        with threadpool_limits(1, user_api="blas"):
            suggestions = _improving(space, history.trials, pending, n, known, rng)
    known |= {key_of(suggestion.params) for suggestion in suggestions}
    while len(suggestions) < n and (params := untried(space, known, rng)) is not None:
        known.add(key_of(params))
        suggestions.append(Suggestion(params, slot="random"))
    return suggestions


def _improving(
    space: Space,
    history: Sequence[Trial],
    pending: Sequence[Params],
    n: int,
    known: Collection[Hashable],
    rng: np.random.Generator,
) -> list[Suggestion]:
    """Configurations of which the most improvement is expected, one after the other."""
    outcomes = quantiles(history)
    kept = _worth_a_look(outcomes)
    trials = [history[place].params for place in kept]
    outcomes = outcomes[kept]
    process = fit(space, encode(space, trials), outcomes)
    best = float(process.predict(encode(space, trials)).min())

    drawn = [space.params(places) for places in rng.random((DRAWN, len(space))).tolist()]
    leading = [trials[place] for place in np.argsort(outcomes, kind="stable")[:NEAR]]
    found = _new(known, [*drawn, *_neighbours(space, leading, rng)])
    if not found:
        return []
    promise = Posterior.of(process, encode(space, found)).improvement(best)
    hopeful = [found[place] for place in np.argsort(-promise, kind="stable")[:NEAR]]
    found = _new(known, [*found, *_neighbours(space, hopeful, rng)])

    # What is pending stands before them: it, too, is taken to come out as expected.
    posterior = Posterior.of(process, encode(space, [*pending, *found]))
    for place in range(len(pending)):
        posterior.believe(place)
    left = np.arange(len(pending), len(pending) + len(found))
    suggestions: list[Suggestion] = []
    while len(suggestions) < n and len(left):
        chosen = int(left[np.argmax(posterior.improvement(best)[left])])
        mean, deviation = float(posterior.mean[chosen]), float(posterior.deviation[chosen])
        params = found[chosen - len(pending)]
        suggestions.append(Suggestion(params, "gp", mean, deviation))
        best = min(best, mean)
        posterior.believe(chosen)
        left = left[left != chosen]
    return suggestions


def _worth_a_look(outcomes: Any) -> list[int]:
    """The places of the best trials and of the latest, in order."""
    if len(outcomes) <= KEPT:
        return list(range(len(outcomes)))
    best = np.argsort(outcomes, kind="stable")[: KEPT // 2].tolist()
    latest = range(len(outcomes) - KEPT // 2, len(outcomes))
    return sorted({*best, *latest})


def _new(known: Collection[Hashable], configurations: Iterable[Params]) -> list[Params]:
    """Those that are not known, each once."""
    by_key = {key_of(params): params for params in configurations}
    return [params for key, params in by_key.items() if key not in known]


def _neighbours(
    space: Space, configurations: Sequence[Params], rng: np.random.Generator
) -> Iterator[Params]:
    """Configurations that differ from one of these in one param, a little or altogether."""
    for params in configurations:
        places = [
            one.place(params[one.name]) if one.name in params else float(rng.random())
            for one in space
        ]
        for place, dimension in enumerate(space):
            if dimension.name not in params:
                continue
            moves = [rng.random()]
            if dimension.kind != "choice":
                moves += np.clip(rng.normal(places[place], STEPS), 0, 1).tolist()
            for moved in moves:
                yield space.params([*places[:place], moved, *places[place + 1 :]])
