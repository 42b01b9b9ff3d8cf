"""Nothing of the user's is deleted, nothing good is kept out, nothing foreign is run."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse
from runner.journal import weights
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import Artifact, Confusion, EpochEnd
from tests.warehouse.conftest import ROOT, House, ending, records
from tests.warehouse.test_care import aged

Ask = Callable[..., list[tuple[Any, ...]]]


def tree(folder: Path) -> dict[str, str]:
    """What lies below a folder: kind, and content or target."""
    seen = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            seen[name] = f"link to {path.readlink()}"
        elif path.is_dir():
            seen[name] = "folder"
        elif path.is_file():
            seen[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return seen


def strew(folder: Path) -> dict[Path, bytes]:
    """A user's own files in all places of a results folder where one may have put them."""
    strewn = {}
    for place in (
        "mine.txt",
        "snapshots/mine/f",
        "snapshots/0123456789abcdef01234567/warehouse.duckdb",
        "snapshots/draft-77/f",
        ".staging/notes",
        "weights/pretrained.safetensors",
        "weights/ab/backbone.h5",
        f"weights/cd/{'cd' * 32}.safetensors",
        "artifacts/figure.svg",
        "journals/readme.txt",
        "journals/archive/readme.txt",
        "journals/rejected/readme.txt",
        "warehouse.duckdb.rebuild",
        "warehouse.duckdb.new",
    ):
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        content = f"the user's own, {place}".encode()
        path.write_bytes(content)
        os.utime(path, (1, 1))
        strewn[path] = content
    return strewn


@pytest.mark.slow
def test_no_command_touches_what_the_user_has_put_beside_and_into_the_results(
    house: House, tmp_path: Path
) -> None:
    run_id, drop, child = house.run(), new_run_id(), new_run_id()
    dropped = house.weights(drop, b"of the deleted run")
    house.write([*records(drop, 2), dropped, *ending(drop, 2)])
    house.write([*records(child, 1), *ending(child, 1)])
    warehouse.sync(house.results)
    strewn = strew(house.results)
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "thesis.tex").write_text("years of work")
    (house.results / "snapshots" / "papers").symlink_to(papers)
    (house.results / "weights" / "papers").symlink_to(papers)
    around = tree(papers)
    aged(house)
    for words in (
        ("runs",),
        ("show", run_id),
        ("compare", run_id, child),
        ("curves", run_id),
        ("sql", "FROM runs"),
        ("tag", run_id, "good"),
        ("note", run_id, "why"),
        ("delete", drop),
        ("sync",),
        ("runs",),
        ("gc",),
        ("gc", "--yes", "--all"),
        ("undelete", drop),
        ("rebuild",),
        ("runs",),
        ("verify",),
        ("path",),
    ):
        done = house.command(*words)
        assert done.returncode in (0, 1), (words, done)
        for path, content in strewn.items():
            assert path.read_bytes() == content, (words, path)
        assert tree(papers) == around, words
    assert not (house.results / dropped.uri).exists()
    # Old snapshots of ours did go.
    kept = [
        p for p in (house.results / "snapshots").iterdir() if (p / ".sweephouse-snapshot").exists()
    ]
    assert len(kept) == 1


def test_a_folder_that_is_no_results_folder_is_refused_and_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "q"
    (mine / "snapshots" / "mine").mkdir(parents=True)
    (mine / "snapshots" / "mine" / "f").write_text("keep")
    foreign, papers = tmp_path / "foreign", tmp_path / "papers"
    foreign.mkdir()
    papers.mkdir()
    (papers / "a").write_text("keep")
    (foreign / "snapshots").symlink_to(papers)
    (foreign / "journals").mkdir()
    (foreign / "journals" / "diary.jsonl").write_text("{}\n")
    before = tree(tmp_path)
    for folder in (mine, foreign):
        for words in (
            ("runs",),
            ("show", "abc"),
            ("sql", "FROM runs"),
            ("sync",),
            ("verify",),
            ("rebuild",),
            ("gc", "--yes"),
            ("tag", "abc", "good"),
        ):
            done = House(folder).command(*words)
            assert "is not a results folder" in done.stderr + done.stdout, words
            assert done.returncode == (1 if words == ("sync",) else 2), words
    assert tree(tmp_path) == before


