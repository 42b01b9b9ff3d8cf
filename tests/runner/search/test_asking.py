"""What a sampler is asked, what of its answer is taken, and what makes one trial better."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from runner.components.registry import load
from runner.components.search_types import Dimension, History, Space, Suggestion, Trial
from runner.config.settings import SearchSettings
from runner.errors import ConfigError, PluginError
from runner.search.ask import as_text, ask, from_record, sampler_of
from runner.search.objectives import aims_of, best_places, front
from runner.search.packs import few_structures, most_structures, structure
from tests.conftest import Site

UNITS = Dimension("units", "choice", choices=((64,), (64, 32)), structural=True)
OPTIMIZER = Dimension("optimizer", "choice", choices=("adam", "sgd"), structural=True)
MOMENTUM = Dimension("momentum", "float", 0.0, 0.9, only_if={"optimizer": ("sgd",)})
RATE = Dimension("rate", "float", 1e-4, 1e-1, log=True)
EPOCHS = Dimension("epochs", "int", 1, 9)
SPACE = Space((UNITS, OPTIMIZER, MOMENTUM, RATE, EPOCHS))
SOUND = {"units": (64,), "optimizer": "adam", "rate": 0.01, "epochs": 3}

ANSWERING = """
from runner import sampler

@sampler
def answering(n):
    return ANSWER[:n]

ANSWER = []
"""


@pytest.fixture
def answered(site: Site) -> Callable[..., Any]:
    """What becomes of a sampler's answer."""
    site.install(ANSWERING)
    chosen = sampler_of(SearchSettings(sampler="answering"), load(), 1)

    def answered(answer: Any, tried: Sequence[Trial] = ()) -> list[Suggestion]:
        chosen.component.function.__globals__["ANSWER"] = answer
        return ask(chosen, SPACE, History(tuple(tried)), 4, 0, 1)

    return answered


def test_plain_params_and_numbers_of_libraries_are_taken(answered: Any) -> None:
    odd = SOUND | {"rate": np.float64(0.02), "epochs": np.int64(4)}
    first, second = answered([SOUND, Suggestion(odd, slot="b", mean=0.5)])
    assert (first.params, first.slot) == (SOUND, "")
    assert (second.params, second.slot) == (SOUND | {"rate": 0.02, "epochs": 4}, "b")
    assert type(second.params["epochs"]) is int and as_text(second.params)


def test_what_was_tried_is_not_tried_again(answered: Any) -> None:
    other = SOUND | {"rate": 0.02}
    assert [one.params for one in answered([SOUND, other, other])] == [SOUND, other]
    assert answered([SOUND], tried=[Trial(SOUND, (1.0,))]) == []


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("text", "returned .text., no list"),
        ([3], "suggested 3, no configuration"),
        ([SOUND | {"momentum": 0.5}], "with momentum"),
        ([SOUND | {"optimizer": "sgd"}], "without momentum"),
        ([SOUND | {"rate": 0.2}], "rate=0.2, which is not in the space"),
        ([SOUND | {"epochs": 2.5}], "epochs=2.5, which is not in the space"),
    ],
)
def test_a_configuration_of_no_space_is_the_samplers_fault(
    answered: Any, answer: Any, reason: str
) -> None:
    with pytest.raises(
        PluginError, match=f"sampler 'answering' breaks its contract: it .*{reason}"
    ):
        answered(answer)


def test_a_configuration_comes_back_from_the_record_as_it_was() -> None:
    import json

    kinds = Space((Dimension("x", "choice", choices=(None, True, 1, 1.5, "1", (1, (2,)))),))
    for choice in kinds["x"].choices:
        restored = from_record(kinds, json.loads(as_text({"x": choice})))["x"]
        assert restored == choice and type(restored) is type(choice)


# --- Better and worse ----------------------------------------------------------------------------


def trial(asked: SearchSettings, status: str = "finished", **values: tuple[float, str]) -> Trial:
    return aims_of(asked).trial({}, "s", "val_loss", values, status)


def test_less_is_better_whichever_way_the_metric_goes() -> None:
    assert trial(SearchSettings(), val_loss=(0.5, "min")).values == (0.5,)
    accuracy = SearchSettings(objectives=["test.accuracy", "parameters"])
    values = {"test_accuracy": (0.75, "max"), "parameters": (1e3, "min")}
    assert trial(accuracy, **values).values == (-0.75, 1e3)


def test_what_failed_diverged_or_broke_a_bound_is_the_worst() -> None:
    for status, value in (("failed", 0.1), ("finished", math.nan), ("finished", math.inf)):
        assert trial(SearchSettings(), status, val_loss=(value, "min")).values == (math.inf,)
    asked = SearchSettings(require=["parameters<1e6, val_accuracy>=0.5"])
    values = {"val_loss": (0.1, "min"), "parameters": (2e6, "min"), "val_accuracy": (0.5, "max")}
    broken = trial(asked, **values)
    assert (broken.values, broken.violations) == ((math.inf,), (1e6, 0.0))
    assert not broken.feasible
    met = trial(asked, **values | {"parameters": (1e6 - 1, "min")})
    assert met.feasible and met.values == (0.1,)
    exactly = trial(asked, **values | {"parameters": (1e6, "min")})
    assert not exactly.feasible, "less than is not at most"
    assert not trial(asked, val_loss=(0.1, "min")).feasible, "nobody knows"


@pytest.mark.parametrize("require", ["parameters", "parameters<many", "<3", "a<1;b<2", "a==1"])
def test_an_odd_bound_is_named(require: str) -> None:
    with pytest.raises(ConfigError, match=r"search\.require=.* is not valid: give a metric"):
        aims_of(SearchSettings(require=require))


def test_the_front_holds_what_nothing_betters() -> None:
    values = [(1, 5), (2, 2), (3, 3), (5, 1), (math.inf, math.inf), (2, 2)]
    trials = [Trial({"x": place}, tuple(map(float, pair))) for place, pair in enumerate(values)]
    assert front(trials) == [0, 1, 3, 5]
    assert best_places(trials, 3) == [0, 1, 5]


# --- Packs ---------------------------------------------------------------------------------------


def test_a_batch_keeps_few_structures_and_all_its_numbers() -> None:
    draw = np.random.default_rng(0)
    batch = [Suggestion(SPACE.params(draw.random(5).tolist()), mean=0.1) for _ in range(8)]
    shared = few_structures(SPACE, batch, 2)
    structures = [structure(SPACE, one.params) for one in shared]
    assert len({*structures}) == 2 < len({structure(SPACE, one.params) for one in batch})
    assert [one.params["rate"] for one in shared] == [one.params["rate"] for one in batch]
    for one, before in zip(shared, batch, strict=True):
        assert SPACE.counted(one.params) == one.params
        same = structure(SPACE, one.params) == structure(SPACE, before.params)
        assert (one == before) if same else (one.mean is None)
    assert few_structures(SPACE, batch, 8) == batch
    assert [most_structures(n) for n in (1, 8, 16)] == [2, 3, 6]
