"""A sweep ends when its time is up, or after so many failures, and says what it left out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import warehouse
from runner.config.compose import compose
from runner.sweep import limits
from runner.sweep.closing import limit_lines
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.limits import Limits
from runner.sweep.sweep import SWEEP, Sweep
from tests.conftest import Site
from tests.faults.engine import FAIL, SIDE

STEADY = """
import numpy as np
from runner import Data, Task, dataset

@dataset
def steady(*, rows: int = 64) -> Data:
    '''Rows that nobody needs.'''
    features = np.random.default_rng(0).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())
"""
Run = Callable[..., Sweep]


@pytest.fixture
def sweep(site: Site, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a sweep of jobs, each as its words, by a clock of which an epoch takes a second."""
    site.install(STEADY, "steadies")
    side = tmp_path / "side.txt"
    side.touch()
    monkeypatch.setenv(SIDE, str(side))
    monkeypatch.setenv(limits.BEGAN, "")
    clock = SimpleNamespace(time=lambda: float(side.read_text().count(" epoch ")))
    monkeypatch.setattr(limits, "time", clock)

    def run(name: str, shared: str, *jobs: str, engine: str = "Steady", alone: bool = False):
        monkeypatch.setenv(SWEEP, name)
        one = Sweep(["-m", f"results={results}"])
        words = [f"engine=tests.faults.engine:{engine}Engine", *shared.split()]
        words += ["dataset=steady", f"results={results}"]
        configs = [
            JobConfig(job.split(), *reversed(compose([*words, *job.split()]))) for job in jobs
        ]
        for batch in [[one] for one in configs] if alone else [configs]:
            one.train_batch(iter(batch), len(batch), Path())
        return one

    return run


def statuses(results: Path, sweep_id: str) -> dict[str, tuple]:
    with warehouse.connect(results) as con:
        query = "SELECT array_to_string(overrides, ' '), status, reason, epochs, error FROM runs"
        rows = con.execute(f"{query} WHERE sweep_id = ?", [sweep_id]).fetchall()
    return {words: tuple(rest) for words, *rest in rows}


@pytest.mark.slow
@pytest.mark.parametrize("alone", [False, True])
def test_when_the_time_is_up_what_trains_ends_after_its_epoch(sweep, results, capsys, alone):
    jobs = [f"seed={seed}" for seed in range(4)]
    one = sweep("timed", "epochs=3 sweep.max_seconds=4", *jobs, alone=alone)
    assert one.close() == 3
    assert statuses(results, "timed") == {
        "seed=0": ("finished", None, 3, None),
        "seed=1": ("stopped", "max_seconds", 1, "stopped by sweep.max_seconds=4 after epoch 1"),
    }
    lines = capsys.readouterr().out.splitlines()
    assert "sweep     timed: 1 finished, 1 stopped" in lines
    at = lines.index(
        "ended     by sweep.max_seconds=4: 1 stopped after their epoch, 2 not begun; the same "
        "command goes on"
    )
    assert lines[at + 1 : at + 3] == ["not begun seed=2", "not begun seed=3"]


@pytest.mark.slow
def test_the_same_command_goes_on(sweep, results):
    jobs = [f"seed={seed}" for seed in range(2)]
    assert sweep("first", "epochs=3 sweep.max_seconds=4", *jobs).close() == 3
    assert sweep("second", "epochs=3 sweep.max_seconds=4", *jobs).close() == 0
    assert statuses(results, "second") == {"seed=1": ("finished", None, 3, None)}


@pytest.mark.slow
def test_runs_that_train_together_all_end(sweep, results):
    jobs = [f"seed={seed}" for seed in range(3)]
    assert sweep("packed", "epochs=5 sweep.max_seconds=6", *jobs, engine="Pack").close() == 3
    ends = statuses(results, "packed").values()
    assert {end[:2] for end in ends} == {("stopped", "max_seconds")}
    assert {end[2] for end in ends} == {2, 3}