def test_an_empty_name_in_the_environment_is_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, house: House
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", "")
    house.run()
    assert warehouse.connect().execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


@pytest.mark.slow
def test_a_results_folder_of_an_older_version_is_known_by_its_journals_or_its_database(
    house: House, rows: Ask
) -> None:
    house.run()
    (house.results / ".sweephouse").unlink()
    assert rows(house, "SELECT count(*) FROM runs") == [(1,)]
    warehouse.sync(house.results)
    (house.results / ".sweephouse").unlink(missing_ok=True)
    assert rows(house, "SELECT count(*) FROM runs") == [(1,)]


@pytest.mark.many
@pytest.mark.parametrize(
    "name", ["date=2026-11-28/results", "a*b", "a[1]b", "~x", "it's", "a b", "ü#%20"]
)
@pytest.mark.slow
def test_every_sign_in_the_name_of_the_results_folder_stands_for_itself(
    tmp_path: Path, name: str
) -> None:
    house = House(tmp_path / name)
    (tmp_path / "aXb").mkdir()
    run_id = new_run_id()
    content = _parquet(
        "SELECT 'test' AS split, 0::BIGINT AS row, NULL::VARCHAR AS output, 1.0 AS target"
    )
    stored = weights.store(house.results, content, ".parquet", weights.ARTIFACTS)
    artifact = Artifact(run_id, "predictions", stored.uri, stored.sha256, stored.bytes)
    house.write([*records(run_id), artifact, *ending(run_id)])
    assert warehouse.sync(house.results).sentence() == "1 run taken in"
    with warehouse.connect(house.results) as con:
        assert con.execute("SELECT split, target FROM predictions").fetchall() == [("test", 1.0)]
    assert house.command("verify").stdout == "all is well\n"
    assert house.command("rebuild").returncode == 0
    assert list((tmp_path / "aXb").iterdir()) == []


def test_a_name_that_duckdb_cannot_open_is_refused_before_anything_is_trained(
    tmp_path: Path,
) -> None:
    from runner.journal.results import results_folder

    done = House(tmp_path / "a?b").command("runs")
    assert done.returncode == 2 and "has a '?' in its name" in done.stderr
    with pytest.raises(warehouse.WarehouseError, match="in its name"):
        results_folder("a?b", tmp_path)
    assert list(tmp_path.iterdir()) == []


