"""Whose fault an error is: of the runs that have no result yet, or of nobody."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from runner.config.compose import compose
from runner.errors import ConfigError
from runner.record.display import PlainProgress
from runner.record.outcome import Outcome
from runner.record.recorder import Recorder
from runner.sweep.failures import Failures, Results, RunResult
from runner.sweep.plan import Run, plan


@pytest.fixture
def runs(results: Path) -> list[Run]:
    config, experiment = compose(["dataset=iris", f"results={results}"])
    return [
        plan(dataclasses.replace(config), experiment, [f"number={number}"]) for number in range(3)
    ]


def test_an_error_ends_the_runs_that_have_no_result_yet(runs: list[Run], results: Path) -> None:
    seen: list[tuple[Run, RunResult]] = []
    run_results = Results(lambda run, result: seen.append((run, result)))
    failures = Failures(run_results, Recorder(results, PlainProgress()))
    done = Outcome(runs[0].run_id, status="finished")
    with failures.of(runs):
        run_results.settle(runs[0], done)
        with failures.of(runs[1:2]):
            raise ConfigError("no such thing")
        raise ValueError("of those that are left")
    assert [run for run, _ in seen] == runs
    first, second, third = (run_results.by_id[run.run_id] for run in runs)
    assert first is done
    assert isinstance(second, ConfigError)
    assert isinstance(third, Outcome) and third.status == "failed"
    assert third.error == "ValueError: of those that are left"
    assert third.traceback is not None and "Traceback" in third.traceback


def test_an_error_that_belongs_to_no_run_is_raised(runs: list[Run], results: Path) -> None:
    run_results = Results(None)
    failures = Failures(run_results, Recorder(results, PlainProgress()))
    with pytest.raises(ValueError, match="a bug"), failures.of(runs):
        for run in runs:
            run_results.settle(run, Outcome(run.run_id, status="finished"))
        raise ValueError("a bug")


def test_no_run_begins_after_a_stop(runs: list[Run]) -> None:
    run_results = Results(None)
    groups = run_results.groups(runs, lambda run: run.run_id)
    first = next(groups)
    outcome = Outcome(runs[0].run_id, status="finished")
    run_results.settle(runs[0], outcome)
    run_results.stop(first)
    assert outcome.stop_requested
    assert list(groups) == []
