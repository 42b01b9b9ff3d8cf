"""Ctrl-C, SIGTERM, a closed pipe, a dead worker: what ends a run from outside."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter

import pytest

from tests.faults.conftest import House, until
from tests.faults.engine import FAIL
from tests.faults.nursery import STEADY, environment


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_stops_a_run_after_its_epoch(house: House, number: int) -> None:
    run = house.start("seed=1", "epochs=5000", pause=0.01)
    run.until("\nepoch 3/")
    run.kill(number)
    assert run.wait() == 130
    assert run.said.count("stopping after this epoch") == 1 and "Traceback" not in run.said
    assert list(house.check().values()) == ["stopped"]
    assert house.rows("SELECT error FROM runs")[0][0].startswith("stopped by the user after")


@pytest.mark.slow
def test_two_signals_stop_a_run_at_once(house: House) -> None:
    run = house.start("seed=1", "epochs=50", pause=30.0)
    run.until("\nepoch 1/")
    run.kill(signal.SIGINT)
    run.until("once more stops at once")
    asked = time.monotonic()
    run.kill(signal.SIGINT)
    assert run.wait() == 130
    assert time.monotonic() - asked < 10
    assert list(house.check().values()) == ["stopped"]
    assert house.rows("SELECT error, epochs FROM runs") == [("stopped twice", 1)]


@pytest.mark.slow
def test_a_signal_ends_a_sweep_and_the_same_command_goes_on(house: House) -> None:
    words = ["-m", "seed=1,2,3", "epochs=40"]
    sweep = house.start(*words, pause=0.02)
    until(lambda: house.epochs(2) == 2, "no second run:", lambda: sweep.said)
    sweep.kill(signal.SIGINT)
    assert sweep.wait() == 130
    assert Counter(house.check().values()) == {"finished": 1, "stopped": 1}
    again = house.run(*words)
    assert again.wait() == 0
    assert again.said.count("skipped: ") == 1
    assert Counter(house.check().values()) == {"finished": 3, "stopped": 1}


@pytest.mark.slow
def test_a_suspended_run_is_not_lost(house: House) -> None:
    run = house.start("seed=1", "epochs=30", pause=0.01)
    run.until("\nepoch 3/")
    run.kill(signal.SIGSTOP)
    try:
        house.sync()
        assert house.rows("SELECT status FROM runs") == [("running",)]
    finally:
        run.kill(signal.SIGCONT)
    assert run.wait() == 0
    assert list(house.check().values()) == ["finished"]


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_reads_what_it_prints(house: House) -> None:
    runner = subprocess.Popen(
        [sys.executable, "-m", "runner", "-m", "seed=1,2", "epochs=30", *STEADY],
        cwd=house.folder,
        env=environment() | house.environment(0.01),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert runner.stdout is not None and runner.stderr is not None
    until(lambda: house.epochs(2) == 1, "no run:")
    runner.stdout.close()
    errors = runner.stderr.read()
    runner.stderr.close()
    assert (runner.wait(60), errors) == (0, b"")
    assert list(house.check().values()) == ["finished", "finished"]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_killed_worker_of_joblib_and_a_failing_run_cost_no_other(house: House) -> None:
    seeds = ",".join(str(seed) for seed in range(8))
    launcher = ["hydra/launcher=joblib", "hydra.launcher.n_jobs=2"]
    words = ["-m", f"seed={seeds}", "epochs=40", *launcher]
    sweep = house.process(*words, pause=0.02, **{FAIL: "7"})
    victims: list[str] = []

    def at_work() -> bool:
        runs = house.promised()
        victims[:] = [run_id for run_id, run in runs.items() if run.status is None]
        return len(runs) >= 3 and len(victims) > 0

    until(at_work, "no third run:", lambda: sweep.said)
    journal = house.results / "journals" / f"{victims[0]}.jsonl"
    pid = json.loads(journal.read_text().partition("\n")[0])["pid"]
    assert pid != sweep.process.pid
    os.kill(pid, signal.SIGKILL)
    assert sweep.wait() == 1, sweep.said
    statuses = Counter(house.check().values())
    # The other worker may have been taken down with it.
    assert 1 <= statuses.pop("lost") <= 2
    assert statuses.pop("failed") == 1
    assert set(statuses) == {"finished"}
    assert "ValueError: asked to fail" in sweep.said
    assert "error: a worker died" in sweep.said
    assert "its process is gone" in sweep.said
    tried = house.rows("SELECT seed FROM runs ORDER BY seed")
    assert [seed for (seed,) in tried] == list(range(8)), sweep.said
    assert house.rows("SELECT DISTINCT sweep_jobs FROM runs") == [(8,)]  # each of a process' own
    # The same command trains only what is missing.
    again = house.run("-m", f"seed={seeds}", "epochs=40")
    assert again.wait() == 0
    assert again.said.count("skipped: ") == statuses["finished"]
    assert house.rows("SELECT count(DISTINCT seed) FROM runs WHERE status = 'finished'") == [(8,)]
