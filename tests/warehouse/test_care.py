"""Care of what is kept: tags, deletion, gc, rebuild, verify, and broken databases."""

from __future__ import annotations

import gzip
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from tests.warehouse.conftest import House, ending, records
from warehouse.journals.read import read
from warehouse.lake.schema import described
from warehouse.place import Place
from warehouse.verify import verify

Ask = Callable[..., list[tuple[Any, ...]]]


def tables(house: House) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table, the record of migrations aside."""
    file = house.results / "warehouse.duckdb"
    is_lake = not file.exists()
    con = warehouse.connect(house.results) if is_lake else duckdb.connect(file, read_only=True)
    with con:
        return {
            name: sorted(con.execute(f"FROM {name}").fetchall(), key=repr)
            for name in (table.name for table in described())
            if name != "migrations"
        }


def check_rebuild(house: House) -> None:
    """Where a file is behind it, verify has nothing to say, and a rebuild makes it anew."""
    if (house.results / "warehouse.duckdb").exists():
        assert verify(Place(house.results)) == []
        assert house.command("rebuild").returncode == 0


def aged(house: House) -> None:
    """Make every weights file look a day old."""
    past = time.time() - 86_400
    for path in (house.results / "weights").rglob("*"):
        if path.is_file():
            os.utime(path, (past, past))


@pytest.mark.slow
@pytest.mark.file_only
def test_rebuild_makes_an_equal_database_table_by_table(house: House) -> None:
    one, two, lost = house.run(), house.run(epochs=5), new_run_id()
    warehouse.sync(house.results)
    house.write(records(lost, 2), finish=False)
    warehouse.sync(house.results)
    house.write([*records(lost, 4), house.weights(lost, b"abc"), *ending(lost, 4)])
    assert house.command("tag", one, "good", "better").returncode == 0
    assert house.command("tag", one, "better", "--remove").returncode == 0
    assert house.command("note", one, "look at this").returncode == 0
    assert house.command("delete", two).returncode == 0
    before = tables(house)
    assert len(before["runs"]) == 3 and len(before["care"]) == 5
    done = house.command("rebuild")
    assert (done.returncode, done.stderr) == (0, "")
    assert tables(house) == before
    # The old file is kept, whole, whatever it holds.
    (kept,) = house.results.glob("*.before-*")
    with duckdb.connect(str(kept), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM runs").fetchall() == [(3,)]
    (house.results / "warehouse.duckdb").unlink()
    third = house.run()
    # A new, empty index would hide what is archived.
    assert "is gone, its archived journals are not" in warehouse.sync(house.results).sentence()
    with pytest.raises(warehouse.WarehouseError, match="rebuild"):
        warehouse.connect(house.results)
    assert house.command("rebuild").returncode == 0
    assert {row[0] for row in tables(house)["runs"]} == {one, two, lost, third}


@pytest.mark.slow
def test_tags_notes_and_deletion_show_and_can_be_taken_back(house: House, rows: Ask) -> None:
    run_id, other = house.run(), house.run()
    for words in (
        ("tag", run_id, "good"),
        ("note", run_id, "why not"),
        ("delete", other),
    ):
        assert house.command(*words).returncode == 0
    assert rows(house, "SELECT run_id, tag FROM tags") == [(run_id, "good")]
    assert rows(house, "SELECT note FROM notes") == [("why not",)]
    assert rows(house, "SELECT run_id FROM leaderboard") == [(run_id,)]
    assert run_id[-8:] in house.command("runs", "--tag", "good").stdout
    assert other[-8:] in house.command("runs", "--deleted").stdout
    assert house.command("undelete", other).returncode == 0
    assert house.command("tag", run_id, "good", "--remove").returncode == 0
    assert rows(house, "FROM tags") == []
    assert rows(house, "SELECT count(*) FROM leaderboard") == [(2,)]
    assert house.command("note", run_id, " ").returncode == 2


@pytest.mark.slow
@pytest.mark.file_only
def test_care_waits_like_a_run_while_the_database_is_held(house: House, rows: Ask) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb"), read_only=True):
        assert house.command("tag", run_id, "kept").returncode == 0
        assert rows(house, "SELECT tag FROM tags") == [("kept",)]
    assert warehouse.sync(house.results).sentence() == "0 runs taken in"
    assert rows(house, "SELECT tag FROM tags") == [("kept",)]
    assert len(list((house.journals / "archive").glob("care-*"))) == 1


@pytest.mark.slow
@pytest.mark.file_only
def test_gc_removes_only_what_no_live_run_refers_to(house: House) -> None:
    keep, drop, running = new_run_id(), new_run_id(), new_run_id()
    shared = [house.weights(run_id, b"shared") for run_id in (keep, drop)]
    only = house.weights(drop, b"only of the deleted run")
    held = house.weights(running, b"of a running run")
    house.write([*records(keep, 1), shared[0]], finish=False)
    house.write([*records(drop, 1), shared[1], only], finish=False)
    orphan = house.results / "weights" / "orphan.safetensors"
    orphan.write_bytes(b"never referred to")
    aged(house)
    young = house.results / "weights" / "young.safetensors"
    young.write_bytes(b"a run is about to refer to it")
    with Journal(house.journals, running) as journal:
        for record in [*records(running, 1), held]:
            journal.append(record)
        assert house.command("delete", drop).returncode == 0
        dry = house.command("gc")
        assert "1 file," in dry.stdout and "--yes removes them" in dry.stdout
        assert (house.results / only.uri).exists() and orphan.exists()
        assert house.command("gc", "--yes").returncode == 0
    left = {p.name for p in (house.results / "weights").rglob("*") if p.is_file()}
    # What no run has stored there is somebody's own.
    assert left == {Path(shared[0].uri).name, Path(held.uri).name, young.name, orphan.name}
    assert "gc has removed weights of theirs" in house.command("undelete", drop).stdout
    before = tables(house)
    assert house.command("rebuild").returncode == 0
    assert tables(house) == before


@pytest.mark.file_only
def test_gc_refuses_where_the_index_is_not_complete(house: House) -> None:
    run_id = new_run_id()
    saved = house.weights(run_id, b"abc")
    house.write([*records(run_id, 1), saved], finish=False)
    warehouse.sync(house.results)
    aged(house)
    (house.results / "warehouse.duckdb").unlink()
    done = house.command("gc", "--yes")
    assert done.returncode == 2 and "is gone, its archived journals are not" in done.stderr
    assert (house.results / saved.uri).exists()


@pytest.mark.slow
@pytest.mark.file_only
def test_verify_finds_nothing_wrong_with_a_sound_house(house: House) -> None:
    run_id, waiting = new_run_id(), new_run_id()
    house.write([*records(run_id, 2), house.weights(run_id, b"abc"), *ending(run_id, 2)])
    warehouse.sync(house.results)
    house.write(records(waiting, 2), finish=False)
    done = house.command("verify")
    assert (done.returncode, done.stdout) == (0, "all is well\n"), done.stdout


@pytest.mark.many
@pytest.mark.parametrize(
    ("added", "name"),
    [
        ("CREATE TABLE mine AS SELECT 1 AS a", "mine"),
        ("CREATE VIEW best_of AS FROM leaderboard", "best_of"),
        ("CREATE SCHEMA s; CREATE TABLE s.own AS SELECT run_id FROM runs", "s.own"),
        ("ALTER TABLE runs ADD COLUMN mine VARCHAR", "the table runs was changed: mine was added"),
    ],
)
@pytest.mark.slow
@pytest.mark.file_only
def test_what_a_user_has_added_is_kept_aside_and_said(house: House, added: str, name: str) -> None:
    house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(added)
    done = house.command("verify")
    assert done.returncode == ("ALTER" in added) and "Traceback" not in done.stderr
    done = house.command("rebuild")
    assert f"what was added to it is there alone: {name}\n" in done.stdout
    assert house.command("verify").returncode == 0
    assert "alone" not in house.command("rebuild").stdout


CHANGES = [
    "UPDATE epochs SET loss = loss + 1 WHERE run_id = '{run}' AND epoch = 1",
    "DELETE FROM metrics WHERE run_id = '{run}' AND epoch = 2",
    "INSERT INTO evaluations FROM evaluations WHERE run_id = '{run}' LIMIT 1",
    "UPDATE runs SET seed = 8 WHERE run_id = '{run}'",
    "UPDATE runs SET journal_sha256 = 'x' WHERE run_id = '{run}'",
    "DELETE FROM row_sums; DELETE FROM params WHERE run_id = '{run}'",
    "DELETE FROM runs WHERE run_id = '{run}'",
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.slow
@pytest.mark.file_only
def test_verify_reads_again_only_where_rows_or_journals_are_others(
    house: House, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [house.run() for _ in range(3)]
    warehouse.sync(house.results)
    place = Place.of(house.results)
    loaded: list[str] = []
    monkeypatch.setattr(
        "warehouse.rebuild.read", lambda path: (loaded.append(path.name), read(path))[1]
    )
    with place.locked():
        assert verify(place) == [] and loaded == []
        with duckdb.connect(str(place.database)) as con:
            con.execute(change.format(run=ids[1]))
        (first, *_) = problems = verify(place)
    assert ids[1] in first and not any(ids[0] in line or ids[2] in line for line in problems)
    assert f"{ids[1]}.jsonl.gz" in loaded


@pytest.mark.slow
@pytest.mark.file_only
def test_verify_names_what_is_wrong(house: House) -> None:
    run_id, gone = new_run_id(), new_run_id()
    saved, missing = house.weights(run_id, b"abc"), house.weights(gone, b"to be missed")
    house.write([*records(run_id, 2), saved, *ending(run_id, 2)])
    house.write([*records(gone, 2), missing, *ending(gone, 2)])
    third = house.run()
    fourth = house.run()
    warehouse.sync(house.results)
    (house.results / saved.uri).write_bytes(b"abd")
    (house.results / missing.uri).unlink()
    archive = house.journals / "archive"
    (archive / f"{third}.jsonl.gz").write_bytes(b"no gzip")
    torn = archive / f"{fourth}.jsonl.gz"
    torn.write_bytes(torn.read_bytes()[:-20])
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute("DELETE FROM epochs WHERE run_id = $1 AND epoch = 2", [run_id])
    house.run(version=9)
    done = house.command("verify")
    assert done.returncode == 1
    for word in (
        f"{saved.uri} is not what was saved",
        f"{missing.uri} cannot be read",
        f"archive/{third}.jsonl.gz cannot be read",
        f"archive/{fourth}.jsonl.gz cannot be read",
        f"epochs: rows missing that their journals have, of run {run_id}",
        f"run {run_id} says that it trained 2 epochs, 1 are there",
        "format version 9",
    ):
        assert word in done.stdout, done.stdout
    before = tables(house)
    rebuilt = house.command("rebuild")
    assert rebuilt.returncode == 1 and f"{third}.jsonl.gz cannot be read" in rebuilt.stderr
    # The old file alone still has the rows of the damaged journals: it is kept.
    kept = max(house.results.glob("warehouse.duckdb.before-*"))
    with duckdb.connect(str(kept), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM runs").fetchall() == [(len(before["runs"]),)]


@pytest.mark.slow
@pytest.mark.parametrize("cut", [0, 100, 5000, 20_000, None])
@pytest.mark.file_only
def test_a_damaged_database_is_named_set_aside_and_rebuilt(house: House, cut: int | None) -> None:
    run_id = house.run(epochs=50)
    warehouse.sync(house.results)
    before = tables(house)
    path = house.results / "warehouse.duckdb"
    content = path.read_bytes()
    damaged = b"x" * len(content) if cut is None else content[:cut]
    path.write_bytes(damaged)
    second = house.run()
    result = warehouse.sync(house.results)
    assert result.waiting == 1 and "`python -m warehouse rebuild`" in result.sentence()
    done = house.command("runs")
    assert done.returncode == 2 and "`python -m warehouse rebuild`" in done.stderr
    assert path.read_bytes() == damaged
    rebuilt = house.command("rebuild")
    assert rebuilt.returncode == 0 and "the old one is kept as" in rebuilt.stdout
    (kept,) = house.results.glob("warehouse.duckdb.broken-*")
    assert kept.read_bytes() == damaged
    after = tables(house)
    assert {row[0] for row in after["runs"]} == {run_id, second}
    assert set(before["epochs"]) < set(after["epochs"])


def test_archived_journals_are_compressed_and_equal_ones_make_equal_files(house: House) -> None:
    run_id = house.run(epochs=100)
    plain = (house.journals / f"{run_id}.done.jsonl").read_bytes()
    warehouse.sync(house.results)
    packed = (house.journals / f"archive/{run_id}.jsonl.gz").read_bytes()
    assert gzip.decompress(packed) == plain
    assert len(packed) < len(plain) / 2
    assert packed[4:8] == b"\0\0\0\0"


def said_in_2099(house: House, action: str, run_id: str | None, text: str | None = None) -> None:
    """Care in a journal of a machine whose clock was wrong."""
    from runner.journal.records import Care

    moment = "2099-01-01T00:00:00.000000+00:00"
    # An id of that moment, too: the head of a UUIDv7 is its time.
    entry_id = f"03b3b8e6-{new_run_id()[9:]}"
    with Journal(house.journals, f"care-{entry_id}") as journal:
        journal.append(Care(entry_id, action, moment, run_id, text))  # type: ignore[arg-type]
        journal.finish()


@pytest.mark.slow
def test_what_is_said_later_wins_over_a_clock_that_was_ahead(house: House, rows: Ask) -> None:
    run_id, other = house.run(), house.run()
    said_in_2099(house, "delete", run_id)
    said_in_2099(house, "tag", run_id, "bad")
    assert rows(house, "SELECT run_id FROM deleted") == [(run_id,)]
    acts = [
        ("undelete", run_id),
        ("delete", run_id),
        ("undelete", run_id),
        ("tag", run_id, "bad", "--remove"),
        ("tag", run_id, "good", "better"),
        ("note", run_id, "one"),
        ("note", run_id, "two"),
        ("delete", other),
    ]
    for words in acts:
        assert house.command(*words).returncode == 0
    assert rows(house, "SELECT run_id FROM deleted") == [(other,)]
    assert rows(house, "SELECT tag FROM tags ORDER BY tag") == [("better",), ("good",)]
    assert rows(house, "SELECT note FROM notes ORDER BY noted_at") == [("one",), ("two",)]
    # No other run pays for it.
    assert rows(house, "SELECT max(entered_at) < '2099-01-01' FROM care WHERE run_id = $1", other)[
        0
    ] == (True,)
    before = tables(house)
    check_rebuild(house)
    assert tables(house) == before
    assert rows(house, "SELECT run_id FROM deleted") == [(other,)]


@pytest.mark.slow
def test_care_of_no_run_changes_no_other_run(house: House, rows: Ask) -> None:
    run_id = house.run(sweep_id="s")
    for action, text in (("delete", None), ("tag", "x"), ("note", "x"), ("collect", "weights/x")):
        said_in_2099(house, action, None, text)
    for view in ("leaderboard", "sweeps"):
        assert rows(house, f"SELECT count(*) FROM {view}") == [(1,)], view
    assert rows(house, "SELECT count(*) FROM curves")[0][0] > 0
    for view in ("deleted", "tags", "notes"):
        assert rows(house, f"FROM {view}") == [], view
    assert run_id[-8:] in house.command("runs").stdout


def test_no_query_leans_on_not_in() -> None:
    # With one NULL among the rows, NOT IN is true for nothing.
    from warehouse.database import sql_of

    folders = ("ingest", "views", "queries")
    texts = {name: text for folder in folders for name, text in sql_of(folder)}
    assert [name for name, text in texts.items() if "NOT IN (SELECT" in text.upper()] == []


def test_runs_that_come_from_each_other_are_told_of_and_end(house: House, rows: Ask) -> None:
    house.run(run_id="a", resumed_from="b")
    house.run(run_id="b", resumed_from="a")
    house.run(run_id="c", resumed_from="a", replay_of="c")
    assert ("a", 1, "resumed", "b") in rows(house, "FROM lineage")
    assert house.command("show", "c").returncode == 0


@pytest.mark.slow
def test_a_deletion_at_the_last_moment_there_is_can_be_undone(house: House, rows: Ask) -> None:
    from runner.journal.records import Care

    run_id, entry_id = house.run(), new_run_id()
    with Journal(house.journals, f"care-{entry_id}") as journal:
        moment = "9999-12-31T23:59:59.999999+00:00"
        journal.append(Care(entry_id, "delete", moment, run_id, None))
        journal.finish()
    for action, left in (("undelete", []), ("delete", [(run_id,)]), ("undelete", [])):
        assert house.command(action, run_id).returncode == 0
        assert rows(house, "SELECT run_id FROM deleted") == left
