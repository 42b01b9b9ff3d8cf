"""What readers get, through our door and without any of our code."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from tests.warehouse.conftest import ROOT, House, records

Ask = Callable[..., list[tuple[Any, ...]]]


def test_a_folder_that_does_not_exist_reads_as_empty_and_is_not_made(tmp_path: Path) -> None:
    with warehouse.connect(tmp_path / "nowhere") as con:
        assert con.execute("FROM leaderboard").fetchall() == []
        assert con.execute("FROM compare('a', 'b')").fetchall() == []
    assert not (tmp_path / "nowhere").exists()


def test_the_environment_names_the_folder(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = house.run()
    monkeypatch.setenv("SWEEPHOUSE_RESULTS", str(house.results))
    with warehouse.connect() as con:
        assert con.execute("SELECT run_id FROM warehouse.runs").fetchall() == [(run_id,)]


@pytest.mark.slow
def test_a_snapshot_is_read_only_and_refreshed_when_stale(house: House) -> None:
    run_id = new_run_id()
    with Journal(house.journals, run_id) as journal:
        said = records(run_id, 3)
        for record in said[:2]:
            journal.append(record)
        first = warehouse.connect(house.results)
        with pytest.raises(duckdb.Error):
            first.execute("DELETE FROM runs")
        for record in said[2:]:
            journal.append(record)
        second = warehouse.connect(house.results)
        query = "SELECT status, epochs FROM runs"
        assert first.execute(query).fetchall() == [("running", 1)]
        assert second.execute(query).fetchall() == [("running", 3)]
        third = warehouse.connect(house.results)
        for con in (first, second, third):
            con.close()
    assert len(list((house.results / "snapshots").iterdir())) == 1


@pytest.mark.slow
@pytest.mark.file_only
def test_connecting_does_not_cost_the_users_own_connection_its_lock(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    path = house.results / "warehouse.duckdb"
    own = duckdb.connect(str(path))
    other = f"import duckdb; duckdb.connect({str(path)!r})"
    for _ in range(2):
        house.run()
        warehouse.connect(house.results).close()
        warehouse.sync(house.results)
        taken = subprocess.run([sys.executable, "-c", other], capture_output=True, text=True)
        assert "Could not set lock" in taken.stderr
    own.execute("CREATE TABLE mine AS SELECT 1 AS a")
    own.close()
    with duckdb.connect(str(path), read_only=True) as con:
        assert con.execute("SELECT count(*) FROM runs").fetchall() == [(3,)]
        assert con.execute("FROM mine").fetchall() == [(1,)]


@pytest.mark.slow
@pytest.mark.file_only
def test_ingest_waits_for_the_users_own_read_only_connection(house: House) -> None:
    house.run()
    warehouse.sync(house.results)
    house.run()
    with duckdb.connect(str(house.results / "warehouse.duckdb"), read_only=True):
        result = warehouse.sync(house.results)
        assert result.waiting == 1 and "this process itself holds" in result.sentence()
    assert len(warehouse.sync(house.results).ingested) == 1


@pytest.mark.file_only
def test_the_plain_client_reads_the_file(house: House) -> None:
    run_id = house.run()
    warehouse.sync(house.results)
    code = (
        "import duckdb, sys\n"
        "con = duckdb.connect(sys.argv[1], read_only=True)\n"
        "print(con.execute('SELECT run_id, rank FROM leaderboard').fetchall())\n"
        'print(con.execute("SELECT tags FROM duckdb_databases() WHERE NOT internal").fetchall())'
    )
    path = house.results / "warehouse.duckdb"
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], capture_output=True, text=True, cwd="/"
    )
    assert done.stdout.splitlines()[0] == str([(run_id, 1)])
    assert "'storage_version': 'v1.0.0" in done.stdout.splitlines()[1]
    assert not path.with_name("warehouse.duckdb.wal").exists()


# DuckDB 1.5 makes its frames in a way that pandas 3.1 warns of.
@pytest.mark.filterwarnings("ignore:The inplace keyword in DataFrame.drop is deprecated")
@pytest.mark.file_only
def test_pandas_reads_the_file(house: House) -> None:
    run_id = house.run(epochs=4)
    warehouse.sync(house.results)
    with duckdb.connect(str(house.results / "warehouse.duckdb"), read_only=True) as con:
        frame = con.execute("FROM curves WHERE name = 'loss'").df()
        runs = con.execute("FROM runs").df()
    table = frame.pivot(index="epoch", columns="split", values="value")
    assert table.shape == (4, 2)
    assert list(runs["run_id"]) == [run_id] and runs["versions"][0] == {"keras": "3.15.0"}


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.file_only
def test_ibis_reads_the_file(house: House) -> None:
    import ibis

    run_id = house.run(epochs=4)
    warehouse.sync(house.results)
    con = ibis.duckdb.connect(house.results / "warehouse.duckdb", read_only=True)
    epochs = con.table("epochs")
    best = epochs.group_by("run_id").agg(best=epochs.val_loss.min()).to_pyarrow().to_pylist()
    assert [row["run_id"] for row in best] == [run_id]
    assert con.table("runs").overrides.to_pyarrow().to_pylist() == [["epochs=3"]]
    con.disconnect()


def snapshot_of(house: House) -> Path:
    """The file that readers of ours get, for other programs to read."""
    house.run(epochs=4)
    warehouse.connect(house.results).close()
    [folder] = (house.results / "snapshots").iterdir()
    return folder / "warehouse.duckdb"


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.file_only
def test_sqlalchemy_reads_the_snapshot(house: House) -> None:
    sqlalchemy = pytest.importorskip("sqlalchemy")
    pytest.importorskip("duckdb_engine")
    path = snapshot_of(house)
    engine = sqlalchemy.create_engine(
        f"duckdb:///{path}", connect_args={"read_only": True}, poolclass=sqlalchemy.pool.NullPool
    )
    with engine.connect() as con:
        query = sqlalchemy.text("SELECT epochs FROM leaderboard WHERE status = :status")
        assert con.execute(query, {"status": "finished"}).fetchall() == [(4,)]
        assert con.execute(sqlalchemy.text("SELECT usable FROM seeds()")).fetchall() == [(1,)]


@pytest.mark.filterwarnings("default")
@pytest.mark.file_only
def test_ibis_reads_the_snapshot(house: House) -> None:
    import ibis

    con = ibis.duckdb.connect(snapshot_of(house), read_only=True)
    board = con.table("leaderboard")
    assert board.select("rank", "epochs").to_pyarrow().to_pylist() == [{"rank": 1, "epochs": 4}]
    con.disconnect()


@pytest.mark.slow
@pytest.mark.file_only
def test_the_duckdb_shell_reads_the_snapshot(house: House) -> None:
    beside = Path(sys.executable).with_name("duckdb")
    shell = str(beside) if beside.exists() else shutil.which("duckdb")
    if shell is None:
        pytest.skip("the duckdb shell is not installed")
    words = [shell, "-readonly", "-csv", str(snapshot_of(house))]
    query = "SELECT rank, epochs FROM leaderboard; SELECT usable FROM seeds()"
    done = subprocess.run([*words, query], capture_output=True, text=True, timeout=30)
    assert done.stdout.split() == ["rank,epochs", "1,4", "usable", "1"], done.stderr


def test_runs_are_found_by_either_end(house: House) -> None:
    one = house.run(run_id="01aa1111-0000-7000-8000-00000000abcd")
    two = house.run(run_id="01aa2222-0000-7000-8000-00000000abce")
    with warehouse.connect(house.results) as con:
        for text in (one, "abcd", "01aa1", " ABCD "):
            assert warehouse.find_run(con, text) == one
        assert warehouse.find_run(con, "abce") == two
        with pytest.raises(warehouse.WarehouseError, match="'01aa' names 2 runs"):
            warehouse.find_run(con, "01aa")
        for text in ("nosuch", "", "%"):
            with pytest.raises(warehouse.WarehouseError, match="there is no run"):
                warehouse.find_run(con, text)


@pytest.mark.slow
def test_weights_and_fingerprints_are_found(house: House) -> None:
    run_id = new_run_id()
    saved = house.weights(run_id, b"abc")
    house.write([*records(run_id, 1, fingerprint="f"), saved], finish=False)
    newer = house.run(fingerprint="f")
    with warehouse.connect(house.results) as con:
        (found,) = warehouse.weights_of(con, run_id, house.results, role="best")
        assert found.path.read_bytes() == b"abc" and found.sha256 == saved.sha256
        assert warehouse.weights_of(con, run_id, house.results, role="graph") == []
        assert warehouse.latest_runs(con, ["f", "g"]) == {
            "f": [(newer, "finished"), (run_id, "lost")]
        }


def test_the_door_holds_what_it_says_and_nothing_heavy() -> None:
    assert all(hasattr(warehouse, name) for name in warehouse.__all__)
    code = (
        "import sys, warehouse, warehouse.__main__\n"
        "print([m for m in ('tensorflow', 'keras', 'sklearn', 'pandas', 'duckdb', 'rich') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