def _parquet(select: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as con:
        path = Path(folder) / "p.parquet"
        con.execute(f"COPY ({select}) TO '{path}' (FORMAT parquet)")
        return path.read_bytes()


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="root alone can act as another user")
def test_another_user_cannot_lend_their_folder_for_our_snapshots(
    house: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    """Where results cannot be written, a shelf in the temporary folder is taken only if ours."""
    import runner.system.temporary
    from warehouse import snapshot

    house.run()
    warehouse.sync(house.results)
    monkeypatch.setattr(snapshot, "_shelf_beside", _refusing)
    # Not below the tests' own folder, into which nobody else gets.
    shared = Path(tempfile.mkdtemp())
    request.addfinalizer(lambda: shutil.rmtree(shared))
    shared.chmod(0o1777)
    monkeypatch.setattr("tempfile.tempdir", str(shared))
    papers = tmp_path / "papers"
    papers.mkdir()
    (papers / "thesis").write_text("years of work")
    trap = shared / f"sweephouse-{os.getuid()}"
    for spring in ("folder", "link", "open to all"):
        set_it = {
            "folder": ["mkdir", "-m", "700", str(trap)],
            "link": ["ln", "-s", str(papers), str(trap)],
            "open to all": ["mkdir", "-m", "777", str(trap)],
        }
        # By the other user themselves, but for a folder of ours that we have left open.
        other = {} if spring == "open to all" else {"user": "nobody", "group": "nogroup"}
        subprocess.run(set_it[spring], check=True, **other)
        runner.system.temporary.private_folder.cache_clear()
        before = tree(trap.resolve())
        with warehouse.connect(house.results) as con:
            assert con.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
            [(path,)] = con.execute(
                "SELECT path FROM duckdb_databases() WHERE database_name = 'warehouse'"
            ).fetchall()
        assert not Path(path).resolve().is_relative_to(trap.resolve()), spring
        assert tree(trap.resolve()) == before, spring
        trap.unlink() if spring == "link" else trap.rmdir()
    runner.system.temporary.private_folder.cache_clear()


def _refusing(shelf: Path) -> Path:
    raise PermissionError(13, "Permission denied")


@pytest.mark.slow
def test_gc_leaves_the_weights_that_a_living_run_was_made_from(house: House) -> None:
    parent, child = new_run_id(), new_run_id()
    needed, own = house.weights(parent, b"the backbone"), house.weights(parent, b"other", "graph")
    house.write([*records(parent, 1), needed, own, *ending(parent, 1)])
    made = {
        "param": "architecture.weights",
        "run_id": parent,
        "weights_id": needed.weights_id,
        "sha256": needed.sha256,
    }
    house.write([*records(child, 1, parents=[made]), *ending(child, 1)])
    house.command("delete", parent)
    aged(house)
    assert house.command("gc", "--yes").returncode == 0
    assert (house.results / needed.uri).exists() and not (house.results / own.uri).exists()
    house.command("delete", child)
    assert house.command("gc", "--yes").returncode == 0
    assert not (house.results / needed.uri).exists()


@pytest.mark.slow
def test_gc_refuses_to_empty_the_store_unless_that_is_said(house: House) -> None:
    files = []
    for number in range(3):
        run_id = new_run_id()
        saved = house.weights(run_id, b"%d" % number)
        house.write([*records(run_id, 1), saved, *ending(run_id, 1)])
        house.command("delete", run_id)
        files.append(house.results / saved.uri)
    aged(house)
    done = house.command("gc", "--yes")
    assert done.returncode == 2 and "--all" in done.stderr
    assert all(path.exists() for path in files)
    assert house.command("gc", "--yes", "--all").returncode == 0
    assert not any(path.exists() for path in files)


@pytest.mark.slow
@pytest.mark.parametrize("action", ["delete", "undelete", "tag", "note"])
def test_care_of_no_run_is_no_care_of_every_run(house: House, rows: Ask, action: str) -> None:
    run_id = new_run_id()
    saved = house.weights(run_id, b"abc")
    house.write([*records(run_id, 1), saved, *ending(run_id, 1)])
    entry = {
        "record": "care",
        "entry_id": new_run_id(),
        "action": action,
        "entered_at": "2026-11-28T10:00:00",
        "run_id": None,
        "text": "x",
        "version": 2,
    }
    path = house.journals / f"care-{new_run_id()}.done.jsonl"
    path.write_text(json.dumps(entry) + "\n")
    for _ in range(2):
        assert rows(house, "SELECT run_id FROM leaderboard") == [(run_id,)]
        assert rows(house, "SELECT DISTINCT run_id FROM curves") == [(run_id,)]
        result = warehouse.sync(house.results)
    assert run_id[-8:] in house.command("runs").stdout
    assert result.problems == []
    assert "without a run_id" in next((house.journals / "rejected").iterdir()).read_text()
    aged(house)
    assert "0 files" in house.command("gc").stdout


def test_damaged_weights_do_not_swallow_the_same_weights_stored_again(house: House) -> None:
    stored = weights.store(house.results, b"the weights", ".safetensors")
    path = house.results / stored.uri
    path.write_bytes(b"the weightS")
    with pytest.warns(UserWarning, match="was damaged"):
        assert weights.store(house.results, b"the weights", ".safetensors") == stored
    assert path.read_bytes() == b"the weights"
    (aside,) = path.parent.glob("*.damaged-1")
    assert aside.read_bytes() == b"the weightS"
    assert weights.store(house.results, b"the weights", ".safetensors") == stored


@pytest.mark.slow
@pytest.mark.parametrize("uri", ["/etc/hostname", "../outside", "weights/../../outside", "a\0b"])
def test_a_database_names_no_file_outside_of_its_results_folder(
    house: House, tmp_path: Path, uri: str
) -> None:
    run_id = new_run_id()
    house.write([*records(run_id, 1), house.weights(run_id, b"abc"), *ending(run_id, 1)])
    warehouse.sync(house.results)
    (tmp_path / "outside").write_text("secret")
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute("UPDATE weights SET uri = ?", [uri])
    outside = pytest.raises(warehouse.WarehouseError, match="is no place in the results folder")
    with warehouse.connect(house.results) as con, outside:
        warehouse.weights_of(con, run_id, house.results)
    with outside:
        weights.read(house.results, uri, "")
    done = house.command("verify")
    assert done.returncode == 1 and "is no place in the results folder" in done.stdout
    assert "sha256" not in done.stdout


def test_weights_that_are_a_pipe_keep_nobody_waiting(house: House) -> None:
    stored = weights.store(house.results, b"the weights", ".safetensors")
    path = house.results / stored.uri
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(warehouse.WarehouseError, match="it is no plain file"):
        weights.read(house.results, stored.uri, stored.sha256)


@pytest.mark.slow
def test_what_a_killed_query_spilled_goes_with_its_snapshot_and_nothing_else(
    house: House,
) -> None:
    house.run()
    house.command("runs")
    (old,) = (house.results / "snapshots").iterdir()
    spill = old / "warehouse.duckdb.tmp"
    spill.mkdir()
    (spill / "duckdb_temp_storage_DEFAULT-0.tmp").write_text("spilled")
    mine = spill / "mine"
    mine.write_text("keep")
    house.run()
    house.command("runs")
    assert [path.name for path in spill.iterdir()] == ["mine"]
    mine.unlink()
    house.command("runs")
    assert not old.exists()


@pytest.mark.slow
def test_verify_beside_a_running_run_finds_nothing_wrong(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    running = new_run_id()
    with Journal(house.journals, running) as journal:
        for record in records(running, 2):
            journal.append(record)
        done = house.command("verify")
    assert (done.returncode, done.stdout) == (0, "1 run goes on, not compared\nall is well\n")


@pytest.mark.many
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("ALTER TABLE runs ADD COLUMN mine VARCHAR", "the table runs was changed: mine was added"),
        ("DROP TABLE metrics", "the table metrics is gone"),
        (
            "ALTER TABLE epochs DROP COLUMN seconds",
            "the table epochs was changed: seconds is gone",
        ),
        ("DELETE FROM runs", "runs: rows missing that their journals have"),
        (
            "BEGIN; DELETE FROM runs; DELETE FROM epochs; DELETE FROM params; COMMIT",
            "epochs: rows missing",
        ),
    ],
)
@pytest.mark.slow
def test_verify_tells_what_users_have_changed_and_rebuild_mends_it_without_losing_the_old_file(
    house: House, change: str, sentence: str, rows: Ask
) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(change)
        con.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    second = house.run()
    result = warehouse.sync(house.results)
    assert not list((house.journals / "rejected").glob("*")), "the journal is not at fault"
    done = house.command("verify")
    assert done.returncode == 1 and sentence in done.stdout, done
    assert house.command("rebuild").returncode == 0, result
    assert sorted(rows(house, "SELECT run_id FROM runs")) == [(run_id,), (second,)]
    assert house.command("verify").stdout == "all is well\n"
    (kept,) = house.results.glob("warehouse.duckdb.before-*")
    with duckdb.connect(str(kept), read_only=True) as con:
        assert con.execute("SELECT answer FROM mine").fetchall() == [(42,)]


