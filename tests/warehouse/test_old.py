"""A results folder of the version before goes on: `old/make.py` says what is in it."""

from __future__ import annotations

import gzip
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

import warehouse
from tests.warehouse.conftest import House
from warehouse.place import Place
from warehouse.rebuild import rebuild
from warehouse.verify import verify

OLD = Path(__file__).parent / "old"
ROWS = json.loads((OLD / "rows.json").read_text("utf-8"))
HOST = "old-machine"
FINISHED, FAILED, DELETED, REPLAY, ABANDONED = (
    f"01900000-0000-7000-8000-00000000000{n}" for n in range(1, 6)
)


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """A copy, on the machine that wrote it."""
    monkeypatch.setattr("socket.gethostname", lambda: HOST)
    results = shutil.copytree(OLD / "results", tmp_path / "results")
    packed = results / "warehouse.duckdb.gz"
    packed.with_suffix("").write_bytes(gzip.decompress(packed.read_bytes()))
    packed.unlink()
    assert not (results / ".sweephouse").exists()
    return House(results)


def there(results: Path) -> dict[str, dict[str, Any]]:
    """What `rows.json` holds, of this folder: the columns that there were then, and the rows."""
    with warehouse.connect(results) as con:
        tables = {}
        for table, before in ROWS.items():
            # Moments were without a zone then.
            kinds = dict(
                con.execute(f"SELECT column_name, column_type FROM (DESCRIBE {table})").fetchall()
            )
            columns = ", ".join(
                f"timezone('UTC', {name})" if kinds[name].endswith("TIME ZONE") else f'"{name}"'
                for name in before["columns"]
            )
            rows = con.execute(f"SELECT {columns} FROM {table}").fetchall()
            tables[table] = {"columns": before["columns"], "rows": sorted(map(repr, rows))}
        return tables


@pytest.mark.slow
def test_the_rest_goes_in_and_every_row_is_what_it_was_then(house: House) -> None:
    with warehouse.connect(house.results) as con:  # what waits is laid over it already
        ids = con.execute("SELECT run_id FROM runs ORDER BY run_id").fetchall()
    assert ids == [(run_id,) for run_id in (FINISHED, FAILED, DELETED, REPLAY, ABANDONED)]
    result = warehouse.sync(house.results)
    assert (result.ingested, result.lost) == ([REPLAY, ABANDONED], [ABANDONED])
    assert (result.problems, result.reason, result.waiting) == ([], None, 0)
    assert there(house.results) == ROWS
    place = Place.of(house.results)
    with place.locked():
        assert verify(place) == []
        again, kept = rebuild(place)
    assert len(again.ingested) == 5 and again.problems == [] and kept is not None
    assert there(house.results) == ROWS
    with place.locked():
        assert verify(place) == []


@pytest.mark.slow
def test_journals_alone_are_enough(house: House) -> None:
    (house.results / "warehouse.duckdb").unlink()
    place = Place.of(house.results)
    with place.locked():
        result, kept = rebuild(place)
    assert len(result.ingested) == 5 and result.problems == [] and kept is None
    assert there(house.results) == ROWS


@pytest.mark.slow
def test_every_view_and_command_answers(house: House) -> None:
    with warehouse.connect(house.results) as con:
        views = con.execute("SELECT view_name FROM duckdb_views() WHERE NOT internal").fetchall()
        assert len(views) > 5
        empty = [name for (name,) in views if not con.execute(f"FROM {name}").fetchall()]
        # Of what old journals know nothing.
        new = {"aliases", "alias_history", "search_runs", "trials", "confirmed"}
        assert set(empty) <= new
        assert con.execute(f"FROM compare('{FINISHED}', '{FAILED}')").fetchall()
    for words in (
        ("runs",),
        ("show", FINISHED),
        ("curves", REPLAY),
        ("compare", FINISHED, REPLAY),
        ("verify",),
        ("gc",),
        ("tag", FAILED, "seen"),
        ("sync",),
    ):
        done = house.command(*words)
        assert (done.returncode, done.stderr) == (0, ""), (words, done)


@pytest.mark.slow
def test_another_machine_takes_in_what_fell_silent_and_leaves_its_journal(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "new-machine")
    path = house.journals / f"{ABANDONED}.jsonl"
    hours_ago = time.time() - 7200
    os.utime(path, (hours_ago, hours_ago))
    assert warehouse.sync(house.results).lost == [ABANDONED]
    assert path.exists()
    assert there(house.results) == ROWS


@pytest.mark.slow
def test_hashes_of_configs_and_values_at_best_are_those_that_an_ingest_gives(house: House) -> None:
    query = (
        "SELECT run_id, config_hash, (SELECT list(at_best ORDER BY split, name)::VARCHAR "
        ""
        "FROM run_metrics AS m WHERE m.run_id = r.run_id) FROM runs AS r ORDER BY run_id"
    )
    with warehouse.connect(house.results) as con:
        migrated = con.execute(query).fetchall()
    rebuild(Place.of(house.results))
    with warehouse.connect(house.results) as con:
        assert con.execute(query).fetchall() == migrated
    assert all(digest for _, digest, _ in migrated)
    assert any(values and any(sign.isdigit() for sign in values) for *_, values in migrated)
