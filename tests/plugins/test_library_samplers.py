"""The samplers that stand on a library, tpe and nsga2 on Optuna and gp on scikit-learn."""

from __future__ import annotations

import importlib.util
import json
import math
import os
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Dimension, History, Params, RunnerError, Space, Suggestion, Trial
from runner.components.registry import load

NAMES = ["tpe", "gp", "nsga2"]
SPACE = Space(
    (
        Dimension("optimizer", "choice", choices=("adam", "sgd"), structural=True),
        Dimension("optimizer.learning_rate", "float", 1e-4, 1e-1, log=True),
        Dimension("optimizer.momentum", "float", 0, 0.99, only_if={"optimizer": ("sgd",)}),
        Dimension("units", "choice", choices=((64,), (64, 64), None, True)),
        Dimension("batch_size", "choice", choices=(16, 32, 64), ordered=True),
        Dimension("layers", "int", 1, 8, log=True),
    )
)
FEW = Space(
    (
        Dimension("optimizer", "choice", choices=("adam", "sgd")),
        Dimension("nesterov", "choice", choices=(True, False), only_if={"optimizer": ("sgd",)}),
        Dimension("layers", "int", 1, 3),
        Dimension("rate", "float", 0.1, 0.1),
    )
)
Objective = Callable[[Params], tuple[float, ...]]


def ask(
    name: str,
    space: Space,
    trials: Sequence[Trial] = (),
    pending: Sequence[Params] = (),
    n: int = 8,
    seed: int = 0,
    objectives: int = 1,
    **params: Any,
) -> list[Suggestion]:
    """A sampler's suggestions, asked for as the runner does it."""
    component = load().find("sampler", name)
    offers = {
        "space": space,
        "history": History(tuple(trials)),
        "pending": pending,
        "n": n,
        "seed": seed,
        "objectives": objectives,
    }
    suggestions: list[Suggestion] = component(offers, component.check(params, "search.sampler"))
    return suggestions


def search(
    name: str, objective: Objective, space: Space = SPACE, trials: int = 40, **more: Any
) -> list[Trial]:
    """All trials of a search in batches of 8."""
    done: list[Trial] = []
    while len(done) < trials:
        suggestions = ask(name, space, done, **more)
        done += [Trial(one.params, objective(one.params)) for one in suggestions]
    return done


def loss(params: Params) -> tuple[float]:
    """Least with sgd, a momentum of 0.9, a rate of 0.005 and 3 layers."""
    rate = (math.log10(params["optimizer.learning_rate"]) + 2.3) ** 2
    momentum = (params.get("optimizer.momentum", 0.4) - 0.9) ** 2
    return (rate + momentum + (params["layers"] - 3) ** 2 / 10,)


def drawn(trials: int, seed: int) -> list[Trial]:
    """Trials at random."""
    places = np.random.default_rng(seed).random((trials, len(SPACE))).tolist()
    return [Trial(params, loss(params)) for params in map(SPACE.params, places)]


@pytest.mark.parametrize("name", NAMES)
def test_what_is_suggested_lies_in_the_space_and_is_plain(name: str) -> None:
    for trials in (0, 24):
        for suggestion in ask(name, SPACE, drawn(trials, 0), n=16):
            params = suggestion.params
            assert list(params) == [one.name for one in SPACE.active(params)]
            assert all(SPACE[one].contains(value) for one, value in params.items())
            assert type(params["optimizer.learning_rate"]) is float
            assert type(params["layers"]) is int
            assert suggestion.slot == (name if trials else "random")


@pytest.mark.parametrize("name", NAMES)
def test_a_search_that_was_stopped_goes_on_as_if_it_had_not_been(name: str) -> None:
    done = search(name, loss, trials=32)

    for place in (0, 8, 24):
        again = ask(name, SPACE, done[:place])
        assert [one.params for one in again] == [one.params for one in done[place : place + 8]]
    assert ask(name, SPACE, done[:8], seed=1) != ask(name, SPACE, done[:8], seed=2)


AGAIN = """
import json, sys
from tests.plugins.test_library_samplers import SPACE, NAMES, ask, drawn
print(json.dumps([[str(one) for one in ask(name, SPACE, drawn(24, 0))] for name in NAMES]))
"""


@pytest.mark.slow
def test_another_process_suggests_the_same() -> None:
    answers = [
        subprocess.run(
            [sys.executable, "-c", AGAIN],
            env=os.environ | {"PYTHONHASHSEED": number},
            cwd=Path(__file__).parents[2],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        ).stdout
        for number in "12"
    ]
    assert json.loads(answers[0]) == json.loads(answers[1])


