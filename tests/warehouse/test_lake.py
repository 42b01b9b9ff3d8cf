"""A team's lake: fed by many, read by who may only read, and no surprise where it fails."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import pytest

import warehouse
from runner.components.search_types import Dimension, PastTask, Space
from runner.config.compose import compose
from runner.errors import WarehouseError
from runner.journal.ids import new_run_id
from runner.sweep.past import past_tasks
from tests import servers
from tests.buckets import BUCKET, buckets
from tests.warehouse.conftest import ROOT, House, ask_postgres, ending, records
from warehouse import database
from warehouse.care import entry, write
from warehouse.database import Migration
from warehouse.follow import Follower
from warehouse.ingest.ingest import ingest
from warehouse.lake import schema
from warehouse.lake.address import lake_of
from warehouse.lake.apart import call
from warehouse.lake.intake import writing
from warehouse.lake.opening import CATALOG, PassingError
from warehouse.place import Place

Ask = Callable[..., list[tuple[Any, ...]]]
CLIENT = """
import sys, warehouse
print("ready", flush=True)
while warehouse.sync(results, wait=60).waiting:
    pass
"""


@pytest.mark.slow
def test_what_two_machines_take_in_all_read(house: House, rows: Ask, lake: str) -> None:
    other = House(house.results.with_name("other"))
    mine, shared = house.run(), house.run()
    other.journals.mkdir(parents=True)
    shutil.copy(house.journals / f"{shared}.done.jsonl", other.journals)
    theirs = other.run()
    assert warehouse.sync(house.results).sentence() == "2 runs taken in"
    assert warehouse.sync(other.results).ingested == [theirs]
    with warehouse.connect() as con:  # from anywhere
        found = con.execute("SELECT run_id FROM runs ORDER BY run_id").fetchall()
    assert found == [(mine,), (shared,), (theirs,)]
    assert rows(other, "SELECT count(*) FROM epochs") == [(9,)]
    assert not (house.results / "warehouse.duckdb").exists()

    # A run here that is still to be taken in is seen here, and whoever only reads changes nothing.
    house.write(records("run-lost", 2), finish=False)
    query = "SELECT status, count(*) FROM runs GROUP BY ALL ORDER BY ALL"
    assert rows(house, query) == [("finished", 3), ("lost", 1)]
    assert rows(other, query) == [("finished", 3)]
    done = house.command("sql", "INSERT INTO lake.steps VALUES ('x', 1, 1, 1)")
    assert done.returncode == 2 and "only reads" in done.stderr

    # What it goes on to takes its place, in the lake too.
    warehouse.sync(house.results)
    house.write(records("run-lost", 3) + ending("run-lost", 3))
    assert rows(house, query) == [("finished", 4)]
    warehouse.sync(house.results)
    assert rows(other, query) == [("finished", 4)]
    assert rows(other, "SELECT count(*) FROM epochs") == [(12,)]


@pytest.mark.slow
def test_what_dies_on_a_lake_is_a_child(tmp_path: Path) -> None:
    there = lake_of(f"postgres://h/d?data={tmp_path}")
    assert there is not None
    with pytest.raises(PassingError, match="its server does not answer, or has gone away"):
        call(there, os.abort)
    with pytest.raises(WarehouseError, match="the lake mysql://h/d is not valid"):
        call(there, lake_of, "mysql://h/d")
    with pytest.raises(ZeroDivisionError) as bug:
        call(there, divmod, 1, 0)
    assert "Traceback" in bug.value.__notes__[0]
    assert call(there, divmod, 7, 2) == (3, 1)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_lake_that_is_still_to_be_made_is_empty_and_then_a_search_learns_from_all(
    house: House, rows: Ask, lake: str
) -> None:
    config, _ = compose(["dataset=iris"])
    space = Space((Dimension("optimizer.learning_rate", "float", 1e-4, 1e-1, log=True),))

    def learned(lake: str | None = None) -> tuple[PastTask, ...]:
        today = datetime.now(UTC).isoformat()
        with warehouse.connect(house.results, lake=lake) as there:
            return past_tasks(there, space, config, "mine", "val_loss", today)

    house.write(records("run-mine", 2), finish=False)
    assert rows(house, "SELECT run_id, epochs FROM runs") == [("run-mine", 2)]
    assert learned() == ()
    with pytest.raises(duckdb.Error):
        rows(house, "INSERT INTO lake.main.steps VALUES ('x', 1, 1, 1)")
    page = Follower(Place.of(house.results))
    assert page.catch_up() == set()

    other = House(house.results.with_name("other"))
    for rate in (0.0003, 0.001, 0.003, 0.01, 0.03):
        params = {"optimizer.learning_rate": rate, "optimizer": "adam"}
        other.run(params=params, data={"identity": "theirs"})
    assert len(warehouse.sync(other.results).ingested) == 5
    assert page.catch_up() is None  # it takes a new copy
    page.close()
    assert rows(house, "SELECT count(*) FROM runs") == [(6,)]
    [task] = learned()
    assert len(task.trials) == 5
    assert learned("none") == ()


@pytest.mark.slow
def test_what_was_can_be_read_until_it_is_tidied_away(house: House, rows: Ask, lake: str) -> None:
    house.run()
    warehouse.sync(house.results)
    moment = datetime.now(UTC).isoformat()
    house.run()
    warehouse.sync(house.results)
    count = ("sql", "SELECT count(*) AS n FROM runs", "--format", "csv")
    assert house.command(*count).stdout == "n\n2\n"
    assert house.command("--as-of", moment, *count).stdout == "n\n1\n"
    assert "0 earlier states dropped" in house.command("tidy").stdout
    assert house.command("--as-of", moment, *count).stdout == "n\n1\n"
    assert house.command("tidy", "--keep", "0").returncode == 0
    done = house.command("--as-of", moment, *count)
    assert done.returncode == 2 and "has no state as of" in done.stderr
    assert house.command(*count).stdout == "n\n2\n"
    done = house.command("--lake", "none", "--as-of", "1", *count)
    assert done.returncode == 2 and "needs a lake" in done.stderr


@pytest.mark.slow
def test_small_files_are_merged_by_the_way(
    house: House, rows: Ask, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.lake.intake.EVERY", 3)
    for _ in range(4):
        house.write(records(run := new_run_id(), 300) + ending(run, 300))
        ingest(Place.of(house.results), warehouse.SyncResult().add)  # in this process
    data = Path(lake.partition("?data=")[2].partition("&")[0])
    with warehouse.connect(house.results) as con:
        listed = con.execute("FROM ducklake_list_files('lake', 'epochs')").fetchall()
    assert 1 <= len(listed) < 4 <= len(list(data.rglob("epochs/*.parquet")))
    assert rows(house, "SELECT count(*), count(DISTINCT run_id) FROM epochs") == [(1200, 4)]


@pytest.mark.slow
def test_roles_of_a_team_and_one_that_only_reads(
    house: House, rows: Ask, lake: str, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = lake_of(lake).schema  # type: ignore[union-attr]
    team, bob, carol, watcher = (f"{role}_{name}" for role in ("team", "bob", "carol", "watcher"))
    login = f"LOGIN PASSWORD '{servers.PASSWORD}'"
    # As docs/growing.md has it.
    for statement in (
        f"CREATE ROLE {team}",
        f"GRANT CREATE, USAGE ON SCHEMA {name} TO {team}",
        f"CREATE ROLE {bob} {login} IN ROLE {team}; ALTER ROLE {bob} SET role = '{team}'",
        f"CREATE ROLE {carol} {login} IN ROLE {team}; ALTER ROLE {carol} SET role = '{team}'",
        f"CREATE ROLE {watcher} {login}",
        f"GRANT USAGE ON SCHEMA {name} TO {watcher}",
        f"ALTER DEFAULT PRIVILEGES FOR ROLE {team} IN SCHEMA {name} "
        f"GRANT SELECT ON TABLES TO {watcher}",
    ):
        ask_postgres(postgres, statement)

    def as_(role: str) -> None:
        user = urlsplit(postgres).username
        monkeypatch.setenv("SWEEPHOUSE_LAKE", lake.replace(f"//{user}@", f"//{role}@"))

    for role in (bob, carol):
        as_(role)
        house.run()
        assert warehouse.sync(house.results).sentence() == "1 run taken in"
    assert house.command("tidy").returncode == 0
    as_(watcher)
    assert rows(house, "SELECT count(*) FROM leaderboard") == [(2,)]
    house.run()
    assert rows(house, "SELECT count(*) FROM leaderboard") == [(3,)]
    result = warehouse.sync(house.results)
    assert result.waiting == 1 and "docs/growing.md has the grants" in str(result.reason)


@pytest.mark.slow
def test_a_lake_that_is_not_there_or_lets_nobody_in_is_told_in_a_sentence(
    house: House, lake: str, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.ingest.ingest.PAUSES", ())
    run = house.run()
    port = urlsplit(postgres).port
    name = lake_of(lake).schema  # type: ignore[union-attr]
    wrong = {
        lake.replace("data=", "dato="): "has the parameter dato, which is none",
        lake.replace("@", ":hunter2@", 1): "has a password in its address",
        f"mysql://h/d?data={house.results}": "is not valid: give postgres://",
        lake.replace(f":{port}/", ":1/"): "cannot be reached",
        lake.replace("/postgres?", "/nosuch?"): "has no database nosuch",
        lake.partition("?")[0] + f"?schema={name}": "is not there yet",
    }
    for address, sentence in wrong.items():
        monkeypatch.setenv("SWEEPHOUSE_LAKE", address)
        done = house.command("runs")
        assert done.returncode == 2 and sentence in done.stderr, (address, done)
        assert done.stderr.count("\n") == 1 and "hunter2" not in done.stderr
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake)
    with monkeypatch.context() as patch:
        patch.setenv("PGPASSWORD", "not this one")
        for done in (house.command("runs"), house.command("sync")):
            assert "the password, which PGPASSWORD or ~/.pgpass holds" in done.stdout + done.stderr
    assert (house.journals / f"{run}.done.jsonl").exists()
    assert warehouse.sync(house.results).ingested == [run]

    # Without the lake's address, the folder says where its runs are.
    monkeypatch.delenv("SWEEPHOUSE_LAKE")
    assert "were taken into the lake" in house.command("runs").stderr
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake.replace("data=/", "data=/else/"))
    assert "leave data= out" in house.command("runs").stderr
    version = f"UPDATE {name}.ducklake_metadata SET value = '{{}}' WHERE key = 'version'"
    monkeypatch.setenv("SWEEPHOUSE_LAKE", lake)
    ask_postgres(postgres, version.format("1.9"))
    assert "of another version of DuckLake (1.9)" in house.command("runs").stderr
    ask_postgres(postgres, version.format("1.0"))
    with writing(lake_of(lake)) as writer:  # type: ignore[arg-type]
        writer.con.execute("ALTER TABLE lake.main.migrations RENAME TO others")
    assert "but no Sweephouse warehouse" in house.command("runs").stderr


@pytest.fixture
def forget_schema() -> Iterator[Callable[[], None]]:
    """Forgets what this process knows of the schema; so does the end of the test."""

    def forget() -> None:
        schema.described.cache_clear()
        database._expected.cache_clear()

    yield forget
    forget()


@pytest.mark.slow
def test_a_lake_whose_maker_was_killed_is_opened_by_the_next(
    house: House, rows: Ask, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two tables have had a row, so that DuckLake knows their columns; nobody ever sees it."""
    there = lake_of(lake)
    assert there is not None
    with monkeypatch.context() as killed:
        killed.setattr(schema, "_open", lambda con: con.no_such_method())
        with pytest.raises(AttributeError), writing(there):
            pass
    with pytest.raises(WarehouseError, match="the lake is of an older Sweephouse"):
        warehouse.connect(house.results)
    run_id = house.run()
    assert warehouse.sync(house.results).ingested == [run_id]
    assert rows(house, "SELECT count(*), min(run_id) FROM runs") == [(1, run_id)]
    for table in schema.OFTEN_EMPTY:
        assert rows(
            house, f"SELECT count(*) FROM {table} WHERE run_id IS NULL OR run_id = '0'"
        ) == [(0,)]
    with writing(there) as writer:
        known = writer.con.execute(
            "SELECT count(*) FROM "
            f"{CATALOG}.{there.schema}.ducklake_table_stats JOIN "
            f"{CATALOG}.{there.schema}.ducklake_table USING (table_id) "
            "WHERE table_name IN ('care', 'metrics')"
        ).fetchall()
    assert known == [(2,)]
    assert house.command("tidy").returncode == 0
    inside = [path.parent.name for path in house.results.parent.rglob("lake/**/*.parquet")]
    assert sorted(inside) == sorted(set(inside)), "a file for each table that has rows"


