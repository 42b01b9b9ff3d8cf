"""Processes of one machine: one for each device, which are parts of the processor here; in a long
search one for each processor."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import warehouse
from tests.runner.session import as_users_have_it

ROOT = Path(__file__).parents[3]
PLUGIN = """
import os
from runner import callback

@callback
def killed(*, once: str):
    "Ends its process as the kernel does where memory is short, once."
    import keras
    def end(epoch, logs):
        try:
            os.close(os.open(once, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return
        os.kill(os.getpid(), 9)
    return keras.callbacks.LambdaCallback(on_epoch_end=end)
"""


SEARCHED = """
import os
import sys
from pathlib import Path

import numpy as np
from runner import Data, Task, dataset

@dataset
def small():
    "Sixty rows; leaves the id of each process that loads them, and whether it has TensorFlow."
    Path(f"pid-{os.getpid()}").write_text(str("tensorflow" in sys.modules))
    rows = np.random.default_rng(0).normal(size=(60, 4)).astype("float32")
    return Data(rows, (rows.sum(axis=1) > 0).astype("int64"), Task.classification(2))
"""
SEARCH = ["hydra/sweeper=search", "search.sampler=random", "search.batch=8", "search.confirm=0"]
SPACE = ["architecture.units=[4],[5]", "optimizer.learning_rate=tag(log,interval(1e-3,1e-1))"]


def typed(folder: Path, *words: str, code: int = 0, **environment: str) -> str:
    """What a --multirun says that is typed in the folder, and ends with the code."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    done = subprocess.run(
        [sys.executable, "-m", "runner", "--multirun", *words],
        env=as_users_have_it({"PYTHONPATH": path, "SWEEPHOUSE_WARM": "off", **environment}),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    said = done.stdout + done.stderr
    assert done.returncode == code, said
    return said


def test_a_number_of_processes_is_checked(tmp_path: Path) -> None:
    said = typed(tmp_path, "hydra.launcher.processes=0", "seed=1,2", code=2)
    assert "hydra.launcher.processes=0 is not valid: give auto, or how many processes" in said


@pytest.mark.slow
def test_a_search_has_the_same_trials_by_two_processes_as_by_one(tmp_path: Path) -> None:
    found: list[dict[str, float]] = []
    pids: list[list[str]] = []
    for number in (1, 2):
        (folder := tmp_path / str(number)).mkdir()
        (folder / "toy.py").write_text(SEARCHED, encoding="utf-8")
        words = ["--plugin", "toy.py", f"hydra.launcher.processes={number}", *SEARCH, *SPACE]
        typed(folder, *words, "search.trials=16", "dataset=small", "epochs=2")
        with warehouse.connect(folder / "results") as con:
            asked = "SELECT job, best FROM trials JOIN leaderboard USING (run_id)"
            found.append(dict(con.execute(asked).fetchall()))
        pids.append([path.read_text() for path in folder.glob("pid-*")])
    one, two = found
    assert len(one) == 16 and two == pytest.approx(one, rel=1e-4)
    assert len(pids[0]) == 1
    # The one that plans, and two that train.
    assert sorted(pids[1]) == ["False", "True", "True"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_sweep_is_on_all_devices_and_a_process_that_dies_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "killing.py").write_text(PLUGIN, encoding="utf-8")
    words = ["--plugin", "killing.py", "callback=killed", "callback.killed.once=once"]
    sweep = ["device=gpus", "dataset=iris", "architecture.units=[4]", "epochs=2", "seed=range(16)"]
    said = typed(tmp_path, *words, *sweep, SWEEPHOUSE_CPUS="2")
    assert "16 runs train on 2 of 2 devices" in said
    assert "a process that trains has ended (killed by signal 9)" in said
    assert "16 finished" in said and "interrupted and tried again" in said
    with warehouse.connect(tmp_path / "results") as con:
        finished = con.execute(
            "SELECT count(DISTINCT fingerprint), min(epochs), list_sort(list(DISTINCT device)) "
            "FROM runs WHERE status = 'finished'"
        ).fetchall()
        others = con.execute("SELECT DISTINCT status FROM runs WHERE status <> 'finished'")
        assert others.fetchall() == [("lost",)]
    assert finished == [(16, 2, ["cpu:0", "cpu:1"])]
