"""Ctrl-C and SIGTERM at every stage of every command: one word, 130, and nothing lost.

`SWEEPHOUSE_ROUNDS=20 python -m pytest tests/warehouse/test_stops.py` stops more often.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from pathlib import Path
from typing import NamedTuple

import pytest

import warehouse
from runner.system.stops import PATIENCE
from tests.warehouse.conftest import ROOT, House
from warehouse.__main__ import main

ROUNDS = int(os.environ.get("SWEEPHOUSE_ROUNDS", "1"))
RUNS, EPOCHS = 60, 20
LONG = "SELECT count(*) FROM range(1e12::BIGINT) a, range(10) b"
COMMANDS = (
    ("runs",),
    ("sync",),
    ("verify",),
    ("rebuild",),
    ("gc",),
    ("sql", LONG),
    ("sql", "SELECT unnest(range(30000000))", "--format", "csv"),
)


class Ended(NamedTuple):
    """How a command that was stopped came to its end."""

    code: int
    errors: str
    seconds: float


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, set[str]]:
    """A results folder whose journals wait, and the ids of its runs."""
    house = House(tmp_path_factory.mktemp("full") / "results")
    return house.results, {house.run(epochs=EPOCHS) for _ in range(RUNS)}


def hears(pid: int) -> bool:
    """Whether the process has a handler for SIGTERM."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True
    caught = re.search(r"SigCgt:\s*(\w+)", status)
    return caught is None or bool(int(caught[1], 16) >> (signal.SIGTERM - 1) & 1)


def stop(
    results: Path, words: tuple[str, ...], delay: float, numbers: list[signal.Signals], gap: float
) -> Ended:
    """Start a command and send it signals, and to its children, as a terminal does."""
    process = subprocess.Popen(
        [sys.executable, "-m", "warehouse", "--results", str(results), *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        # Before its first line runs, Python itself is in charge.
        while not hears(process.pid) and process.poll() is None:
            time.sleep(0.001)
        time.sleep(delay)
        since = time.monotonic()
        for number in numbers:
            if process.poll() is None:
                os.killpg(process.pid, number)
            time.sleep(gap)
        _, errors = process.communicate(timeout=30)
        return Ended(process.returncode, errors, time.monotonic() - since)
    finally:
        process.kill()
        process.wait()


def check(results: Path, runs: set[str]) -> None:
    """Nothing is lost, nothing is there twice."""
    done = warehouse.sync(results, wait=10)
    assert not done.reason and not done.problems
    with warehouse.connect(results) as con:
        rows = con.execute("SELECT run_id, count(*) FROM epochs GROUP BY run_id").fetchall()
    assert dict(rows) == dict.fromkeys(runs, EPOCHS)


def check_end(ended: Ended, delay: float) -> None:
    """It was stopped; or, some time after its start, it had come to its end before."""
    stopped = (ended.code, ended.errors) == (130, "stopped\n")
    assert stopped or (delay > 0.2 and (ended.code, ended.errors) == (0, "")), ended
    assert ended.seconds < PATIENCE + 2, ended


@pytest.mark.slow
def test_a_stop_is_one_word_and_130(full: tuple[Path, set[str]], tmp_path: Path) -> None:
    """The stages that matter, one after the other, on one folder."""
    results = shutil.copytree(full[0], tmp_path / "results")
    term, interrupt = signal.SIGTERM, signal.SIGINT
    for words, delay, numbers, gap in (
        (("runs",), 0.0, [interrupt], 0.0),  # while it imports
        (("sync",), 0.0, [term, term], 0.0),
        (("sync",), 0.25, [interrupt, interrupt], 0.02),  # at the ingest
        (("rebuild",), 0.3, [interrupt, term], 0.0),
        (("sql", LONG), 0.8, [term], 0.0),  # inside of the query
        (("sql", LONG), 0.8, [interrupt, interrupt], 0.0),
    ):
        ended = stop(results, words, delay, numbers, gap)
        check_end(ended, delay if words[0] != "sql" else 0.0)
    check(results, full[1])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(ROUNDS))
def test_stops_at_random_moments(full: tuple[Path, set[str]], tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(12):
        results = shutil.copytree(full[0], tmp_path / str(number))
        words = chance.choice(COMMANDS)
        delay = chance.choice([0.0, chance.uniform(0, 0.3), chance.uniform(0, 2)])
        numbers = chance.choices([signal.SIGINT, signal.SIGTERM], k=chance.choice([1, 2, 3]))
        gap = chance.choice([0.0, 0.001, 0.02, 0.2])
        ended = stop(results, words, delay, numbers, gap)
        print(seed, number, words, delay, numbers, gap)  # for whoever has to try it again
        check_end(ended, delay)
        check(results, full[1])
        shutil.rmtree(results)


def test_a_stop_in_this_process_leaves_its_handlers_as_they_were(
    house: House, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    hook = sys.unraisablehook
    for number in (signal.SIGINT, signal.SIGTERM):

        def raised(_: object, number: int = number) -> None:
            signal.raise_signal(number)
            for _ in range(9):  # some Pythons hear a signal at the next turn of a loop
                pass

        monkeypatch.setattr("warehouse.place.Place.of", raised)
        assert main(["runs"]) == 130
        assert capfd.readouterr().err == "stopped\n"
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before
    assert signal.set_wakeup_fd(-1) == -1 and sys.unraisablehook is hook


def test_an_interrupt_that_a_finalizer_swallows_ends_the_command_all_the_same() -> None:
    code = (
        "import signal, sys\n"
        "from warehouse.__main__ import program\n"
        "import warehouse.command_line as line\n"
        "class Last:\n"
        "    def __del__(self):\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "        for _ in range(9):\n"
        "            pass\n"
        "line.run = lambda words: [Last() and None, print('went on')] and 0\n"
        "program()\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "stopped\n")


@pytest.mark.parametrize("command", ["runner", "warehouse"])
@pytest.mark.many
def test_little_is_imported_before_a_command_can_hear(command: str) -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", command, "--version"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    imported = re.findall(r"\| +((?:runner|warehouse)[\w.]*)$", done.stderr, re.MULTILINE)
    before = set(imported[: imported.index("runner.system.stops")])
    assert before <= {
        "warehouse",
        "runner.system",
        "runner.system.signals",
        "runner.system.streams",
    }


@pytest.mark.parametrize("command", ["runner", "warehouse"])
@pytest.mark.parametrize("door", ["module", "script"])
def test_a_command_hears_when_it_imports_its_first_library(
    tmp_path: Path, command: str, door: str
) -> None:
    (tmp_path / "pluggy.py").write_text(
        "import signal, sys\n"
        "sys.exit(signal.getsignal(signal.SIGTERM) == signal.SIG_DFL and 'it is deaf' or 42)\n"
    )
    script = Path(sysconfig.get_path("scripts")) / command
    done = subprocess.run(
        [sys.executable, *(["-m", command] if door == "module" else [str(script)]), "--help"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (42, "")
