"""Runs that were cut off go on as if nothing had been; replayed ones come out the same."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Site
from tests.faults.conftest import House
from tests.faults.test_sweeps import TOYS

STATEFUL = [
    "dataset=steady",
    "dataset.rows=300",
    "regularizer=[dropout,batch_norm,early_stopping]",
    "regularizer.early_stopping.patience=9",
    "epochs=12",
    "checkpoint=4",
    "deterministic=true",
]


def course(house: House, run_id: str) -> list[tuple[Any, ...]]:
    """All epochs of a run, with its metrics, its weights and its evaluations."""
    epochs = house.rows(
        "SELECT epoch, loss, val_loss, learning_rate FROM epochs WHERE run_id = ? ORDER BY epoch",
        run_id,
    )
    metrics = house.rows(
        "SELECT epoch, split, name, value FROM metrics WHERE run_id = ? ORDER BY ALL", run_id
    )
    kept = house.rows(
        "SELECT role, epoch, sha256 FROM weights WHERE run_id = ? AND role = 'best'", run_id
    )
    evaluations = house.rows(
        "SELECT split, name, value FROM evaluations WHERE run_id = ? ORDER BY ALL", run_id
    )
    return [*epochs, *metrics, *kept, *evaluations]


def last_run(house: House) -> str:
    house.sync()
    return str(house.rows("SELECT max(run_id) FROM runs")[0][0])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("engine", "schedule"),
    [
        ("fast", ["schedule=reduce_on_plateau", "schedule.patience=1"]),
        ("keras", ["schedule=cosine"]),
    ],
    ids=["fast", "keras"],
)
def test_a_resumed_run_equals_one_that_never_stopped(
    real: House, engine: str, schedule: list[str]
) -> None:
    words = [*STATEFUL, f"engine={engine}", *schedule]
    assert real.run(*words).wait() == 0
    whole = last_run(real)
    # Killed after its seventh epoch, and once more after its tenth.
    assert real.run(*words, die=("epoch_end", 7)).wait() == -signal.SIGKILL
    first = last_run(real)
    assert real.run("resume", first, die=("epoch_end", 10)).wait() == -signal.SIGKILL
    second = last_run(real)
    resumed = real.run("resume", second)
    assert resumed.wait() == 0
    assert f"resuming {second} after epoch 8" in resumed.said
    third = last_run(real)
    assert real.rows("SELECT status, epochs, resumed_from FROM runs ORDER BY run_id") == [
        ("finished", 12, None),
        ("lost", 7, None),
        ("lost", 10, first),
        ("finished", 12, second),
    ]
    assert course(real, third) == course(real, whole)
    rates = real.rows("SELECT DISTINCT learning_rate FROM epochs WHERE run_id = ?", whole)
    assert len(rates) > 1  # else the schedule had no state to bring back
    replayed = real.run("replay", whole)
    assert replayed.wait() == 0
    assert f"equal to {whole} in all 12 epochs, bit for bit" in replayed.said
    assert "warning" not in replayed.said


@pytest.mark.slow
def test_a_replay_with_another_plugin_warns_and_says_where_it_differs(
    real: House, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site")
    site.install(TOYS.format(identity="", draw=0))
    words = ["dataset=toys", "epochs=2", "engine=fast"]
    assert real.run(*words, site=str(site.folder)).wait() == 0
    first = last_run(real)
    site.install(TOYS.format(identity="", draw=1), version="1.1")
    replayed = real.run("replay", first, site=str(site.folder))
    assert replayed.wait() == 1
    assert "warning: the source of dataset 'toys' has changed since" in replayed.said
    assert f"differs from {first} first in epoch 1: loss was" in replayed.said
    real.sync()
    assert real.rows("SELECT equal, epoch, name FROM replays") == [(False, 1, "loss")]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_two_signals_end_a_run_inside_of_a_long_epoch(real: House, engine: str) -> None:
    run = real.start("dataset=steady", "dataset.rows=3000000", "epochs=2", f"engine={engine}")
    run.until("run 01")
    time.sleep(3)
    assert "\nepoch 1/" not in run.said
    run.kill(signal.SIGINT)
    # Heard while the program runs.
    run.until("stopping after this epoch")
    assert "\nepoch 1/" not in run.said
    asked = time.monotonic()
    run.kill(signal.SIGINT)
    assert run.wait() == 130
    assert time.monotonic() - asked < 10
    real.sync()
    assert real.rows("SELECT status, epochs, error FROM runs") == [("stopped", 0, "stopped twice")]


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_a_signal_inside_of_an_epoch_stops_after_it(real: House, engine: str) -> None:
    run = real.start("dataset=steady", "dataset.rows=100000", "epochs=50", f"engine={engine}")
    run.until("epoch 1/50")
    run.kill(signal.SIGTERM)
    assert run.wait() == 130
    real.sync()
    ((status, epochs, error),) = real.rows("SELECT status, epochs, error FROM runs")
    assert status == "stopped" and 1 <= epochs < 5
    assert error == f"stopped by the user after epoch {epochs}"
    # What it has been stopped with is kept and evaluated.
    assert real.rows("SELECT count(*) FROM weights WHERE role = 'best'") == [(1,)]
