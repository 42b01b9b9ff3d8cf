"""`hydra/launcher=submitit`: by processes of this machine, and by a real SLURM of one node."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

import warehouse
from runner.sweep.manifest import standing, sweeps_of
from tests import servers
from tests.faults.engine import PAUSE, SIDE, loss_of
from tests.runner.session import as_users_have_it

ROOT = Path(__file__).parents[3]
PLUGIN = """
import numpy as np
from runner import Data, Task, dataset

@dataset
def steady(*, rows: int = 64) -> Data:
    '''Rows that nobody needs.'''
    features = np.random.default_rng(0).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())
"""
STEADY = ["--plugin", "steadies.py", "dataset=steady", "engine=tests.faults.engine:SteadyEngine"]
Command = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """A command of the runner's, as it is typed in a folder of its own."""
    (tmp_path / "steadies.py").write_text(PLUGIN, encoding="utf-8")

    def run(*words: str, pause: float = 0.0) -> subprocess.CompletedProcess[str]:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        own = {"PYTHONPATH": path, SIDE: str(tmp_path / "side.txt"), PAUSE: str(pause)}
        return subprocess.run(
            [sys.executable, "-m", "runner", *words],
            env=as_users_have_it(own),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


@pytest.fixture
def slurm() -> Iterator[Path]:
    with servers.slurm() as folder:
        yield folder


def rows(tmp_path: Path, query: str) -> Sequence[tuple]:
    with warehouse.connect(tmp_path / "results") as con:
        return con.execute(query).fetchall()


@pytest.mark.slow
def test_packs_are_processes_of_this_machine_where_there_is_no_cluster(
    command: Command, tmp_path: Path
) -> None:
    launcher = ["hydra/launcher=submitit", "hydra.launcher.executor=local"]
    launcher += ["hydra.launcher.pack=2", "hydra.launcher.parallel=2"]
    words = [*STEADY, "-m", *launcher, "seed=0,1,2,3", "epochs=4"]
    done = command(*words)
    assert done.returncode == 0, done.stderr
    assert "submitted 4 runs as 2 processes of this machine: " in done.stdout
    [sweep_id] = sweeps_of(tmp_path / "results")
    assert f"wait      python -m runner wait {sweep_id}\n" in done.stdout
    waited = command("wait", sweep_id[-6:])
    assert waited.returncode == 0, waited.stderr
    assert f"sweep     {sweep_id}: 4 finished" in waited.stdout
    query = "SELECT seed, status, e.loss FROM runs JOIN epochs AS e USING (run_id) WHERE epoch = 4"
    expected = [(seed, "finished", loss_of(seed, 4)) for seed in range(4)]
    assert sorted(rows(tmp_path, query)) == expected
    # What is there is skipped; what is waited for is summed up by the command itself.
    again = command(*words[:-2], "seed=0,1,4", "epochs=4", "hydra.launcher.wait=true")
    assert again.returncode == 0, again.stderr
    assert "submitted 1 run as 1 process of this machine: " in again.stdout
    assert ": 1 finished, 2 trained before" in again.stdout
    assert "finished  " in again.stdout


@pytest.mark.slow
@pytest.mark.exhaustive
def test_packs_are_the_tasks_of_an_array_job(
    command: Command, slurm: Path, tmp_path: Path
) -> None:
    launcher = ["hydra/launcher=submitit", "hydra.launcher.pack=2", "hydra.launcher.time=20"]
    launcher += ["hydra.launcher.cpus=2", "hydra.launcher.more=[comment=mine]"]
    done = command(*STEADY, "-m", *launcher, "seed=0,1,2,3", "epochs=6", pause=0.2)
    assert done.returncode == 0, done.stderr
    assert "submitted 4 runs as 2 jobs of SLURM: " in done.stdout
    [sweep_id] = sweeps_of(tmp_path / "results")
    [submitted] = standing(tmp_path / "results", sweep_id).submitted
    assert [job.partition("_")[2] for job in submitted.jobs] == ["0", "1"]
    told = subprocess.run(["scontrol", "show", "job"], capture_output=True, text=True, timeout=60)
    assert "CPUs/Task=2" in told.stdout and "Comment=mine" in told.stdout
    waited = command("wait")
    assert waited.returncode == 0, waited.stdout + waited.stderr
    assert f"sweep     {sweep_id}: 4 finished" in waited.stdout
    assert rows(tmp_path, "SELECT count(*) FROM runs") == [(4,)]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_job_that_is_requeued_goes_on_from_the_checkpoint(
    command: Command, slurm: Path, tmp_path: Path
) -> None:
    words = ["-m", "hydra/launcher=submitit", "epochs=24", "seed=0,1", "checkpoint=1"]
    words += ["engine=tests.faults.engine:RealEngine", "dataset=digits"]
    done = command(*words, pause=0.5)
    assert done.returncode == 0, done.stderr
    [sweep_id] = sweeps_of(tmp_path / "results")
    [submitted] = standing(tmp_path / "results", sweep_id).submitted
    side, end = tmp_path / "side.txt", time.monotonic() + 200
    while not side.exists() or side.read_text().count(" epoch ") < 3:
        assert time.monotonic() < end, printed(tmp_path)
        time.sleep(0.1)
    subprocess.run(["scontrol", "requeue", submitted.jobs[0]], check=True, timeout=60)
    waited = command("wait", sweep_id)
    assert waited.returncode == 0, waited.stdout + waited.stderr + printed(tmp_path)
    assert "2 finished, 1 interrupted and tried again" in waited.stdout
    query = "SELECT status, epochs, run_id, resumed_from FROM runs WHERE seed = {} ORDER BY run_id"
    [first, second] = rows(tmp_path, query.format(0))
    assert first[0] == "stopped" and 3 <= first[1] < 24
    assert second[:2] == ("finished", 24) and second[3] == first[2]
    assert [row[:2] for row in rows(tmp_path, query.format(1))] == [("finished", 24)]


def printed(tmp_path: Path) -> str:
    """What the jobs printed."""
    files = sorted((tmp_path / "results/sweeps").rglob("*_log.*"))
    return "\n".join(file.read_text() for file in files)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["executor=cloud"], "hydra.launcher.executor=cloud is not valid: auto, slurm or local"),
        (["time=0"], "hydra.launcher.time=0 is not valid: give a whole number from 1 on"),
        (["pack=0"], "hydra.launcher.pack=0 is not valid: give auto, or how many runs"),
        (["wait=later"], "hydra.launcher.wait=later is not valid: auto, true or false"),
    ],
)
def test_what_is_no_setting_is_one_sentence(words: list[str], sentence: str) -> None:
    from runner.errors import ConfigError
    from runner.sweep.launching.submitit import SubmititSettings, _checked

    given = dict(word.split("=") for word in words)
    typed = {name: int(value) if value.isdigit() else value for name, value in given.items()}
    with pytest.raises(ConfigError) as raised:
        _checked(SubmititSettings(**typed))
    assert str(raised.value).startswith(sentence)


def test_without_slurm_or_without_submitit_it_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from runner.errors import ConfigError
    from runner.sweep.launching.submitit import SubmititSettings, _checked

    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ConfigError, match="there is no sbatch on this machine"):
        _checked(SubmititSettings(executor="slurm"))
    assert _checked(SubmititSettings()) == "local"
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(ConfigError, match=r"pip install 'sweephouse\[slurm\]'"):
        _checked(SubmititSettings())
