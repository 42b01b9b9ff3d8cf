"""Many processes on one warehouse: nobody waits, nothing is lost, nothing doubles."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable
from typing import Any

import pytest

import warehouse
from tests.warehouse.conftest import House
from tests.warehouse.test_ingest import hold

Ask = Callable[..., list[tuple[Any, ...]]]
ROUNDS = int(os.environ.get("SWEEPHOUSE_ROUNDS", "1"))

MAKER = """
import sys, time
from pathlib import Path
import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from tests.warehouse.conftest import ending, records

def one(epochs=4, pause=0.0):
    run_id = new_run_id()
    with Journal(Path(results) / "journals", run_id) as journal:
        for record in records(run_id, epochs) + ending(run_id, epochs):
            journal.append(record)
            print(run_id, getattr(record, "epoch", 0), flush=True)
            time.sleep(pause)
        journal.finish()
    warehouse.sync(results)
"""


def sound(house: House, rows: Ask) -> None:
    """Each run once, with as many epochs as it says."""
    assert (
        rows(
            house,
            "SELECT r.run_id FROM runs AS r LEFT JOIN epochs AS e USING (run_id) "
            "GROUP BY r.run_id, r.epochs "
            "HAVING count(e.epoch) <> r.epochs OR count(DISTINCT e.epoch) <> r.epochs",
        )
        == []
    )
    assert rows(house, "SELECT count(*) - count(DISTINCT run_id) FROM runs") == [(0,)]


@pytest.mark.slow
@pytest.mark.parametrize("round", range(ROUNDS))
@pytest.mark.parametrize("many", [2, 8])
def test_first_starts_at_once_all_succeed(house: House, rows: Ask, many: int, round: int) -> None:
    makers = [
        house.python(MAKER + "print('ready', flush=True)\ninput()\none()") for _ in range(many)
    ]
    for maker in makers:
        assert maker.stdout is not None and maker.stdout.readline() == "ready\n"
    for maker in makers:
        assert maker.stdin is not None
        maker.stdin.write("\n")
        maker.stdin.flush()
    for maker in makers:
        _, errors = maker.communicate(timeout=60)
        assert (maker.returncode, errors) == (0, "")
    warehouse.sync(house.results, wait=5)
    assert rows(house, "SELECT count(*) FROM runs") == [(many,)]
    assert rows(house, "SELECT count(*) FROM migrations WHERE number = 1") == [(1,)]
    sound(house, rows)


@pytest.mark.slow
def test_makers_do_not_wait_for_holders_and_nothing_is_lost(house: House, rows: Ask) -> None:
    house.run()
    warehouse.sync(house.results)
    holder = hold(house, read_only=True)
    flicker = house.python(
        "import duckdb, time\n"
        "until = time.monotonic() + 4\n"
        "while time.monotonic() < until:\n"
        "    try: duckdb.connect(results + '/warehouse.duckdb').close()\n"
        "    except duckdb.Error: pass\n"
        "    time.sleep(0.02)\n"
    )
    makers = [house.python(MAKER + "for _ in range(4): one()") for _ in range(8)]
    listed = set()
    for maker in makers:
        # They end while the holder stays: nobody waited for the database.
        printed, errors = maker.communicate(timeout=60)
        assert (maker.returncode, errors) == (0, "")
        listed |= {line.split()[0] for line in printed.splitlines()}
    holder.communicate("\n")
    flicker.communicate()
    warehouse.sync(house.results, wait=5)
    there = {run_id for (run_id,) in rows(house, "SELECT run_id FROM runs")}
    assert len(listed) == 32 and listed < there and len(there) == 33
    sound(house, rows)


@pytest.mark.slow
def test_killed_makers_and_killed_ingests_lose_and_double_nothing(house: House, rows: Ask) -> None:
    chance = random.Random(3)
    heard: dict[str, int] = {}
    for _ in range(4):
        makers = [house.python(MAKER + "while True: one(pause=0.001)") for _ in range(3)]
        for maker in makers:
            assert maker.stdout is not None and maker.stdout.readline()
        time.sleep(0.2 + chance.random() * 0.6)
        for maker in makers:
            maker.send_signal(signal.SIGKILL)
        for maker in makers:
            printed, _ = maker.communicate()
            for line in printed.splitlines(keepends=True):
                # A kill can tear what was printed, too.
                if line.endswith("\n") and len(words := line.split()) == 2:
                    heard[words[0]] = max(heard.get(words[0], 0), int(words[1]))
    result = warehouse.sync(house.results, wait=5)
    assert (result.waiting, result.problems, result.reason) == (0, [], None)
    there = dict(rows(house, "SELECT run_id, epochs FROM runs"))
    assert len(heard) >= 12
    assert [(run, n) for run, n in heard.items() if there.get(run, 0) < n] == []
    sound(house, rows)
    statuses = {status for (status,) in rows(house, "SELECT DISTINCT status FROM runs")}
    assert statuses <= {"finished", "lost"}
    assert house.command("verify").stdout == "all is well\n"