@pytest.mark.many
@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("DROP TABLE metrics", "the table metrics is gone"),
        ("ALTER TABLE runs DROP COLUMN error", "the table runs was changed: error is gone"),
        ("ALTER TABLE params ALTER COLUMN number TYPE VARCHAR", "the table params was changed"),
        ("DELETE FROM migrations", "the table migrations was changed: rows are gone"),
        ("DROP TABLE migrations", "no Sweephouse warehouse"),
        ("CREATE MACRO duckdb_views() AS TABLE SELECT 1 AS x", "DuckDB's own duckdb_views"),
    ],
)
@pytest.mark.slow
def test_readers_say_in_a_sentence_what_is_gone_and_rebuild_mends_it_always(
    house: House, change: str, sentence: str, rows: Ask
) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(change)
    for words in (("runs",), ("show", run_id), ("sql", "FROM runs"), ("tag", run_id, "x")):
        done = house.command(*words)
        assert (done.returncode, done.stdout) == (2, ""), (words, done)
        assert sentence in done.stderr and done.stderr.count("\n") == 1, (words, done)
    assert house.command("rebuild").returncode == 0
    assert rows(house, "SELECT run_id FROM runs") == [(run_id,)]
    assert len(list(house.results.glob("warehouse.duckdb.*-*"))) == 1


