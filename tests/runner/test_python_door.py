"""`runner.run` from Python and from notebooks."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runner
import warehouse
from tests.conftest import Site
from tests.runner.session import as_users_have_it

SMALL = ("dataset=iris", "epochs=2", "limit_batches=1")


def test_the_root_offers_what_it_says_and_nothing_else() -> None:
    public = {
        name
        for name, value in vars(runner).items()
        if not name.startswith("_")
        and name not in ("annotations", "TYPE_CHECKING")
        and not hasattr(value, "__spec__")
    }
    # What plugins have no need of is imported when it is asked for.
    late = {name for name in (*runner._LATE, "sweep") if callable(getattr(runner, name))}
    assert public | late == set(runner.__all__)
    # As ruff sorts: constants first.
    assert list(runner.__all__) == sorted(runner.__all__, key=lambda n: (not n.isupper(), n))


def test_the_warehouses_root_offers_what_it_says() -> None:
    assert list(warehouse.__all__) == sorted(warehouse.__all__)
    for name in warehouse.__all__:
        assert hasattr(warehouse, name), name


def test_every_kind_of_component_has_its_decorator_at_the_root() -> None:
    from runner.components.kinds import KINDS

    assert set(KINDS) <= set(runner.__all__)


@pytest.mark.slow
def test_an_outcome_says_what_came_of_the_run(
    train: Callable[..., Any], results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = train(*SMALL)
    assert (outcome.status, outcome.epochs, outcome.error) == ("finished", 2, None)
    assert len(outcome.losses) == 2
    assert set(outcome.evaluations) == {"val", "test"}
    assert outcome.weights.is_relative_to(results)
    said = capsys.readouterr().out
    assert outcome.run_id in said
    assert "epoch 2/2  loss " in said


@pytest.mark.slow
def test_two_runs_in_one_process_do_not_touch_each_other(train: Callable[..., Any]) -> None:
    first = train(*SMALL, "precision=mixed_bfloat16", "seed=1")
    second = train(*SMALL)
    third = train(*SMALL)
    assert second.losses == third.losses
    assert first.losses != second.losses


def test_mistakes_are_raised_for_python(train: Callable[..., Any], results: Path) -> None:
    with pytest.raises(runner.RunnerError, match="epochs=0 is not valid"):
        train("epochs=0")
    with pytest.raises(runner.DataError, match="batch_size=500 is larger"):
        train("dataset=iris", "batch_size=500")
    assert not (results / "journals").exists()


NOTEBOOK = """
import asyncio, json, os, sys
sys.argv = ["ipykernel_launcher", "-f", "kernel.json"]

async def cell():
    from runner import run
    outcome = run(["dataset=iris", "epochs=1", "limit_batches=1"])
    import warehouse
    with warehouse.connect() as connection:
        [(status,)] = connection.execute("SELECT status FROM runs").fetchall()
    print(json.dumps([outcome.status, status, sorted(os.listdir())]))

asyncio.run(cell())
"""


@pytest.mark.slow
def test_it_works_inside_a_notebooks_process(tmp_path: Path) -> None:
    # Its arguments are not ours, an event loop runs, there is no module file; it has no terminal.
    done = subprocess.run(
        [sys.executable, "-W", "error::UserWarning", "-"],
        input=NOTEBOOK,
        cwd=tmp_path,
        env=as_users_have_it(),
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    assert json.loads(last) == ["finished", "finished", ["results"]]
    assert any(line.startswith("epoch 1/1  loss ") for line in said)
    assert done.stderr == ""


@pytest.mark.slow
def test_a_dataset_that_raises_is_a_failed_run_with_its_traceback(
    site: Site, train: Callable[..., Any], results: Path
) -> None:
    site.install(
        """
        from runner import dataset

        @dataset
        def boom():
            "Raises."
            raise KeyError("no such row")
        """
    )
    outcome = train("dataset=boom", "epochs=1")
    assert outcome.status == "failed"
    with warehouse.connect(results) as connection:
        said = connection.execute("SELECT error, traceback FROM failures").fetchone()
    assert said is not None
    assert "no such row" in said[0]
    assert "boom" in said[1]


def test_one_override_may_be_given_as_text(results: Path) -> None:
    with pytest.raises(runner.RunnerError, match="epochs=0 is not valid"):
        runner.run("epochs=0")


@pytest.mark.slow
def test_relative_data_files_count_from_where_the_run_was_started(
    train: Callable[..., Any], results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez(tmp_path / "rows.npz", x=np.random.default_rng(0).random((40, 3)), y=[0, 1] * 20)
    outcome = train("dataset=arrays", "dataset.path=rows.npz", "epochs=1", "batch_size=8")
    with warehouse.connect(results) as connection:
        [(path,)] = connection.execute(
            "SELECT value FROM params WHERE name = 'dataset.path'"
        ).fetchall()
    assert outcome.status == "finished"
    assert path == str(tmp_path / "rows.npz")
