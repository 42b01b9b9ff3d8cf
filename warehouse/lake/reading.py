"""What readers of a lake see: its rows, those of journals here that are not in it, and our views.

A small file holds the latter two; the lake is attached beside it, read-only, and its tables stand
in the file as views over both. So a reader needs no more rights than to read, and the lake no
views of ours.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runner.journal.records import Care
from runner.journal.results import DATABASE
from runner.system.databases import CLOSED, bounds, identifier, literal, shut
from warehouse.database import STORAGE, Writer, sql_of, transaction
from warehouse.ingest.batch import OUTLIVE
from warehouse.ingest.sift import ReadJournal, load
from warehouse.ingest.staging import tables as staged
from warehouse.journals.read import JournalFile, read
from warehouse.lake.address import Lake
from warehouse.lake.batch import add, among, asked, lay, of_run, replaced, tables
from warehouse.lake.opening import (
    CATALOG,
    NAME,
    NotThereError,
    attach,
    in_words,
    load_extensions,
    state_of,
)
from warehouse.lake.schema import TYPES, Table, check, described, using
from warehouse.package_views import make_views, view_texts
from warehouse.shelf import new_draft, remove

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WAITING = "waiting"
"""The schema of what is not in the lake yet."""
NO_STATE = -1
"""In the place of a state's number, that of a lake that nobody has made."""


def attached(lake: Lake) -> DuckDBPyConnection:
    """A connection in memory with the lake attached for reading; it is not shut yet.

    Raises LakeError.
    """
    import duckdb

    con = duckdb.connect(config=CLOSED)
    try:
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        attach_checked(con, lake)
    except BaseException:
        con.close()
        raise
    return con


def attach_checked(con: DuckDBPyConnection, lake: Lake) -> str:
    """Attach the lake for reading, and give its data path; LakeError where it is not today's.

    One that nobody has made yet is empty for those whose next ingest makes it: the first run of
    a team is seen while it trains, and the first search goes on from nothing.
    """
    load_extensions(con)
    try:
        data = attach(con, lake)
    except NotThereError:
        if lake.data is None or lake.at is not None:
            raise
        _stand_in(con, lake)
        return lake.data
    with in_words(lake):
        check(con)
    return data


def _stand_in(con: DuckDBPyConnection, lake: Lake) -> None:
    """Attach views without rows as NAME, and a catalog without states."""
    for name in (NAME, CATALOG):
        con.execute(f"ATTACH ':memory:' AS {name} (READ_WRITE)")
    for table in described():
        columns = ", ".join(
            f"NULL::{column.type} AS {identifier(column.name)}" for column in table.columns
        )
        con.execute(f"CREATE VIEW {NAME}.main.{table.name} AS SELECT {columns} WHERE false")
    schema = f"{CATALOG}.{identifier(lake.schema)}"
    con.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
    con.execute(f"CREATE VIEW {schema}.ducklake_snapshot AS SELECT {NO_STATE} AS snapshot_id")


def read_beside(path: Path, lake: Lake, threads: int | None = None) -> DuckDBPyConnection:
    """A connection that reads the file made by `make`, the lake, and nothing else."""
    import duckdb

    con = duckdb.connect(str(path), read_only=True, config=CLOSED | bounds())
    try:
        if con.execute("SELECT current_setting('lock_configuration')").fetchone() == (False,):
            con.execute("SET GLOBAL TimeZone = 'UTC'")
            shut(con, folders=[attach_checked(con, lake)], threads=threads)
    except BaseException:
        con.close()
        raise
    return con


def name_of(lake: Lake, journals: Sequence[JournalFile]) -> str:
    """A name for what the file is to hold: the same name, the same content."""
    digest = hashlib.sha256(repr(lake).encode())
    for folder in ("schema", "views", "ingest"):
        digest.update(repr(sql_of(folder)).encode())
    digest.update(repr(view_texts()).encode())
    digest.update("".join(staged()).encode())
    for journal in journals:
        with suppress(OSError):
            file = journal.path.stat()
            digest.update(f"{journal.path.name!a} {journal.state} {file.st_size}".encode())
    return digest.hexdigest()[:24]


