"""SIGINT and SIGTERM, once and twice, at every stage of a command."""

from __future__ import annotations

import random
import signal
import time
from pathlib import Path

import pytest

from tests.faults.conftest import House, until

BOTH = (signal.SIGINT, signal.SIGTERM)
RUN = ["seed=1", "epochs=6"]
SWEEP = ["-m", "seed=1,2", "epochs=4", "skip=nothing"]


@pytest.mark.many
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("words", [RUN, SWEEP], ids=["run", "sweep"])
@pytest.mark.slow
def test_a_signal_at_any_step_ends_in_one_word(house: House, words: list[str], times: int) -> None:
    draw = random.Random(f"{words} {times}")
    most = 270 if words is RUN else 500  # events in all, more or less
    for number, event in [(draw.choice(BOTH), int(most ** draw.random())) for _ in range(6)]:
        command = house.run(*words, stop=[number, event, times])
        stage = f"signal {number} at event {event}: {command.said}"
        if command.wait() == 0:  # it had ended before
            assert event > 200, stage
            continue
        assert command.wait() == 130, stage
        assert "Traceback" not in command.said and "rror" not in command.said, stage
        if times == 1:
            assert command.said.endswith("stopped\n"), stage
    house.run("seed=9", "epochs=1")
    house.check()


@pytest.mark.slow
def test_a_signal_while_a_command_is_being_imported(house: House) -> None:
    draw = random.Random(11)
    for _ in range(5):
        command = house.process("--cfg", "job")
        # Python itself takes about 0.03 s to begin.
        time.sleep(0.1 + 0.6 * draw.random())
        number = draw.choice(BOTH)
        command.kill(number)
        if twice := draw.random() < 0.6:
            time.sleep(0.05 * draw.random())
            command.kill(number)
        assert command.wait() in (130, 0), command.said
        assert "Traceback" not in command.said, (number, twice)


@pytest.mark.many
@pytest.mark.parametrize("number", BOTH)
def test_a_second_signal_ends_what_the_first_cannot(house: House, number: int) -> None:
    """Data that are made in one long call of C."""
    site = house.folder / "site"
    install(site)
    run = house.start("dataset=long", "engine=tests.faults.engine:SteadyEngine", site=str(site),
                      stop=[number, 10**9, 0])  # fmt: skip
    until((house.folder / "begun").exists, "no data:", lambda: run.said)
    run.kill(number)
    time.sleep(0.2)
    assert not run.ended()
    asked = time.monotonic()
    run.kill(number)
    assert run.wait() == 130
    assert time.monotonic() - asked < 5
    assert "Traceback" not in run.said


@pytest.mark.slow
def test_an_interrupted_query_is_no_failed_run(house: House) -> None:
    site = house.folder / "site"
    install(site)
    run = house.start("dataset=asking", "engine=tests.faults.engine:SteadyEngine", site=str(site),
                      stop=[signal.SIGINT, 10**9, 0])  # fmt: skip
    until((house.folder / "begun").exists, "no data:", lambda: run.said)
    time.sleep(0.1)
    run.kill(signal.SIGINT)
    assert (run.wait(), run.said) == (130, "stopped\n")
    house.sync()
    assert house.rows("SELECT * FROM runs") == []


LONG = '''
import hashlib
import pathlib
import duckdb
import numpy as np
from runner import Data, Task, dataset

@dataset
def long():
    """Takes minutes, in which Python does not look for signals."""
    pathlib.Path("begun").touch()
    hashlib.pbkdf2_hmac("sha256", b"", b"", 2**28)
    return Data(np.zeros((8, 2), "float32"), np.arange(8) % 2, Task.binary())

@dataset
def asking():
    """Asks DuckDB for what takes minutes."""
    pathlib.Path("begun").touch()
    duckdb.sql("SELECT sum(a.range * b.range) FROM range(1000000) a, range(100000) b").fetchall()
    return Data(np.zeros((8, 2), "float32"), np.arange(8) % 2, Task.binary())
'''


def install(site: Path) -> None:
    """A plugin with both datasets."""
    about = site / "long-1.0.dist-info"
    about.mkdir(parents=True)
    (site / "long_data.py").write_text(LONG, encoding="utf-8")
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: long\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[runner]\nlong = long_data\n")