@pytest.mark.slow
def test_what_is_over_in_time_is_as_without_a_limit(sweep, capsys):
    assert sweep("early", "epochs=2 sweep.max_seconds=9", "seed=0", "seed=1").close() == 0
    assert "ended     by" not in capsys.readouterr().out


@pytest.mark.many
@pytest.mark.parametrize("alone", [False, True])
@pytest.mark.slow
def test_after_so_many_failures_no_other_run_begins(sweep, results, capsys, monkeypatch, alone):
    monkeypatch.setenv(FAIL, "7")
    jobs = ["seed=0", "seed=7", "seed=1", "seed=7 epochs=4", "seed=2", "seed=3"]
    one = sweep("failing", "epochs=3 sweep.max_failures=2", *jobs, alone=alone)
    assert one.close() == 1
    ends = {words: end[0] for words, end in statuses(results, "failing").items()}
    assert ends == {
        "seed=0": "finished",
        "seed=7": "failed",
        "seed=1": "finished",
        "seed=7 epochs=4": "failed",
    }
    out = capsys.readouterr().out
    assert "ended     by sweep.max_failures=2: 2 not begun; the same command goes on" in out
    assert out.count("\nnot begun seed=2\n") == out.count("\nnot begun seed=3\n") == 1


@pytest.mark.slow
def test_failures_in_other_workers_count(sweep, results, monkeypatch):
    monkeypatch.setenv(FAIL, "7")
    for number, job in enumerate(["seed=7", "seed=7 epochs=4", "seed=0"]):
        worker = sweep("workers", "epochs=3 sweep.max_failures=2", job, alone=True)
        warehouse.sync(results)  # as a worker does after each of its jobs
        assert len(worker._not_begun) == (number == 2)
    assert "seed=0" not in statuses(results, "workers")


def test_many_jobs_that_were_not_begun_are_counted():
    lines = [*limit_lines("sweep.max_seconds=2", 0, [f"seed={seed}" for seed in range(28)])]
    assert lines[0].startswith("ended     by sweep.max_seconds=2: 28 not begun; ")
    assert lines[1] == "not begun seed=0"
    assert lines[20:] == ["not begun seed=19", "not begun 8 more"]


def test_time_counts_from_the_beginning_of_the_command_in_workers_too(monkeypatch):
    monkeypatch.setenv(limits.BEGAN, "")
    first = limits.began("a")
    monkeypatch.setattr(limits, "time", SimpleNamespace(time=lambda: first + 60))
    assert limits.began("a") == first  # as a worker, which has the environment, sees it
    assert limits.began("b") == first + 60
    assert not Limits(first).reached


@pytest.mark.many
@pytest.mark.parametrize("engine", ["Steady", "Pack"])
@pytest.mark.slow
def test_a_run_that_has_had_its_own_time_ends_after_its_epoch(sweep, results, capsys, engine):
    jobs = ["seed=0", "seed=1 max_seconds=1e-9", "seed=2 max_seconds=1000"]
    # Nobody has to come back for it: it is what was asked for.
    assert sweep("own", "epochs=3", *jobs, engine=engine).close() == 0
    assert statuses(results, "own") == {
        "seed=0": ("finished", None, 3, None),
        jobs[1]: ("stopped", "own_max_seconds", 1, "stopped by max_seconds=1e-09 after epoch 1"),
        jobs[2]: ("finished", None, 3, None),
    }
    assert "ended     by" not in capsys.readouterr().out
    again = ["seed=1 max_seconds=1e-9", "seed=1 max_seconds=1e-10", "seed=1 max_seconds=2e-9"]
    sweep("again", "epochs=3", *again[:2], engine=engine)
    assert statuses(results, "again") == {}
    assert capsys.readouterr().out.count("stopped by max_seconds=1e-09\n") == 2
    sweep("more", "epochs=3", again[2], engine=engine)
    assert set(statuses(results, "more")) == {again[2]}
