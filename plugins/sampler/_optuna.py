"""Optuna's samplers, asked in batches: a study in memory is made anew from the history.

Choices travel as their places, since Optuna's own are text and numbers only.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Callable, Collection, Hashable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runner import (
    Dimension,
    History,
    Params,
    RunnerError,
    Space,
    Suggestion,
    Trial,
    quiet_optuna,
)

from ._tried import key_of, tried, untried

if TYPE_CHECKING:
    from optuna import Study
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial
    from optuna.trial import Trial as OptunaTrial

ATTEMPTS = 5
"""How often Optuna is asked before a suggestion that was not tried is drawn at random."""

Notes = Callable[[int], Mapping[str, Any]]
"""What a sampler keeps of a trial in its study, by the trial's number."""


def suggest(
    name: str,
    make: Callable[[int], BaseSampler],
    space: Space,
    history: History,
    pending: Sequence[Params],
    n: int,
    seed: int,
    objectives: int,
    *,
    startup: int,
    notes: Notes = lambda number: {},
) -> list[Suggestion]:
    """What a sampler of Optuna suggests after all that was tried.

    name: what the config calls it.
    make: makes Optuna's sampler from a seed.
    startup: after how many trials it does more than to draw at random.
    """
    if importlib.util.find_spec("optuna") is None:
        raise RunnerError(
            f"search.sampler={name} needs the package optuna, which is missing: "
            "pip install 'sweephouse[search]'"
        )
    rng = np.random.default_rng([seed, len(history.trials), len(pending)])
    known = tried(history, pending)
    slot = name if len(history.trials) >= startup else "random"
    suggestions: list[Suggestion] = []
    with quiet_optuna():
        study = _study(make(int(rng.integers(2**31))), objectives)
        study.add_trials(list(_trials(space, history.trials, objectives, notes)))
        study.add_trials([_running(space, params) for params in pending])
        while len(suggestions) < n:
            asked = _ask(study, space, known)
            params = asked or untried(space, known, rng)
            if params is None:
                break
            known.add(key_of(params))
            suggestions.append(Suggestion(params, slot=slot if asked else "random"))
    return suggestions


def _study(sampler: BaseSampler, objectives: int) -> Study:
    import optuna

    return optuna.create_study(sampler=sampler, directions=["minimize"] * objectives)


def _trials(
    space: Space, trials: Sequence[Trial], objectives: int, notes: Notes
) -> Iterator[FrozenTrial]:
    """The trials as Optuna has them."""
    from optuna.trial import create_trial

    worst = [_beyond([trial.values[place] for trial in trials]) for place in range(objectives)]
    for number, trial in enumerate(trials):
        pairs = zip(trial.values, worst, strict=True)
        yield create_trial(
            values=[value if math.isfinite(value) else bad for value, bad in pairs],
            **_placed(space, trial.params),
            constraints={
                str(place): math.inf if math.isnan(violation) else violation
                for place, violation in enumerate(trial.violations)
            },
            system_attrs=dict(notes(number)),
        )


def _beyond(values: Sequence[float]) -> float:
    """What stands for infinity, which has no distance to anything: worse than all the others."""
    finite = [value for value in values if math.isfinite(value)]
    return max(finite) + (max(finite) - min(finite) or 1.0) if finite else 0.0


def _running(space: Space, params: Params) -> FrozenTrial:
    from optuna.trial import TrialState, create_trial

    return create_trial(state=TrialState.RUNNING, **_placed(space, params))


def _placed(space: Space, params: Params) -> dict[str, Any]:
    """The params as Optuna has them, and of what distributions they are."""
    known = [one for one in space.active(params) if one.contains(params.get(one.name))]
    return {
        "params": {one.name: _plain(one, params[one.name]) for one in known},
        "distributions": {one.name: _distribution(one) for one in known},
    }


def _plain(dimension: Dimension, value: Any) -> float:
    """A value as Optuna has it: of a choice, its place."""
    if dimension.kind == "choice":
        return dimension.choices.index(value)
    return int(value) if dimension.kind == "int" else float(value)


def _distribution(dimension: Dimension) -> BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    match dimension.kind:
        case "choice" if dimension.ordered:
            # Of numbers in order, the neighbours of a good one are worth more than the rest.
            return IntDistribution(0, len(dimension.choices) - 1)
        case "choice":
            return CategoricalDistribution(range(len(dimension.choices)))
        case "int":
            return IntDistribution(int(dimension.low), int(dimension.high), log=dimension.log)
    return FloatDistribution(dimension.low, dimension.high, log=dimension.log)


def _value(trial: OptunaTrial, dimension: Dimension) -> Any:
    """The value of a dimension that Optuna suggests."""
    places, name = len(dimension.choices), dimension.name
    match dimension.kind:
        case "choice" if dimension.ordered:
            return dimension.choices[trial.suggest_int(name, 0, places - 1)]
        case "choice":
            return dimension.choices[trial.suggest_categorical(name, range(places))]
        case "int":
            low, high = int(dimension.low), int(dimension.high)
            return trial.suggest_int(name, low, high, log=dimension.log)
    return trial.suggest_float(name, dimension.low, dimension.high, log=dimension.log)


def _ask(study: Study, space: Space, known: Collection[Hashable]) -> dict[str, Any] | None:
    """A suggestion that is not known, if one comes in a few attempts."""
    for _ in range(ATTEMPTS):
        trial, params = study.ask(), dict[str, Any]()
        for dimension in space:
            only_if = dimension.only_if.items()
            if all(name in params and params[name] in only for name, only in only_if):
                params[dimension.name] = _value(trial, dimension)
        if key_of(params) not in known:
            return params
    return None
