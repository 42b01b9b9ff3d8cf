"""Who stopped a run: journals of today say it, those of before by the sentence of their end."""

from __future__ import annotations

import json

import duckdb
import pytest

import warehouse
from tests.warehouse.conftest import House, ending, records
from tests.warehouse.test_schema import migrate_before
from warehouse.database import migrate

BY_USER = "stopped by the user after epoch 2"
CASES = {
    "01": ("stopped", BY_USER, "user", "user"),
    "02": ("stopped", "pruned after epoch 2 by median", "pruned", "pruned"),
    "03": ("stopped", BY_USER, None, "user"),  # an older journal
    "04": ("stopped", "stopped twice", None, "user"),
    "05": ("failed", BY_USER, None, None),  # whatever a failure's sentence is
    "06": ("finished", None, None, None),
}


@pytest.mark.slow
def test_the_reason_is_recorded_or_follows_from_the_sentence(house: House) -> None:
    for run_id, (status, error, reason, _) in CASES.items():
        end = ending(run_id, 2, status=status, error=error, reason=reason)
        file = house.write(records(run_id, 2) + end)
        if reason is None:  # as the version before wrote it
            lines = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
            assert lines[-1].pop("reason") is None
            file.write_text("".join(f"{json.dumps(line)}\n" for line in lines), "utf-8")
    expected = [(run_id, reason) for run_id, (*_, reason) in CASES.items()]
    with warehouse.connect(house.results) as con:
        there = con.execute("SELECT run_id, reason FROM leaderboard ORDER BY run_id").fetchall()
    assert there == expected
    assert not warehouse.sync(house.results).problems
    with warehouse.connect(house.results) as con:
        query = "SELECT run_id, reason FROM runs ORDER BY run_id"
        assert con.execute(query).fetchall() == expected


def test_a_warehouse_of_before_learns_who_stopped_its_runs() -> None:
    with duckdb.connect() as con:
        migrate_before(con, 23)
        for run_id, (status, error, *_) in CASES.items():
            con.execute(
                "INSERT INTO runs BY NAME SELECT ? AS run_id, ? AS status, ? AS error, "
                "'' AS experiment, '' AS fingerprint, 0 AS seed, '' AS engine, '' AS device, "
                "'' AS host, now() AS started_at, 0 AS seconds, 0 AS epochs",
                [run_id, status, error],
            )
        migrate(con)
        there = con.execute("SELECT run_id, reason FROM runs ORDER BY run_id").fetchall()
        by_sentence = {"01": "user", "03": "user", "04": "user"}
        assert there == [(run_id, by_sentence.get(run_id)) for run_id in CASES]
