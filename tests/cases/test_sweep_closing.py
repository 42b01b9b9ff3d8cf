"""A sweep is all runs that it names: its table, its closing words, and what a sweeper is told."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import warehouse
from runner.config.compose import compose
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.sweep import SWEEP, Sweep
from tests.conftest import Site
from tests.faults.engine import SIDE, loss_of
from warehouse.place import Place
from warehouse.rebuild import rebuild
from warehouse.verify import verify

ENGINE = "engine=tests.faults.engine:SteadyEngine"
STEADY = """
import numpy as np
from runner import Data, Task, dataset

@dataset
def steady(*, rows: int = 64) -> Data:
    '''Rows that nobody needs.'''
    features = np.random.default_rng(0).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())
"""
Run = Callable[..., tuple[Sweep, list]]


@pytest.fixture
def sweep(site: Site, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a sweep of some jobs, each as its words."""
    site.install(STEADY, "steadies")
    monkeypatch.setenv(SIDE, str(tmp_path / "side.txt"))

    def run(name: str, *jobs: str) -> tuple[Sweep, list]:
        monkeypatch.setenv(SWEEP, name)
        one = Sweep(["-m", f"results={results}"])
        shared = ["dataset=steady", ENGINE, f"results={results}", "epochs=3"]
        configs = [
            JobConfig(words.split(), *reversed(compose([*shared, *words.split()])))
            for words in jobs
        ]
        return one, one.train_batch(iter(configs), len(configs), Path())

    return run


def rows(results: Path, query: str, *values: str) -> Sequence[tuple]:
    with warehouse.connect(results) as con:
        return con.execute(query, values).fetchall()


@pytest.mark.slow
def test_a_skipped_winner_is_a_run_of_the_sweep(
    sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    best = min(range(8), key=lambda seed: loss_of(seed, 3))
    others = [seed for seed in range(8) if seed != best]
    first, _ = sweep("sweep-one", f"seed={best}")
    assert first.close() == 0
    second, values = sweep("sweep-two", *(f"seed={seed}" for seed in [best, *others, others[0]]))
    capsys.readouterr()
    assert second.close() == 0
    assert values[0] == pytest.approx(loss_of(best, 3) + 0.1)
    out = capsys.readouterr().out
    named = rows(
        results,
        "SELECT job, trained FROM sweep_runs WHERE sweep_id = ? ORDER BY trained, job",
        "sweep-two",
    )
    assert named == [(f"seed={best}", "before"), *((f"seed={seed}", "now") for seed in others)]
    lines = out.splitlines()
    assert "sweep     sweep-two: 7 finished, 1 trained before" in lines
    [at] = [i for i, line in enumerate(lines) if line.startswith("best ")]
    assert lines[at] == "best      of 8 by val_loss (min):"
    ranked = sorted(range(8), key=lambda seed: loss_of(seed, 3))
    for place, (seed, line) in enumerate(zip(ranked[:5], lines[at + 1 :], strict=False), 1):
        assert line.split()[0] == str(place) and f"seed={seed}" in line
        assert f"{loss_of(seed, 3) + 0.1:.4g}" in line
    assert lines[at + 1].endswith("(trained before)")
    assert not lines[at + 2].endswith("(trained before)")
    # The closing query finds all eight, too.
    query = out.partition('sql "')[2].partition('"')[0]
    assert len(rows(results, query)) == 8
    # A rebuild from the journals knows it as well.
    place = Place.of(results)
    with place.locked():
        assert verify(place) == []
        rebuild(place)
        assert verify(place) == []
    assert rows(results, "SELECT runs, finished, skipped FROM sweeps ORDER BY sweep_id") == [
        (1, 1, 0),
        (8, 8, 1),
    ]
    assert named == rows(
        results,
        "SELECT job, trained FROM sweep_runs WHERE sweep_id = ? ORDER BY trained, job",
        "sweep-two",
    )


@pytest.mark.slow
def test_the_closing_words_name_the_param_that_moved_the_metric(
    sweep: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = [f"seed={seed} epochs={epochs}" for seed in (0, 1, 2) for epochs in (1, 2, 3)]
    one, _ = sweep("sweep-moved", *jobs)
    capsys.readouterr()
    one.close()
    moved = [line for line in capsys.readouterr().out.splitlines() if line.startswith("moved ")]
    assert moved[0].startswith("moved     epochs: ") and "best 3 (mean 0.43" in moved[0]
    assert "worst 1 (mean 1.1" in moved[0]
    assert not any("batch_size" in line for line in moved)


@pytest.mark.slow
def test_a_job_without_a_value_tells_a_sweeper_the_worst_so_far(
    sweep: Run, results: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = sweep("sweep-worst", "seed=1", "seed=2", "seed=3")
    worst = max(loss_of(seed, 3) + 0.1 for seed in (1, 2, 3))
    assert one.worst() == pytest.approx(worst) and math.isfinite(one.worst())
    # A worker of its own asks the warehouse; where nobody knows, it is as bad as can be.
    one.close()
    monkeypatch.setenv(SWEEP, "sweep-worst")
    assert Sweep(["-m", f"results={results}"]).worst() == pytest.approx(worst)
    monkeypatch.setenv(SWEEP, "sweep-none")
    assert Sweep(["-m", f"results={results}"]).worst() == math.inf
    best, _ = sweep("sweep-max", "seed=1 monitor=val_accuracy", "seed=2 monitor=val_accuracy")
    least = min(0.9 - loss_of(seed, 3) / 2 for seed in (1, 2))
    assert best.worst() == pytest.approx(least)
