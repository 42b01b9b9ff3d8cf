"""Journals into a lake: the same ingest as into a file, and then its rows, in one transaction.

The batch goes into a database in memory first, in which the lake's own rows lie that it asks
about. Only then is the lake locked: if those rows are still the same, what is new is added in one
transaction; if not, the batch goes in anew. So nobody waits for another's reading of journals.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.journal.records import Care
from runner.system.databases import CLOSED, shut
from warehouse.database import Writer, sql_of, transaction
from warehouse.ingest.purged import remove_rows
from warehouse.ingest.sift import Loaded, ReadJournal, load
from warehouse.lake.address import Lake
from warehouse.lake.batch import Conditions, add, asked, lay, of_run, replaced, sums, tables
from warehouse.lake.files import Tell, bring_again, untold, upload
from warehouse.lake.lock import attach_door, locked
from warehouse.lake.objects import objects_at
from warehouse.lake.opening import NAME, attach, data_path, in_words, load_extensions, state_of
from warehouse.lake.schema import bring_up_to_date, make_here, using
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

EVERY = 100
"""Changes of a lake after which whoever made the last one merges small files."""
SMALL = 8_000_000
"""Bytes of a file that is not merged by the way: `tidy` merges it with others."""
Take = Callable[[Sequence[ReadJournal]], Loaded]
"""What takes a batch of journals in."""


@contextmanager
def taking(place: Place, lake: Lake, tell: Tell = untold) -> Iterator[Take]:
    """The lake open for taking journals in, made or migrated as needed.

    tell: told how many of a batch's files are there, and of how many.

    Raises LakeError, PassingError among them.
    """
    with writing(lake) as writer:
        place.note_lake(lake.shown)
        objects = objects_at(data_path(writer.con, lake))

        def take(journals: Sequence[ReadJournal]) -> Loaded:
            # First, so that no row ever names what is not there.
            brought = upload(objects, place.folder, [reading for _, reading in journals], tell)
            files = [journal for journal, _ in journals]
            loaded = _take(
                *(writer, lake, place.folder, [*zip(files, brought.readings, strict=True)]),
                lambda: bring_again(objects, place.folder, brought.found),
            )
            loaded.add(Loaded([], [], [], brought.problems, brought.files, brought.bytes))
            return loaded

        yield take


@contextmanager
def writing(lake: Lake) -> Iterator[Writer]:
    """A database in memory with our tables, empty, and the lake attached, up to date."""
    import duckdb

    with (
        tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
        duckdb.connect(config=CLOSED) as con,
        in_words(lake),
    ):
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        make_here(con)
        load_extensions(con)
        attach_door(con, lake)
        with locked(con, lake):
            path = attach(con, lake, write=True)
            bring_up_to_date(con)
        shut(con, folders=[Path(folder), path])
        yield Writer(con, Path(folder))


def _take(
    writer: Writer,
    lake: Lake,
    results: Path,
    journals: Sequence[ReadJournal],
    look: Callable[[], None],
) -> Loaded:
    """One batch, in one transaction of the lake's, or not at all.

    look: called once nobody else can change the lake, to see whether its files are still there.
    """
    con = writer.con
    conditions = asked(journals)
    with in_words(lake):
        seen = lay(con, conditions)
        loaded = load(writer, results, journals)
        with locked(con, lake):
            if sums(con, conditions) != seen:
                lay(con, conditions)
                loaded = load(writer, results, journals)
            look()
            _push(con, conditions, loaded, journals)
            _merge_now_and_then(con, lake)
    return loaded


def _merge_now_and_then(con: DuckDBPyConnection, lake: Lake) -> None:
    """Merge small files after every so many changes, of whomever's; the caller holds the lock."""
    import duckdb

    with suppress(duckdb.Error):  # the next one will; `tidy` says why not
        if state_of(con, lake) % EVERY == 0:
            merge(con, SMALL)


def merge(con: DuckDBPyConnection, largest: int | None = None) -> None:
    """Write rows that wait in the catalog into files, and merge files that are next to each other.

    largest: bytes of a file from which on it stays as it is.
    """
    con.execute(f"CALL ducklake_flush_inlined_data('{NAME}')")
    most = "" if largest is None else f", max_file_size => {largest}"
    con.execute(f"CALL ducklake_merge_adjacent_files('{NAME}'{most})")


def _push(
    con: DuckDBPyConnection,
    conditions: Conditions,
    loaded: Loaded,
    journals: Sequence[ReadJournal],
) -> None:
    """Add to the lake what the batch has made, and take away what it replaces."""
    care = [
        row.fields
        for _, reading in journals
        if reading.is_care
        for row in reading.rows
        if row.kind == Care.record
    ]
    purges = [each["run_id"] for each in care if each["action"] == "purge"]
    gone = replaced(con, loaded.new)
    with using(con, NAME), transaction(con):
        if purges:
            remove_rows(con, purges)
        for table in tables():
            if condition := of_run(table, gone):
                con.execute(f"DELETE FROM {NAME}.main.{table.name} WHERE {condition}")
            add(con, table.name, f"{NAME}.main", is_laid=table.name in conditions)
        if any(each["action"] == "collect" for each in care):
            con.execute(dict(sql_of("ingest"))["collected.sql"])
