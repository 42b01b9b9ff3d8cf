"""A warm worker: commands that start in it, and are in all other ways what they were."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import warehouse
from tests.conftest import Site
from tests.runner.session import as_users_have_it

PLUGIN = """
import json, os, pathlib, sys
import numpy as np
from runner import Data, Task, dataset

@dataset
def told():
    '''Tells in which process it is made.'''
    told = {
        "process": os.getpid(), "parent": os.getppid(), "version": VERSION,
        "drawn": float(np.random.random()), "terminal": sys.stdout.isatty(),
    }
    pathlib.Path("half.json").write_text(json.dumps(told))
    os.replace("half.json", "told.json")  # whole, as soon as it is there
    x = np.arange(400, dtype="float32").reshape(100, 4) / 400
    return Data(x, np.arange(100) % 2, Task.classification(2))
"""


@dataclass
class Shell:
    """A user's folder and environment."""

    folder: Path
    environment: dict[str, str]
    site: Site
    worker: int = 0
    """The process of the warm worker that is there, or was."""

    def start(self, *words: str, **environment: str) -> subprocess.Popen[str]:
        """Type `python -m runner ...`; both streams are one."""
        return subprocess.Popen(
            [sys.executable, "-m", "runner", *words],
            cwd=self.folder,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def type(self, *words: str, **environment: str) -> tuple[int, str]:
        """The same; its exit code, and what it said."""
        typed = self.start(*words, **environment)
        said, _ = typed.communicate(timeout=120)
        return typed.returncode, said

    def train(self, *words: str, **environment: str) -> dict[str, Any]:
        """Train a run, and hear in which process its data were made."""
        code, said = self.type("dataset=told", "epochs=1", *words, **environment)
        assert code == 0, said
        told: dict[str, Any] = json.loads((self.folder / "told.json").read_text())
        return told

    @contextlib.contextmanager
    def long_run(self, *words: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
        """A run that takes long and has begun in the worker, and the process that trains it."""
        (self.folder / "told.json").unlink(missing_ok=True)
        with self.start(
            "dataset=told", "epochs=50000", "callback=[slow]", "regularizer=[]", *words
        ) as run:
            process = 0
            try:
                until((self.folder / "told.json").exists, patience=60)
                told = json.loads((self.folder / "told.json").read_text())
                assert told["parent"] == self.worker
                process = told["process"]
                assert run.stdout is not None
                assert any(line.startswith("epoch 3/") for line in run.stdout)
                yield run, process
            finally:
                for left in (run.pid, process):
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(left or run.pid, signal.SIGKILL)

    def statuses(self) -> list[str]:
        """Of all runs, the newest last."""
        with warehouse.connect(self.folder / "results") as connection:
            rows = connection.execute("SELECT status FROM runs ORDER BY run_id").fetchall()
        return [status for (status,) in rows]


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    folder = tmp_path_factory.mktemp("warm")
    site = Site(folder / "site")
    install(site, version=1)
    (folder / "user").mkdir()
    more = {"PYTHONPATH": str(site.folder), "XDG_RUNTIME_DIR": str(folder)}
    shell = Shell(folder / "user", as_users_have_it(more), site)
    yield shell
    with contextlib.suppress(ProcessLookupError):
        if shell.worker:
            os.kill(shell.worker, signal.SIGKILL)


def install(site: Site, version: int) -> None:
    """The plugin, as its author has it at the moment."""
    site.install(PLUGIN.replace("VERSION", str(version)) + SLOW, name="told")


SLOW = """
from runner import callback

@callback
def slow():
    '''Takes its time after each epoch.'''
    import time
    import keras
    return keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: time.sleep(0.02))
"""


@pytest.fixture
def worker(shell: Shell) -> int:
    """A warm worker's process; a test that ends it leaves the next one to start another."""
    if not shell.worker or gone(shell.worker):
        code, said = shell.type("warm")
        assert code == 0, said
        shell.worker = int(said.split()[1])
    return shell.worker


def until(holds: Callable[[], bool], patience: float = 20) -> None:
    """Wait for it, for so many seconds."""
    for _ in range(int(patience / 0.05)):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come")


def state(process: int) -> str:
    """The letter of a process's state; Z where it has ended, waited for or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return "Z"


def gone(process: int) -> bool:
    """Whether a process has ended."""
    return state(process) == "Z"


@pytest.mark.slow
def test_commands_start_in_the_worker_and_run_the_code_of_the_day(
    shell: Shell, worker: int
) -> None:
    first, second = shell.train("seed=1"), shell.train("seed=2")
    assert first["parent"] == second["parent"] == worker
    assert first["process"] != second["process"] and first["drawn"] != second["drawn"]
    install(shell.site, version=2)
    assert (first["version"], shell.train("seed=3")["version"]) == (1, 2)
    # What matters to an import differs, or the user wants none of it.
    assert shell.train("seed=4", TF_NUM_INTEROP_THREADS="1")["parent"] != worker
    assert shell.train("seed=5", SWEEPHOUSE_WARM="off")["parent"] != worker
    assert shell.statuses()[-5:] == ["finished"] * 5


@pytest.mark.slow
def test_the_script_is_handed_over_and_no_other_is(shell: Shell, worker: int) -> None:
    script = "from runner.__main__ import main\nmain()\n"
    for name, parent in (("runner", True), ("mine.py", False)):
        (shell.folder / name).write_text(script)
        done = subprocess.run(
            [sys.executable, name, "dataset=told", "epochs=1", f"seed=1{len(name)}"],
            cwd=shell.folder,
            env=shell.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        told = json.loads((shell.folder / "told.json").read_text())
        assert (told["parent"] == worker) is parent


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_a_command_says_and_its_exit_code_are_those_of_before(
    shell: Shell, worker: int
) -> None:
    for words in (["epochs=0"], ["--cfg", "job", "seed=3"], ["dataset=nosuch"], ["--help"]):
        assert shell.type(*words) == shell.type(*words, SWEEPHOUSE_WARM="off")
    assert shell.type("warm")[1].startswith("there is a warm worker already")
    # A sweep, over which processes of its own are spread.
    code, said = shell.type(
        *("-m", "hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "seed=11,12"),
        *("dataset=told", "epochs=1"),
    )
    assert code == 0 and said.count("finished") >= 2, said


@pytest.mark.slow
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-"])
def test_with_a_stream_closed_a_command_runs_where_it_is(
    shell: Shell, worker: int, closed: str
) -> None:
    typed = f"{sys.executable} -m runner dataset=nosuch {closed}"
    done = subprocess.run(
        ["sh", "-c", typed], cwd=shell.folder, env=shell.environment, capture_output=True
    )
    assert done.returncode == 2


@pytest.mark.many
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.slow
def test_signals_arrive(shell: Shell, worker: int, number: int) -> None:
    with shell.long_run() as (run, process):
        run.send_signal(number)
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 130, said
        assert "stopping after this epoch" in said
        assert gone(process) and shell.statuses()[-1] == "stopped"


@pytest.mark.slow
@pytest.mark.exhaustive
def test_signals_at_any_moment_end_in_one_word(shell: Shell, worker: int) -> None:
    draw = random.Random(3)
    for _ in range(6):
        with shell.start("--cfg", "job") as command:
            time.sleep(0.1 + 0.5 * draw.random())
            number, times = draw.choice([signal.SIGINT, signal.SIGTERM]), draw.choice([1, 2])
            for _ in range(times):
                command.send_signal(number)
                time.sleep(0.05 * draw.random())
            said, _ = command.communicate(timeout=60)
        assert command.returncode in (130, 0), (number, times, said)
        assert "Traceback" not in said


@pytest.mark.slow
def test_suspending_suspends_the_run(shell: Shell, worker: int) -> None:
    with shell.long_run() as (run, process):
        run.send_signal(signal.SIGTSTP)
        # The command stops itself after the run: a SIGCONT before that would be lost.
        until(lambda: state(process) == "T" and state(run.pid) == "T")
        run.send_signal(signal.SIGCONT)
        until(lambda: state(process) != "T")
        run.send_signal(signal.SIGINT)
        run.communicate(timeout=60)
        assert run.returncode == 130 and gone(process)


@pytest.mark.slow
def test_a_killed_command_takes_its_run_with_it_and_loses_nothing(
    shell: Shell, worker: int
) -> None:
    with shell.long_run("seed=31") as (run, process), shell.long_run("seed=32") as (other, second):
        run.kill()
        run.communicate()
        until(lambda: gone(process))
        assert not gone(second)
        # An older worker that still has a run does not stand in the way of a newer one.
        assert shell.type("warm", "--stop") == (0, "the warm worker ends\n")
        code, said = shell.type("warm")
        assert code == 0, said
        shell.worker = int(said.split()[1])
        other.send_signal(signal.SIGINT)
        other.communicate(timeout=60)
        assert other.returncode == 130
        until(lambda: gone(worker))
    assert shell.train("seed=33")["parent"] == shell.worker
    with warehouse.connect(shell.folder / "results") as con:
        query = "SELECT status, epochs > 2 FROM runs WHERE seed IN (31, 32) ORDER BY seed"
        assert con.execute(query).fetchall() == [("lost", True), ("stopped", True)]


@pytest.mark.slow
def test_a_killed_run_and_a_killed_worker_are_told_of(shell: Shell, worker: int) -> None:
    with shell.long_run() as (run, process):
        os.kill(process, signal.SIGKILL)
        run.communicate(timeout=60)
        assert run.returncode == -signal.SIGKILL
    with shell.long_run() as (run, process):
        os.kill(worker, signal.SIGKILL)
        run.send_signal(signal.SIGINT)
        said, _ = run.communicate(timeout=60)
        assert run.returncode == 1 and "the warm worker was killed" in said
        assert gone(process) and shell.statuses()[-1] == "stopped"
    assert shell.train("seed=21")["parent"] != worker


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_worker_ends_when_it_was_idle(shell: Shell) -> None:
    shell.type("warm", "--stop")
    code, said = shell.type("warm", "--idle", "0.1")
    assert code == 0, said
    until(lambda: gone(int(said.split()[1])))
    assert shell.type("warm", "--stop")[1] == "there is no warm worker for this environment\n"
    code, said = shell.type("warm", "--idle", "0")
    assert code == 2 and "0 is not a number of minutes greater than 0" in said