def test_a_database_is_shut_before_anything_in_it_is_asked(
    house: House, tmp_path: Path, rows: Ask
) -> None:
    house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        for name in ("duckdb_views", "duckdb_tables", "duckdb_functions"):
            con.execute(
                f"CREATE MACRO {name}() AS TABLE SELECT *, true AS internal FROM "
                f"enable_logging(storage := 'file', storage_path := '{tmp_path}/log')"
            )
    with pytest.raises(warehouse.WarehouseError, match="a macro in the place of DuckDB's own"):
        rows(house, "FROM runs")
    assert not list(tmp_path.glob("log*"))


@pytest.mark.slow
def test_a_table_of_the_users_own_is_no_fault(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute("CREATE TABLE mine AS SELECT 42 AS answer")
    house.run()
    assert warehouse.sync(house.results).sentence() == "1 run taken in"
    assert house.command("verify").stdout == "all is well\n"
    assert "42" in house.command("sql", "FROM mine").stdout


@pytest.mark.slow
def test_rebuild_that_cannot_finish_leaves_the_old_database_in_its_place(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.run()
    warehouse.sync(house.results)
    database = house.results / "warehouse.duckdb"
    before = database.read_bytes()
    replace = os.replace

    def failing(source: Any, target: Any) -> None:
        if Path(target) == database:
            raise OSError(28, "No space left on device")
        replace(source, target)

    monkeypatch.setattr(os, "replace", failing)
    done = house.command("rebuild")
    assert done.returncode == 2 and "cannot be written (No space left on device)" in done.stderr
    assert done.stderr.count("\n") == 1
    assert database.read_bytes() == before
    assert sorted(path.name for path in house.results.glob("warehouse*")) == [
        "warehouse.duckdb",
        "warehouse.lock",
    ]


FOREIGN = {
    "a table that is a view over a file": (
        "ALTER TABLE runs RENAME TO old; CREATE VIEW runs AS SELECT o.* REPLACE ((SELECT content "
        "FROM read_text('{secret}')) AS status) FROM old AS o"
    ),
    "a view of ours over a file": (
        "DROP VIEW leaderboard; CREATE VIEW leaderboard AS SELECT content AS run_id "
        "FROM read_text('{secret}')"
    ),
    "a macro in the place of a function": (
        "CREATE MACRO starts_with(a, b) AS (SELECT max(content) FROM read_text('{secret}')) = a"
    ),
    "a view that logs into a file": (
        "DROP VIEW tags; CREATE VIEW tags AS SELECT '' AS run_id, '' AS tag, NULL AS tagged_at "
        "FROM enable_logging(storage := 'file', storage_path := '{log}')"
    ),
    "a view of their own that logs into a file": (
        "CREATE VIEW trap AS FROM enable_logging(storage := 'file', storage_path := '{log}')"
    ),
}


@pytest.mark.many
@pytest.mark.parametrize("trap", FOREIGN)
@pytest.mark.parametrize("is_waiting", [False, True])
def test_a_results_folder_from_somebody_else_reaches_no_file(
    house: House, tmp_path: Path, trap: str, is_waiting: bool
) -> None:
    secret, log = tmp_path / "secret.txt", tmp_path / "log"
    secret.write_text("the private key")
    log.mkdir()
    run_id = house.run()
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb")) as con:
        con.execute(FOREIGN[trap].format(secret=secret, log=log))
    if is_waiting:
        house.run()
    for words in (
        ("runs",),
        ("show", run_id),
        ("runs", "--tag", "x"),
        ("sync",),
        ("sql", "FROM leaderboard"),
        ("sql", "FROM tags"),
        ("sql", "FROM trap"),
        ("verify",),
        ("gc",),
    ):
        done = house.command(*words)
        assert "private key" not in done.stdout + done.stderr, words
        assert list(log.iterdir()) == [], words


@pytest.mark.parametrize("content", [b"SQLite format 3\0" + bytes(4096), b"PAR1", b""])
@pytest.mark.slow
def test_a_file_of_another_program_in_the_databases_place_is_named(
    house: House, content: bytes
) -> None:
    house.run()
    warehouse.sync(house.results)
    (house.results / "warehouse.duckdb").write_bytes(content)
    done = house.command("runs")
    assert done.returncode == 2 and "is no sound DuckDB file" in done.stderr, done
    assert ".duckdb/extensions" not in done.stderr
    assert house.command("rebuild").returncode == 0
    assert house.command("runs").returncode == 0


def test_a_pipe_in_the_databases_place_keeps_nobody_waiting(house: House) -> None:
    house.run()
    os.mkfifo(house.results / "warehouse.duckdb")
    done = house.command("runs")
    assert done.returncode == 2 and "no plain file" in done.stderr
    assert "no plain file" in warehouse.sync(house.results).sentence()


def test_the_connection_of_a_reader_is_shut_and_takes_a_frame_by_register(house: House) -> None:
    import pandas as pd

    house.run()
    with warehouse.connect(house.results) as con, warehouse.connect(house.results) as other:
        con.register("mine", pd.DataFrame({"run": [1]}))
        assert con.execute("SELECT count(*) FROM mine, runs").fetchall() == [(1,)]
        assert other.execute("SELECT count(*) FROM runs").fetchall() == [(1,)]
        for query in (
            "FROM read_text('/etc/hostname')",
            "COPY runs TO 'x.csv'",
            "ATTACH 'x.duckdb'",
            "SET enable_external_access = true",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                con.execute(query)
    assert not (ROOT / "x.csv").exists()


@pytest.mark.slow
def test_a_journal_that_fails_in_sql_is_taken_in_without_the_records_that_fail(
    house: House, rows: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the line check does not know of is stood for by a check of its own that is off."""
    from warehouse.journals import lines

    monkeypatch.setattr(lines, "_AGREE", {})
    good, bad = house.run(), new_run_id()
    table = Confusion(bad, "val", ["a", "b"], [2**63 - 1], [0], [1])
    sound = Confusion(bad, "test", ["a", "b"], [1], [0], [1])
    house.write([*records(bad, 3), table, sound, *ending(bad, 3)])
    later = house.run()
    expected = sorted([(good,), (bad,), (later,)])
    assert sorted(rows(house, "SELECT run_id FROM runs")) == expected
    result = warehouse.sync(house.results)
    assert len(result.problems) == 1 and f"{bad}.done.jsonl line 5" in result.problems[0]
    assert sorted(rows(house, "SELECT run_id FROM runs")) == expected
    assert rows(house, "SELECT count(*) FROM epochs WHERE run_id = $1", bad) == [(3,)]
    assert rows(house, "SELECT split, actual FROM confusion") == [("test", "b")]
    assert house.command("verify").returncode == 0
    assert house.command("rebuild").returncode == 0
    assert rows(house, "SELECT split, actual FROM confusion") == [("test", "b")]
    assert warehouse.sync(house.results).problems == []


@pytest.mark.parametrize("block", ["archive", "rejected"])
@pytest.mark.many
def test_a_file_where_a_folder_of_journals_should_be_is_named_and_costs_no_run(
    house: House, rows: Ask, block: str
) -> None:
    run_id = house.run()
    (house.journals / block).write_text("mine")
    (house.journals / "junk.done.jsonl").write_text("junk\n")
    result = warehouse.sync(house.results)
    assert str(house.journals / block) in " ".join([*result.problems, str(result.reason)])
    assert rows(house, "SELECT run_id FROM runs") == [(run_id,)]
    assert (house.journals / block).read_text() == "mine"
    (house.journals / block).unlink()
    warehouse.sync(house.results)
    assert warehouse.sync(house.results).sentence() == "0 runs taken in"
    assert rows(house, "SELECT count(*) FROM epochs") == [(3,)]


@pytest.mark.slow
def test_a_full_disk_beside_the_database_does_not_hide_what_is_there(
    house: House, rows: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    from warehouse import snapshot

    run_id = house.run()
    warehouse.sync(house.results)

    def full(shelf: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(snapshot, "_shelf_beside", full)
    assert rows(house, "SELECT run_id FROM runs") == [(run_id,)]


@pytest.mark.slow
def test_snapshots_of_folders_that_cannot_be_written_are_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import runner.system.temporary
    from warehouse import shelf, snapshot

    monkeypatch.setattr(snapshot, "_shelf_beside", _refusing)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(shelf, "SHELVES", 2)
    runner.system.temporary.private_folder.cache_clear()
    for number in range(4):
        house = House(tmp_path / f"results-{number}")
        house.run()
        warehouse.connect(house.results).close()
    runner.system.temporary.private_folder.cache_clear()
    (own,) = tmp_path.glob("sweephouse-*")
    assert len(list(own.iterdir())) == 2


@pytest.mark.slow
def test_a_present_folder_that_is_gone_is_one_sentence(house: House, tmp_path: Path) -> None:
    house.run()
    gone = tmp_path / "gone"
    code = (
        "import os, runpy, sys; os.mkdir('gone'); os.chdir('gone'); os.rmdir('../gone'); "
        "from warehouse.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    for words, expected in ((["--results", str(house.results), "runs"], 0), (["runs"], 2)):
        done = subprocess.run(
            [sys.executable, "-c", code, *words],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        assert done.returncode == expected, done.stderr
        assert "Traceback" not in done.stderr
    assert "the present folder is gone" in done.stderr and not gone.exists()


def test_an_epoch_of_a_name_that_is_no_text_for_duckdb_goes_in_escaped(
    house: House, rows: Ask
) -> None:
    run_id = new_run_id()
    path = house.write([*records(run_id, 1), *ending(run_id, 1)])
    lines = path.read_text().splitlines()
    epoch = EpochEnd(run_id, 2, 0.1, None, 0.1, 0.1, {"val": {}})
    body = {"record": "epoch_end", **vars(epoch)}
    body["metrics"] = {"val": {"\udcff": 1.0, chr(0xDCFE): 2.0}}
    lines.insert(2, json.dumps(body))
    path.write_text("\n".join(lines) + "\n")
    assert warehouse.sync(house.results).problems == []
    assert rows(house, "SELECT count(*) FROM metrics WHERE epoch = 2") == [(1,)]
