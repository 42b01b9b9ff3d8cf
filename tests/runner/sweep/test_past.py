"""Runs of other tasks as samplers are told of them."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.components.search_types import Dimension, PastTask, Space
from runner.config.compose import compose
from runner.config.config import flatten
from runner.errors import ConfigError
from runner.journal.ids import new_run_id
from runner.sweep.past import folder_of, past_tasks
from tests.warehouse.conftest import House, ending, records

SPACE = Space(
    (
        Dimension("optimizer", "choice", choices=("adam", "sgd"), structural=True),
        Dimension("optimizer.momentum", "float", 0.0, 0.9, only_if={"optimizer": ("sgd",)}),
        Dimension("optimizer.learning_rate", "float", 1e-4, 1e-1, log=True),
        Dimension("architecture.units", "choice", choices=((64,), (64, 32)), structural=True),
        Dimension("regularizer", "choice", choices=(("l2",), ("dropout", "l2")), structural=True),
        Dimension("batch_size", "int", 16, 64),
    )
)
BEFORE = "2026-11-02T00:00:00+00:00"


@pytest.fixture(scope="module")
def config() -> Any:
    return compose(["regularizer=[l2]", "optimizer=adam", "architecture.units=[64]"])[0]


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path / "results")


def run(
    house: House, config: Any, identity: str, end: dict[str, Any] | None = None, **more: Any
) -> str:
    """A run of the config with some params changed; dots are two underscores."""
    changed = {name.replace("__", "."): value for name, value in more.items()}
    params = {row["name"]: row for row in flatten(config)} | {
        name: {
            "name": name,
            "value": str(value),
            "number": float(value) if isinstance(value, int | float) else None,
        }
        for name, value in changed.items()
    }
    run_id = new_run_id()
    start, *epochs = records(run_id, data={"identity": identity})
    start = dataclasses.replace(start, params=list(params.values()))  # type: ignore[call-arg]
    *evaluations, over = ending(run_id)
    house.write([start, *epochs, *evaluations, dataclasses.replace(over, **(end or {}))])
    return run_id


def told(house: House, config: Any, identity: str = "mine") -> tuple[PastTask, ...]:
    warehouse.sync(house.results)
    with warehouse.connect(house.results) as there:
        return past_tasks(there, SPACE, config, identity, "val_loss", BEFORE)


@pytest.mark.slow
def test_a_task_is_the_data_and_what_does_not_vary(house: House, config: Any) -> None:
    for rate in (0.001, 0.002, 0.003, 0.004, 0.005):
        run(house, config, "mine", optimizer__learning_rate=rate)
        run(house, config, "theirs", optimizer__learning_rate=rate, seed=3)
        run(house, config, "mine", optimizer__learning_rate=rate, epochs=7)
        # Another optimizer is no other task: it is what varies, with all of its params.
        run(
            house,
            config,
            "theirs",
            optimizer__learning_rate=rate,
            optimizer="sgd",
            **{"optimizer__momentum": 0.5, "optimizer__nesterov": "true"},
        )
    for rate in (0.001, 0.002, 0.003, 0.004):
        run(house, config, "too few", optimizer__learning_rate=rate)
        run(house, config, "too few", optimizer__learning_rate=rate, seed=9)
    theirs, longer = told(house, config)
    assert (len(theirs.trials), len(longer.trials)) == (10, 5)
    assert theirs.trials[1].params == {
        "optimizer": "sgd",
        "optimizer.momentum": 0.5,
        "optimizer.learning_rate": 0.001,
        "architecture.units": (64,),
        "regularizer": ("l2",),
        "batch_size": 32,
    }
    assert "optimizer.momentum" not in theirs.trials[0].params
    assert told(house, config) == (theirs, longer), "the same whenever it is asked"


@pytest.mark.slow
def test_what_lies_outside_failed_or_came_later_is_left_out(house: House, config: Any) -> None:
    for rate in (0.001, 0.002, 0.003, 0.004, 0.005):
        run(house, config, "theirs", optimizer__learning_rate=rate)
    diverged = {"status": "failed", "error": "the loss became nan in epoch 2; the last epoch"}
    run(house, config, "theirs", end=diverged, optimizer__learning_rate=0.09)
    left_out: list[dict[str, Any]] = [
        {"optimizer__learning_rate": 0.2},
        {"batch_size": 128},
        {"optimizer": "rmsprop"},
        {"architecture__units": "[8]"},
        {"regularizer": "[dropout]"},
        {"end": {"status": "failed", "error": "ValueError: no"}},
        {"end": {"status": "stopped", "error": "stopped by the user", "reason": "user"}},
        {"end": {"ended_at": "2026-11-03T00:00:00+00:00"}},
    ]
    for one in left_out:
        run(house, config, "theirs", **{"optimizer__learning_rate": 0.05} | one)
    [task] = told(house, config)
    values = [trial.values[0] for trial in task.trials]
    assert [math.isinf(value) for value in values] == [False] * 5 + [True]
    run(house, config, "theirs", regularizer="[l2,dropout]")
    assert told(house, config)[0].trials[-1].params["regularizer"] == ("dropout", "l2")


def test_a_folder_without_a_warehouse_is_no_history(tmp_path: Path, house: House) -> None:
    with pytest.raises(ConfigError, match=r"search\.history=.* is not valid: no warehouse lies"):
        folder_of(str(tmp_path))
    house.run()
    warehouse.sync(house.results)
    assert folder_of(str(house.results / "warehouse.duckdb")) == house.results
