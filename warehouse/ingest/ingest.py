"""Journals -> tables, once and only once.

Under the sidecar lock, batch by batch: read and check the journals, load the sound lines in one
transaction, and only after COMMIT archive what was read. Killed at any point, the next ingest
finds either the journal or the run with that journal's hash, and goes on from there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from warehouse.database import Writer, in_words, live
from warehouse.ingest.sift import ReadJournal, load
from warehouse.journals.archive import keep, set_aside, set_odd_aside
from warehouse.journals.read import JournalFile, read, waiting
from warehouse.lake.address import Lake
from warehouse.lake.apart import call
from warehouse.lake.intake import Take
from warehouse.lake.intake import taking as lake_taking
from warehouse.lake.opening import PassingError
from warehouse.place import BusyError, Place, this_host
from warehouse.result import SyncResult

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BATCH = 1000
"""Journals a transaction: bounds memory, and what a kill in a long ingest has to do again."""
BATCH_BYTES = 64_000_000
"""The same for long journals, whose records take several times their bytes in memory."""
COMPRESSED = 8
"""About how many times shorter an archived journal is."""

Tell = Callable[[SyncResult], object]
"""Told of a part of an ingest what came of it."""
Look = Callable[["DuckDBPyConnection"], object]
"""Given a connection for reading; nothing stays open."""
PAUSES = (0.5, 1.0, 2.0)
"""Seconds after which an ingest into a lake is tried again."""


def sync(
    results: str | os.PathLike[str] | None = None, *, wait: float = 0.0, then: Look | None = None
) -> SyncResult:
    """Ingest what ended or was abandoned; never raises for a warehouse that cannot be written.

    then: what looks at once at what is there now, which spares it a snapshot; it does not see runs
    that are in training, keeps others out meanwhile, and is not called where the answer has a
    reason. Only of a folder, not of a lake.

    Raises WarehouseError only where `results` is a file: no run could have written there.
    """
    import duckdb

    place, result = Place.of(results), SyncResult()
    assert then is None or place.lake is None
    try:
        place.check()
    except WarehouseError as error:  # somebody's folder, in which nothing is to be touched
        result.reason = str(error)
        return result
    try:
        host = place.ingest_host()
        if host not in (None, this_host()):
            raise BusyError(f"the machine {host} ingests into {place.folder}")
        if then is not None or any(journal.state != "running" for journal in waiting(place)):
            if place.lake is None:
                _ingest(place, wait, result.add, then)
            else:
                _persistently(place, place.lake, wait, result.add)
    except (WarehouseError, OSError, duckdb.Error) as error:
        result.reason = str(error).strip().splitlines()[0]
    result.waiting = sum(j.state in ("ended", "abandoned") for j in waiting(place))
    return result


def _persistently(place: Place, lake: Lake, wait: float, tell: Tell) -> None:
    """Ingest, and again where a lake's server has gone away in the middle and may be back."""
    for pause in PAUSES:
        try:
            return call(lake, _ingest, place, wait, tell=tell)
        except PassingError:
            time.sleep(pause)
    return call(lake, _ingest, place, wait, tell=tell)


def _ingest(place: Place, wait: float, tell: Tell, then: Look | None = None) -> None:
    with place.locked(wait), in_words(place):
        ingest(place, tell, then)


def ingest(place: Place, tell: Tell, then: Look | None = None) -> None:
    """The same under a lock that the caller holds, raising what goes wrong.

    tell: told of each batch what came of it, once it is archived.
    """
    journals = waiting(place)
    aside = SyncResult()
    for journal in journals:
        if journal.state == "odd":
            set_odd_aside(place, journal, aside)
    tell(aside)
    with _taking(place, then) as take:
        for batch in batches(j for j in journals if j.state not in ("running", "odd")):
            result = SyncResult()
            try:
                _take_in(take, batch, place, result)
            finally:
                tell(result)


@contextmanager
def _taking(place: Place, then: Look | None) -> Iterator[Take]:
    """The warehouse, open for taking batches of journals in; a folder's is looked at then."""
    if place.lake is not None:
        with lake_taking(place, place.lake) as take:
            yield take
        return
    with live(place) as writer:
        yield partial(load, writer, place.folder)
        _checkpoint(writer.con)
        if then is not None:
            then(writer.con)


def overlay(writer: Writer, place: Place, journals: Iterable[JournalFile]) -> None:
    """Lay journals that are not ingested yet over a copy of the database; they stay."""
    for batch in batches(j for j in journals if j.state != "odd"):
        readings: list[ReadJournal] = []
        for journal in batch:
            with suppress(OSError):  # it has just ended, or is not ours to read
                readings.append((journal, read(journal.path)))
        load(writer, place.folder, readings)


def _take_in(take: Take, batch: list[JournalFile], place: Place, result: SyncResult) -> None:
    """One transaction, then the archive."""
    readings: list[ReadJournal] = []
    for journal in batch:
        try:
            readings.append((journal, read(journal.path)))
        except FileNotFoundError:  # renamed by its runner since we looked
            continue
        except OSError as error:
            result.problems.append(f"{journal.name}: cannot be read ({error.strerror})")
    loaded = take(readings)
    result.ingested += loaded.new
    result.lost += loaded.lost
    result.problems += loaded.problems
    keep(place, [each for each in loaded.taken if each.verdict in ("new", "there")], result)
    for each in loaded.taken:
        if each.verdict not in ("new", "there", "twice"):
            set_aside(place, each, result)


def _checkpoint(con: DuckDBPyConnection) -> None:
    """Fold the log into the file, so that the file alone is the warehouse."""
    import duckdb

    # The user's own connection in this process may be in a transaction; the log keeps it all.
    with suppress(duckdb.TransactionException):
        con.execute("CHECKPOINT")


def batches(journals: Iterable[JournalFile]) -> Iterator[list[JournalFile]]:
    """Divide them into groups of what goes in together."""
    batch: list[JournalFile] = []
    size = 0
    for journal in journals:
        if len(batch) == BATCH or size > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(journal)
        with suppress(OSError):  # what cannot be seen is told of when it is read
            size += journal.path.stat().st_size * (
                COMPRESSED if journal.path.suffix == ".gz" else 1
            )
    if batch:
        yield batch
