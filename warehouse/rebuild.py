"""The database made again from the archived journals; nothing that was there is deleted."""

from __future__ import annotations

import os
import tempfile
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import BrokenError, create, in_words, open_file
from warehouse.ingest import batches, ingest
from warehouse.journals import BESIDE, Found, read
from warehouse.load import Batch
from warehouse.place import Place
from warehouse.result import SyncResult

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENDING = ".jsonl.gz"


def archived(place: Place) -> list[Path]:
    """The archived journals, in the order of their ids."""
    return sorted(place.archive.glob(f"*{ENDING}"))


def load_archive(con: DuckDBPyConnection, place: Place) -> list[str]:
    """All archived journals into an empty database; what cannot be read is named."""
    problems: list[str] = []
    for batch in batches(Found(path, "ended") for path in archived(place)):
        with tempfile.TemporaryDirectory(prefix="sweephouse-") as staging:
            load = Batch(con, place.folder, Path(staging), [found.run_id for found in batch])
            for found in batch:
                try:
                    verdict = load.add(found, read(found.path))
                except (OSError, EOFError, zlib.error) as error:
                    problems.append(f"archive/{found.path.name} cannot be read: {error}")
                    continue
                if verdict != "new":
                    problems.append(f"archive/{found.path.name} cannot go in: {verdict}")
            load.commit()
    return problems


def missing_runs(con: DuckDBPyConnection, place: Place) -> list[str]:
    """The runs that are archived and not in the database."""
    names = [path.name.removesuffix(ENDING) for path in archived(place)]
    there = {run_id for (run_id,) in con.execute("SELECT run_id FROM runs").fetchall()}
    return [name for name in names if not name.startswith(BESIDE) and name not in there]


def rebuild(place: Place) -> tuple[SyncResult, Path | None]:
    """Make the database again, under the caller's lock; the old one's new place if it was kept."""
    known = _runs_in(place)
    fresh = place.database.with_name(f"{place.database.name}.rebuild")
    fresh.unlink(missing_ok=True)
    result = SyncResult()
    try:
        create(fresh)
        con = open_file(fresh, place)
        try:
            with in_words(place):
                result.problems += load_archive(con, place)
                rows = con.execute("SELECT run_id FROM runs ORDER BY run_id").fetchall()
                con.execute("CHECKPOINT")
        finally:
            con.close()
        result.ingested = [run_id for (run_id,) in rows]
        kept = None
        # Broken, or with runs whose journals are gone: somebody may still want it.
        if known is None or known - set(result.ingested):
            kept = _set_aside(place, "broken" if known is None else "before")
        for log in place.logs_of(place.database):
            log.unlink()
        os.replace(fresh, place.database)
    finally:
        fresh.unlink(missing_ok=True)
    ingest(place, result)
    return result, kept


def _runs_in(place: Place) -> set[str] | None:
    """The runs of the database that is there; None if it is broken, BusyError if it is held."""
    if not place.database.exists():
        return set()
    try:
        con = open_file(place.database, place)
        with con, in_words(place):
            return {run_id for (run_id,) in con.execute("SELECT run_id FROM runs").fetchall()}
    except BrokenError:
        return None


def _set_aside(place: Place, why: str) -> Path:
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = place.database.with_name(f"{place.database.name}.{why}-{moment}")
    logs = place.logs_of(place.database)
    place.database.rename(target)
    for log in logs:
        log.rename(target.with_name(target.name + log.name.removeprefix(place.database.name)))
    return target