def on(shelf: Path, lake: Lake, journals: Sequence[JournalFile], results: Path) -> Path:
    """The file for readers on the shelf, made if it is not there."""
    name = name_of(lake, journals)
    if not journals and (path := shelf / name / DATABASE).exists():
        return path
    with attached(lake) as con:
        # What is waiting is seen in the light of what the lake has.
        state = state_of(con, lake)
        name += f"-{state}" if journals or state == NO_STATE else ""
        path = shelf / name / DATABASE
        if not path.exists():
            folder = new_draft(shelf)
            try:
                with in_words(lake):
                    make(con, folder / path.name, journals, results)
                remove(path.parent)
                folder.rename(path.parent)
            finally:
                remove(folder)
    return path


@dataclass
class _Waiting:
    """What is told of the journals that are laid over the lake."""

    replaced: list[str] = field(default_factory=list)
    """Runs of the lake that have longer journals here."""
    purged: list[str] = field(default_factory=list)
    """Runs that go when these are taken in."""
    datasets: list[str] = field(default_factory=list)
    """Data that an earlier run than the lake's has told of."""


def make(
    con: DuckDBPyConnection, path: Path, journals: Sequence[JournalFile], results: Path
) -> None:
    """Make the file: the rows of the journals, and the views over them and the lake.

    con: has the lake, and will have our tables in memory.
    """
    from warehouse.ingest.ingest import batches

    con.execute(f"ATTACH {literal(str(path))} AS warehouse (STORAGE_VERSION '{STORAGE}')")
    con.execute(f"CREATE SCHEMA warehouse.{WAITING}")
    for table in tables():
        con.execute(table.made({}))
        con.execute(f"CREATE TABLE warehouse.{WAITING}.{table.name} AS FROM {table.name} LIMIT 0")
    told = _Waiting()
    with tempfile.TemporaryDirectory(prefix="sweephouse-") as staging:
        writer = Writer(con, Path(staging))
        for batch in batches(j for j in journals if j.state != "odd"):
            _lay_over(writer, batch, results, told)
    with using(con, "warehouse"):
        with transaction(con):  # or DuckLake would ask the catalog anew for each of them
            for table in described():
                _view(con, table, told, is_waiting=bool(journals))
            for _, text in sql_of("views"):
                con.execute(text)
        make_views(con)
        con.execute("CHECKPOINT warehouse")
    con.execute("DETACH warehouse")


def _lay_over(writer: Writer, batch: Sequence[JournalFile], results: Path, told: _Waiting) -> None:
    """Put the rows of some journals into the file, of those that the lake does not have."""
    con = writer.con
    readings: list[ReadJournal] = []
    for journal in batch:
        with suppress(OSError):  # it has just ended, or is not ours to read
            readings.append((journal, read(journal.path)))
    conditions = asked(readings)
    lay(con, conditions)
    loaded = load(writer, results, readings)
    told.replaced += replaced(con, loaded.new)
    told.purged += [
        row.fields["run_id"]
        for _, reading in readings
        for row in reading.rows
        if row.kind == Care.record and row.fields["action"] == "purge"
    ]
    for table in tables():
        add(con, table.name, f"warehouse.{WAITING}", is_laid=table.name in conditions)
    rows = con.execute(f"SELECT identity FROM warehouse.{WAITING}.datasets").fetchall()
    told.datasets = sorted(identity for (identity,) in rows)


def _view(con: DuckDBPyConnection, table: Table, told: _Waiting, *, is_waiting: bool) -> None:
    """The view in the place of one of our tables, with its comments."""
    # A lake has another type in the place of some.
    listed = ", ".join(
        f"{name}::{column.type} AS {name}" if column.type in TYPES else name
        for column in table.columns
        for name in [identifier(column.name)]
    )
    select = f"SELECT {listed} FROM {NAME}.main.{table.name}"
    hidden = [of_run(table, told.replaced)]
    if table.has("run_id") and table.name not in OUTLIVE:
        hidden.append(among("run_id", told.purged))
    if table.name in ("datasets", "dataset_columns"):
        hidden.append(among("identity", told.datasets))
    if conditions := [f"({one})" for one in hidden if one]:
        select += f" WHERE ({' OR '.join(conditions)}) IS NOT TRUE"
    if is_waiting and table.name != "migrations":
        select += f" UNION ALL BY NAME FROM warehouse.{WAITING}.{table.name}"
    con.execute(f"CREATE VIEW {table.name} AS {select}")
    comments = [(f"VIEW {table.name}", table.comment)]
    comments += [
        (f"COLUMN {table.name}.{identifier(name)}", text) for name, _, _, text in table.columns
    ]
    for what, text in comments:
        if text is not None:
            con.execute(f"COMMENT ON {what} IS {literal(text)}")
