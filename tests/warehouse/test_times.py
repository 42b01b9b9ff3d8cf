"""Moments in SQL mean the same wherever one lives, through every door."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse
from tests.warehouse.conftest import ROOT, House
from tests.warehouse.test_schema import migrate_before
from warehouse.database import migrate
from warehouse.document import document

LATELY = "SELECT count(*) FROM runs WHERE started_at > now() - INTERVAL 1 HOUR"
DOORS = f"""
import duckdb, sys, warehouse
results = sys.argv[1]
for con in (warehouse.connect(results), duckdb.connect(results + "/warehouse.duckdb")):
    print(con.execute({LATELY!r}).fetchone()[0])
    print(con.execute("SELECT now() - max(started_at) < INTERVAL 1 HOUR FROM runs").fetchone()[0])
    first, last = con.execute("SELECT min(started_at), max(started_at) FROM runs").fetchone()
    print(int(first.timestamp()), int(last.timestamp()))
    con.execute("SELECT now()").fetchone()
    con.close()
"""


def run_at(house: House, before: timedelta) -> int:
    moment = datetime.now(UTC) - before
    house.run(started_at=moment.isoformat())
    return int(moment.timestamp())


@pytest.mark.many
@pytest.mark.parametrize("zone", ["America/New_York", "Asia/Tokyo"])
@pytest.mark.slow
@pytest.mark.file_only
def test_the_last_hour_is_the_last_hour_everywhere(house: House, zone: str) -> None:
    first, last = run_at(house, timedelta(minutes=90)), run_at(house, timedelta(minutes=30))
    warehouse.sync(house.results)
    done = subprocess.run(
        [sys.executable, "-c", DOORS, str(house.results)],
        cwd=ROOT,
        env=os.environ | {"TZ": zone},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:-1] == ["1", "True", f"{first} {last}"] * 2


@pytest.mark.slow
# DuckDB 1.5 asks pandas for something that goes away.
@pytest.mark.filterwarnings("ignore:The inplace keyword")
def test_frames_know_the_zone(house: House) -> None:
    moment = run_at(house, timedelta(minutes=30))
    with warehouse.connect(house.results) as con:
        (seen,) = con.sql("SELECT started_at FROM leaderboard").df()["started_at"]
    assert (seen.tzinfo is not None, int(seen.timestamp())) == (True, moment)


def test_moments_of_a_warehouse_from_before_are_read_as_utc(tmp_path: Path) -> None:
    """Migrated in another zone, a moment stays the one that was written."""
    with duckdb.connect(tmp_path / "old.duckdb") as con:
        con.execute("SET TimeZone = 'Asia/Tokyo'")
        migrate_before(con, 10)
        con.execute(
            "INSERT INTO runs (run_id, status, started_at) VALUES ('a', 'lost', '2026-11-01')"
        )
        con.execute("INSERT INTO care VALUES ('e', 'note', '2026-11-01 01:00', 'a', 'mine')")
        migrate(con)
        rows: Any = con.execute(
            "SELECT epoch(started_at), epoch(noted_at) FROM runs JOIN notes USING (run_id)"
        ).fetchall()
    moment = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    assert rows == [(moment, moment + 3600)]


def test_no_column_is_a_moment_without_a_zone() -> None:
    assert "| TIMESTAMP |" not in document()