@pytest.mark.slow
def test_a_newer_client_migrates_and_an_older_one_is_told(
    house: House, lake: str, monkeypatch: pytest.MonkeyPatch, forget_schema: Callable[[], None]
) -> None:
    there = lake_of(lake)
    assert there is not None
    house.run()
    warehouse.sync(house.results)
    forget_schema()
    sql = (
        "CREATE TABLE sizes (run_id VARCHAR NOT NULL, size HUGEINT, CHECK (size > 0));\n"
        "COMMENT ON TABLE sizes IS 'How large; runs are.';\n"
        "ALTER TABLE runs ADD COLUMN size DOUBLE;\nUPDATE runs SET size = 2.5;\n"
    )
    newer = [*database.known_migrations(), Migration(99, "099_sizes", sql)]
    usual = schema.translated
    with monkeypatch.context() as patch:
        for module in (database, schema):
            patch.setattr(module, "known_migrations", lambda: newer)
        with pytest.raises(WarehouseError, match="the lake is of an older Sweephouse"):
            warehouse.connect(house.results)
        with monkeypatch.context() as broken:
            broken.setattr(schema, "translated", lambda text: usual(text) + "FROM nothing;")
            with pytest.raises(Exception, match="nothing"), writing(there):
                pass
        with writing(there) as writer:
            found = writer.con.execute("SELECT size FROM lake.main.runs").fetchall()
            assert found == [(2.5,)]
            assert writer.con.execute("FROM lake.main.sizes").fetchall() == []
    forget_schema()
    house.run()
    done = house.command("runs")
    assert done.returncode == 2 and "written by a newer Sweephouse (schema 99" in done.stderr
    assert "written by a newer Sweephouse" in str(warehouse.sync(house.results).reason)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_care_says_and_purge_takes_holds_for_all(
    house: House, rows: Ask, lake: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = House(house.results.with_name("other"))
    first, second = house.run(), house.run()
    warehouse.sync(house.results)
    assert other.command("tag", first, "good").returncode == 0
    assert rows(house, "SELECT run_id, tag FROM tags") == [(first, "good")]
    assert house.command("alias", "best", second).returncode == 0
    assert rows(other, "SELECT alias, run_id FROM aliases") == [("best", second)]
    write(Place.of(other.results), [entry("tag", second, "waits")])
    assert rows(other, "SELECT tag FROM tags ORDER BY tag") == [("good",), ("waits",)]
    done = house.command("purge", first, "--yes")
    assert done.returncode == 0, done
    assert rows(other, "SELECT run_id FROM runs") == [(second,)]
    assert rows(other, "SELECT count(*) FROM epochs") == [(3,)]
    house.write(records(first, 3) + ending(first, 3))  # from a backup
    assert "was purged" in str(warehouse.sync(house.results).problems)


@pytest.fixture
def s3() -> Iterator[str]:
    """A folder in a bucket."""
    with buckets():
        yield f"s3://{BUCKET}/lake"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_files_of_a_lake_may_be_in_s3(
    house: House, rows: Ask, lake: str, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = lake_of(lake).schema  # type: ignore[union-attr]
    address = f"{lake.partition('?')[0]}?schema={name}"
    monkeypatch.setenv("SWEEPHOUSE_LAKE", f"{address}&data={s3}")
    run = new_run_id()
    house.write(records(run, 300) + ending(run, 300))
    assert warehouse.sync(house.results).sentence() == "1 run taken in"
    monkeypatch.setenv("SWEEPHOUSE_LAKE", address)  # the catalog knows where the files are
    assert rows(house, "SELECT count(*) FROM epochs") == [(300,)]
    assert "files made into" in house.command("tidy").stdout
    with HTTPServer(("127.0.0.1", 0), _Refusing) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        done = house.command("sql", "SELECT sum(loss) FROM epochs")
        assert done.returncode == 2 and "a bucket that does not let us in" in done.stderr
        house.write(records("more", 300) + ending("more", 300))
        result = warehouse.sync(house.results)
        assert result.waiting == 1 and "a bucket that does not let us in" in str(result.reason)
        server.shutdown()


class _Refusing(BaseHTTPRequestHandler):
    """S3 for somebody without rights."""

    def __getattr__(self, name: str) -> Any:
        """The answer to whatever method."""
        if name.startswith("do_"):
            return self._refuse
        raise AttributeError(name)

    def _refuse(self) -> None:
        self.send_response(403)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.parametrize("seed", [0, 1])
def test_kills_of_clients_and_of_the_server_lose_nothing_and_double_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    dice = random.Random(seed)
    with servers.restartable_postgres() as (uri, kill, begin):
        monkeypatch.setenv("SWEEPHOUSE_LAKE", f"{uri}?data={tmp_path}/lake")
        houses = [House(tmp_path / f"client-{number}") for number in range(8)]
        epochs = {}
        for house in houses:
            for _ in range(5):
                number = dice.choice([3, 40])
                epochs[house.run(number)] = number
        for house in houses[1:]:  # the same runs, pushed by others too
            house.journals.mkdir(parents=True, exist_ok=True)
            for journal in list(houses[0].journals.iterdir())[:3]:
                shutil.copy(journal, house.journals)
        clients = [_client(house) for house in houses]
        for turn in range(12):
            time.sleep(dice.uniform(0.1, 1.5))
            number = dice.randrange(8)
            clients[number].kill()
            clients[number].communicate()
            clients[number] = _client(houses[number])
            if turn == 6:
                kill()
                begin()
        for client in clients:
            out, err = client.communicate(timeout=300)
            assert client.returncode == 0, out + err
        with warehouse.connect(houses[0].results) as con:
            found = con.execute("SELECT run_id, epochs FROM runs").fetchall()
            assert sorted(found) == sorted(epochs.items())
            counts = con.execute(
                "SELECT run_id, count(*), count(DISTINCT epoch) FROM epochs GROUP BY run_id"
            ).fetchall()
        assert sorted(counts) == sorted((run, n, n) for run, n in epochs.items())
        for house in houses:
            assert not list(house.journals.glob("*.jsonl"))


@pytest.mark.slow
@pytest.mark.exhaustive
@pytest.mark.skipif(shutil.which("psql") is None, reason="it takes psql to hold a client up")
def test_a_server_killed_in_the_middle_of_an_ingest_leaves_who_ingests_alive(
    house: House, rows: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warehouse.ingest.ingest.PAUSES", (0.1,))
    with servers.restartable_postgres() as (uri, kill, begin):
        monkeypatch.setenv("SWEEPHOUSE_LAKE", f"{uri}?data={tmp_path}/lake")
        first = house.run()
        assert warehouse.sync(house.results).ingested == [first]
        second = house.run()
        # The ingest waits for this lock when it commits, with its transaction open.
        lock = "LOCK ducklake_snapshot IN EXCLUSIVE MODE"
        holder = _psql(uri, f"BEGIN; {lock}; SELECT pg_sleep(999)")
        _until(uri, "mode = 'ExclusiveLock' AND relation = 'ducklake_snapshot'::regclass")
        killer = threading.Thread(target=lambda: (_until(uri, "NOT granted"), kill()))
        killer.start()
        result = warehouse.sync(house.results)
        killer.join()
        holder.communicate()
        assert result.waiting == 1
        assert "cannot be reached: its server does not answer, or has gone" in str(result.reason)
        begin()
        assert warehouse.sync(house.results).ingested == [second]
        assert rows(house, "SELECT count(*), count(DISTINCT run_id) FROM epochs") == [(6, 2)]


def _psql(uri: str, statement: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        ["psql", "-XAtq", uri, "-c", statement],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )


def _until(uri: str, condition: str) -> None:
    """Wait for a lock in PostgreSQL of which this is so."""
    end = time.monotonic() + servers.PATIENCE
    query = f"SELECT count(*) > 0 FROM pg_locks WHERE {condition}"
    while _psql(uri, query).communicate()[0].strip() != "t":
        assert time.monotonic() < end
        time.sleep(0.1)


def _client(house: House) -> subprocess.Popen[str]:
    """A process that takes in what waits, and then reads on its standard input."""
    process = subprocess.Popen(
        [sys.executable, "-c", f"results = {str(house.results)!r}\n{CLIENT}"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process
