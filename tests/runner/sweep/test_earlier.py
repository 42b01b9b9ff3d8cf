"""An earlier run, looked up in the warehouse as it was recorded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.errors import WarehouseError
from runner.sweep.earlier import earlier_run, trained
from tests.faults.engine import FAIL, SIDE

ENGINE = "engine=tests.faults.engine:SteadyEngine"


@pytest.fixture
def steady(
    train: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Any]:
    monkeypatch.setenv(SIDE, str(tmp_path / "side.txt"))
    return lambda *words: train("dataset=iris", ENGINE, *words)


@pytest.mark.slow
def test_a_run_is_looked_up_as_it_was_recorded(steady: Callable[..., Any], results: Path) -> None:
    outcome = steady("seed=7", "epochs=5", "checkpoint=2")
    earlier = earlier_run(outcome.run_id[-8:], results)
    assert (earlier.run_id, earlier.status) == (outcome.run_id, "finished")
    assert list(earlier.overrides)[2:5] == ["seed=7", "epochs=5", "checkpoint=2"]
    assert [event.loss for event in earlier.epochs()] == outcome.losses
    assert earlier.epochs()[0].metrics.keys() == {"train", "val"}
    checkpoint = earlier.newest("checkpoint")
    assert checkpoint is not None and checkpoint.epoch == 4
    assert results / earlier.best[0] == outcome.weights
    assert earlier.tensors()["kernel"].shape == (64, 64)
    assert earlier.plan_again().fingerprint == earlier.fingerprint
    with warehouse.connect(results) as connection:
        rows = connection.execute("SELECT name FROM dataset_columns ORDER BY position").fetchall()
    assert earlier.columns() == [name for (name,) in rows] != []


@pytest.mark.slow
def test_a_run_that_kept_no_weights_can_be_looked_up_and_not_used(
    steady: Callable[..., Any], results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(FAIL, "7")
    outcome = steady("seed=7", "epochs=5")
    earlier = earlier_run(outcome.run_id, results)
    assert (earlier.status, len(earlier.epochs())) == ("failed", 2)
    assert earlier.checkpoint() is None
    with pytest.raises(WarehouseError, match="has no weights: it ended before it kept any"):
        trained(outcome.run_id, results)


@pytest.mark.slow
@pytest.mark.parametrize("value", ["NULL", "'[]'", "'{'"])
@pytest.mark.parametrize("column", ["config", "data"])
def test_a_run_whose_row_somebody_has_changed_is_one_sentence(
    steady: Callable[..., Any], results: Path, column: str, value: str
) -> None:
    import duckdb

    outcome = steady("seed=7", "epochs=1")
    warehouse.sync(results)
    with duckdb.connect(str(results / "warehouse.duckdb")) as con:
        con.execute(f"UPDATE runs SET {column} = {value}")
    with pytest.raises(WarehouseError, match=f"the {column} of run .* is not what was recorded"):
        earlier_run(outcome.run_id, results)
