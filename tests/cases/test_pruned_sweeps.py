"""A sweep with a pruner: who is stopped, what is recorded, and what the next command does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

import warehouse
from runner.commands.resume import resume
from runner.config.compose import compose
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.sweep import SWEEP, Sweep
from tests.conftest import Site
from tests.faults.engine import SIDE

STEADY, PACK = (f"engine=tests.faults.engine:{name}Engine" for name in ("Steady", "Pack"))
TOYS = """
import numpy as np
from runner import Data, Task, dataset, pruner

@dataset
def steady(*, start: int = 0) -> Data:
    '''Rows that nobody needs.'''
    features = np.random.default_rng(start).random((64, 4), dtype="float32")
    return Data(features, np.arange(64) % 2, Task.binary())

asked = []

@pruner
def odd(epoch: int, number: int, *, at: int = 2) -> bool:
    '''Every other run stops.'''
    return epoch >= at and number % 2 == 1

@pruner
def watching(curve, epoch, epochs, others, past, show) -> str:
    '''Keep what it is told; stop nothing.'''
    asked.append((curve, epoch, epochs, list(others), past, show(curve.values[-1])))
    return ""

@pruner
def torn(epoch: int) -> bool:
    '''Break at the second epoch.'''
    return 1 / (2 - epoch) < 0
"""
Run = Callable[..., Sweep]


@pytest.fixture
def sweep(site: Site, tmp_path: Path, results: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a sweep of some jobs, each as its words; its closing words are printed."""
    site.install(TOYS, "prunes")
    monkeypatch.setenv(SIDE, str(tmp_path / "side.txt"))

    def run(name: str, words: str, *jobs: str, code: int = 0, at_once: int = 99) -> Sweep:
        monkeypatch.setenv(SWEEP, name)
        one = Sweep(["-m", f"results={results}"])
        shared = ["dataset=steady", f"results={results}", "epochs=4", *words.split()]
        configs = [
            JobConfig(job.split(), *reversed(compose([*shared, *job.split()]))) for job in jobs
        ]
        for first in range(0, len(configs), at_once):
            batch = configs[first : first + at_once]
            one.train_batch(iter(batch), len(batch), Path())
        assert one.close() == code
        return one

    return run


SEEDS = [f"seed={seed}" for seed in range(4)]


def rows(results: Path, query: str) -> Sequence[tuple]:
    with warehouse.connect(results) as con:
        return con.execute(query).fetchall()


def toys() -> list[tuple]:
    import prunes  # type: ignore[import-not-found]

    return prunes.asked


