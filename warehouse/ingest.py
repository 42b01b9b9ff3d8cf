"""Journals -> tables, once and only once.

Under the sidecar lock, batch by batch: read and check the journals, load the sound lines in one
transaction, and only after COMMIT archive what was read. Killed at any point, the next ingest
finds either the journal or the run with that journal's hash, and goes on from there.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from warehouse.archive import keep, set_aside
from warehouse.database import in_words, open_live
from warehouse.journals import Found, Reading, read, waiting
from warehouse.load import Batch
from warehouse.place import BusyError, Place, this_host
from warehouse.result import SyncResult

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000
"""Journals a transaction: bounds memory, and what a kill in a long ingest has to do again."""


def sync(results: str | os.PathLike[str] | None = None, *, wait: float = 0.0) -> SyncResult:
    """Ingest what ended or was abandoned; never raises for a warehouse that cannot be written.

    Raises WarehouseError only where `results` is a file: no run could have written there.
    """
    import duckdb

    place, result = Place.of(results), SyncResult()
    try:
        host = place.ingest_host()
        if host not in (None, this_host()):
            raise BusyError(f"the machine {host} ingests into {place.folder}")
        if any(found.state != "running" for found in waiting(place)):
            with place.locked(wait):
                ingest(place, result)
    except (WarehouseError, OSError, duckdb.Error) as error:
        result.reason = str(error).strip().splitlines()[0]
    result.waiting = sum(f.state in ("ended", "abandoned") for f in waiting(place))
    return result


def ingest(place: Place, result: SyncResult) -> None:
    """The same under a lock that the caller holds, raising what goes wrong."""
    todo = [found for found in waiting(place) if found.state != "running"]
    con = open_live(place)
    try:
        with in_words(place):
            for batch in batches(todo):
                _take_in(con, batch, place, result)
            _checkpoint(con)
    finally:
        con.close()


def overlay(con: DuckDBPyConnection, place: Place, found: Iterable[Found]) -> None:
    """Lay journals that are not ingested yet over a copy of the database; they stay."""
    for batch in batches(found):
        with tempfile.TemporaryDirectory(prefix="sweephouse-") as staging:
            load = Batch(con, place.folder, Path(staging), [f.run_id for f in batch])
            for journal in batch:
                try:
                    load.add(journal, read(journal.path))
                except OSError:  # it has just ended, or is not ours to read
                    continue
            load.commit()


def _take_in(
    con: DuckDBPyConnection, batch: list[Found], place: Place, result: SyncResult
) -> None:
    """One transaction, then the archive."""
    read_now: list[tuple[Found, Reading, str]] = []
    with _staging(place) as staging:
        load = Batch(con, place.folder, staging, [f.run_id for f in batch])
        for found in batch:
            try:
                reading = read(found.path)
            except FileNotFoundError:  # renamed by its runner since we looked
                continue
            except OSError as error:
                result.problems.append(f"{found.path.name}: cannot be read ({error.strerror})")
                continue
            read_now.append((found, reading, load.add(found, reading)))
        load.commit()
    result.ingested += load.new
    result.lost += load.lost
    keep(place, [(f, r) for f, r, verdict in read_now if verdict in ("new", "there")], result)
    for found, reading, verdict in read_now:
        if verdict not in ("new", "there", "twice"):
            set_aside(place, found, reading, verdict, result)


@contextmanager
def _staging(place: Place) -> Iterator[Path]:
    """A folder under the lock; what a killed ingest left there goes."""
    folder = place.folder / ".staging"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _checkpoint(con: DuckDBPyConnection) -> None:
    """Fold the log into the file, so that the file alone is the warehouse."""
    import duckdb

    # The user's own connection in this process may be in a transaction; the log keeps it all.
    with suppress(duckdb.TransactionException):
        con.execute("CHECKPOINT")


def batches(found: Iterable[Found]) -> Iterator[list[Found]]:
    todo = iter(found)
    while batch := list(islice(todo, BATCH)):
        yield batch