@pytest.mark.many
@pytest.mark.parametrize("name", ["tpe", "gp"])
def test_it_finds_better_than_chance(name: str) -> None:
    def best(trials: Sequence[Trial]) -> float:
        return min(trial.values[0] for trial in trials)

    searched = [best(search(name, loss, trials=48, seed=seed)) for seed in range(5)]
    by_chance = [best(drawn(48, seed)) for seed in range(5)]

    assert statistics.median(searched) < 0.7 * statistics.median(by_chance)


@pytest.mark.parametrize("name", NAMES)
def test_a_small_space_is_tried_out_once_each(name: str) -> None:
    done: list[Trial] = []
    sizes = []
    while batch := ask(name, FEW, done, n=4):
        sizes.append(len(batch))
        done += [Trial(one.params, (float(len(done)),)) for one in batch]

    assert FEW.size == 9
    assert sizes == [4, 4, 1]
    assert len({str(sorted(trial.params.items())) for trial in done}) == 9


@pytest.mark.parametrize("name", NAMES)
def test_what_is_pending_is_not_suggested_again(name: str) -> None:
    # Of the nine configurations of the space there are one that was tried and seven on their way.
    first, *others = [one.params for one in ask(name, FEW, n=8)]

    last = ask(name, FEW, [Trial(first, (1.0,))], pending=others, n=3)

    assert len(last) == 1
    assert last[0].params not in [first, *others]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("fault", ["diverges", "breaks a constraint"])
def test_it_keeps_away_from_what_fails(name: str, fault: str) -> None:
    space = Space((Dimension("x", "float", 0, 1), Dimension("y", "float", 0, 1)))

    def trial(params: Params) -> Trial:
        # It goes wrong where it would be best.
        x = params["x"]
        if fault == "diverges":
            return Trial(params, (math.inf if x > 0.4 else abs(x - 0.2),))
        return Trial(params, (abs(x - 0.2) if x < 0.4 else 0.0,), violations=(x - 0.4,))

    done: list[Trial] = []
    while len(done) < 64:
        done += [trial(one.params) for one in ask(name, space, done)]

    assert statistics.mean(one.params["x"] <= 0.4 for one in done[-24:]) > 0.6


@pytest.mark.parametrize("name", NAMES)
def test_where_nothing_came_of_anything_it_goes_on(name: str) -> None:
    trials = [Trial(one.params, (math.inf,), (math.inf,)) for one in drawn(20, 0)]

    assert len(ask(name, SPACE, trials)) == 8


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_of_two_objectives_it_finds_the_compromises(name: str) -> None:
    space = Space((Dimension("x", "float", -2, 4), Dimension("y", "float", -4, 4)))

    def both(params: Params) -> tuple[float, ...]:
        x, y = params["x"], params["y"]
        return (math.inf, 1.0) if y > 3 else (x**2 + y**2, (x - 2) ** 2 + y**2)

    done = search(name, both, space, trials=96, objectives=2)

    # The compromises have a y of 0 and an x from 0 to 2; of 96 at random 6 are as near as this.
    near = [one for one in done if abs(one.params["y"]) < 0.5 and -0.5 < one.params["x"] < 2.5]
    assert len(near) > 16


def test_gp_says_what_it_expects() -> None:
    trials = drawn(40, 0)

    suggestions = ask("gp", SPACE, trials)

    assert all(one.slot == "gp" and one.deviation > 0 for one in suggestions)  # type: ignore[operator]
    # It hopes for something in the better half.
    assert suggestions[0].mean < 0  # type: ignore[operator]


def test_gp_knows_a_search_of_hundreds_of_trials() -> None:
    assert len(ask("gp", SPACE, drawn(300, 0))) == 8


def test_optuna_says_nothing_of_its_own(capfd: pytest.CaptureFixture[str]) -> None:
    ask("tpe", SPACE, drawn(20, 0), group=True, multivariate=True)

    assert capfd.readouterr() == ("", "")


def test_two_params_that_contradict_one_another_are_refused() -> None:
    with pytest.raises(RunnerError, match="group=true, and one by one with multivariate=false"):
        ask("tpe", SPACE, group=True, multivariate=False)


@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_without_optuna_it_names_the_extra(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda it, *more: None if it == "optuna" else find(it, *more)
    )

    with pytest.raises(RunnerError, match=r"missing: pip install 'sweephouse\[search\]'$"):
        ask(name, SPACE)