@pytest.mark.slow
def test_a_pruned_run_is_stopped_with_all_that_it_had_and_the_sweep_is_well(
    sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("s", f"{STEADY} search.pruner={{name:odd,at:3}}", *SEEDS)
    out = capsys.readouterr().out
    assert "sweep     s: 2 finished, 2 pruned" in out
    assert sum(line.startswith("pruned ") for line in out.splitlines()) == 2
    assert "best      of 4 by val_loss (min), 2 pruned with the best of their epochs:" in out
    assert rows(results, "SELECT finished, failed, stopped, pruned FROM sweeps") == [(2, 0, 2, 2)]
    assert rows(
        results,
        "SELECT status, reason, epochs, error, count(*) FROM runs GROUP BY ALL ORDER BY epochs",
    ) == [
        ("stopped", "pruned", 3, "pruned after epoch 3 by odd", 2),
        ("finished", None, 4, None, 2),
    ]
    [(epochs,)] = rows(results, "SELECT count(*) FROM epochs")
    assert epochs == 3 + 3 + 4 + 4
    assert rows(results, "SELECT count(*) FROM failures") == [(0,)]


@pytest.mark.slow
def test_what_the_same_pruner_stopped_is_not_tried_again_and_by_another_it_is(
    sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pruner = f"{STEADY} search.pruner=odd"
    sweep("one", pruner, *SEEDS)
    capsys.readouterr()
    sweep("two", pruner, *SEEDS)
    out = capsys.readouterr().out
    assert out.count("pruned by the same pruner") == 2
    assert "sweep     two: 4 trained before" in out
    sweep("three", f"{STEADY} search.pruner={{name:odd,at:3}}", *SEEDS)
    out = capsys.readouterr().out
    assert "sweep     three: 1 finished, 1 pruned, 2 trained before" in out
    sweep("four", STEADY, *SEEDS)
    out = capsys.readouterr().out
    assert "sweep     four: 1 finished, 3 trained before" in out


@pytest.mark.slow
def test_runs_side_by_side_are_judged_when_all_have_ended_the_epoch(sweep: Run) -> None:
    sweep("s", f"{PACK} search.pruner=watching", *SEEDS)
    asked = toys()
    assert len(asked) == 4 * 3, "not after the last epoch"
    for curve, epoch, epochs, others, past, _ in asked:
        assert epochs == 4 and len(curve.values) == epoch and past == ()
        assert [len(other.values) for other in others] == [epoch] * 3
    assert sorted(curve.number for curve, *_ in asked[:4]) == [0, 1, 2, 3]


@pytest.mark.slow
def test_a_pruner_sees_less_as_better_and_says_it_as_the_metric_has_it(sweep: Run) -> None:
    sweep("s", f"{STEADY} search.pruner=watching monitor=val_accuracy", *SEEDS[:2])
    for curve, *_, shown in toys():
        assert all(value < 0 for value in curve.values)
        assert float(shown) == pytest.approx(-curve.values[-1], rel=1e-3)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_earlier_runs_of_the_sweep_are_others_and_other_data_are_past(
    sweep: Run, results: Path
) -> None:
    sweep("before", STEADY, "dataset.start=1", "seed=0", "seed=1")
    pruner = f"{STEADY} search.pruner=watching"
    sweep("s", pruner, "seed=0", "seed=1", "seed=2")
    _, _, _, others, past, _ = toys()[0]
    assert [(other.status, other.number) for other in others] == [("finished", 0), ("finished", 1)]
    assert [(len(one.values), one.status) for one in past] == [(4, "finished")]
    assert past[0].task and past[0].task != others[0].task
    assert toys()[0][0].number == 2
    # Another batch of the same search, in this process or in another: the first is behind it.
    toys().clear()
    sweep("s", f"{STEADY} search.pruner=watching", "seed=3")
    assert sorted(other.number for other in toys()[0][3]) == [0, 1, 2]
    assert len({id(past) for *_, past, _ in toys()}) == 1


@pytest.mark.slow
def test_jobs_that_are_handed_over_one_by_one_are_one_sweep(sweep: Run) -> None:
    sweep("s", f"{STEADY} search.pruner=watching", *SEEDS[:3], at_once=1)
    assert [curve.number for curve, *_ in toys()] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    for curve, _, _, others, *_ in toys():
        assert [other.number for other in others] == [*range(curve.number)]
        assert {len(other.values) for other in others} <= {4}


@pytest.mark.slow
def test_a_pruner_that_raises_is_named_once_and_the_runs_go_on(
    sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("s", f"{STEADY} search.pruner=torn", *SEEDS)
    [line] = [one for one in capsys.readouterr().err.splitlines() if "torn" in one]
    assert line == (
        "warning: the pruner torn raised ZeroDivisionError: division by zero; the runs go on, "
        "and it is not asked again"
    )
    assert rows(results, "SELECT DISTINCT status FROM runs") == [("finished",)]


@pytest.mark.many
@pytest.mark.parametrize(
    ("pruner", "sentence"),
    [
        ("od", "there is no pruner 'od' (search.pruner=od): did you mean 'odd'?"),
        ("{name:odd,att:1}", "search.pruner has no param 'att': did you mean 'at'?"),
        ("{name:odd,at:soon}", "search.pruner.at=soon is not valid:"),
        ("{at:1}", "search.pruner names no pruner: give search.pruner=<name>, or"),
        ("{name:[odd]}", "search.pruner names no pruner: give search.pruner=<name>, or"),
    ],
)
def test_a_wrong_pruner_is_told_before_anything_trains(
    pruner: str, sentence: str, sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("s", f"{STEADY} search.pruner={pruner}", "seed=0", code=2)
    assert f"error: {sentence}" in capsys.readouterr().err


@pytest.mark.slow
def test_a_pruned_run_is_resumed_from_its_checkpoint_without_a_pruner(
    sweep: Run, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep("s", "engine=fast checkpoint=1 architecture=linear search.pruner=odd", *SEEDS[:2])
    [(run_id, loss)] = rows(
        results,
        "SELECT run_id, arg_max(loss, epoch) FROM runs JOIN epochs USING (run_id) "
        "WHERE reason = 'pruned' GROUP BY run_id",
    )
    [splits] = rows(
        results,
        f"SELECT list(DISTINCT split ORDER BY split) FROM evaluations WHERE run_id = '{run_id}'",
    )
    assert splits == (["test", "val"],), "evaluated as any other"
    capsys.readouterr()
    outcome, _ = resume(run_id, results)
    assert f"resuming {run_id} after epoch 2, without a pruner" in capsys.readouterr().out
    assert (outcome.status, outcome.epochs, outcome.losses[1]) == ("finished", 4, loss)
