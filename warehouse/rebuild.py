"""The database made again from the archived journals; nothing that was there is deleted."""

from __future__ import annotations

import errno
import os
import zlib
from collections.abc import Container
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import (
    BrokenError,
    ChangedError,
    ForeignError,
    Writer,
    changes,
    create,
    in_words,
    migrate,
    table_names,
    writing,
)
from warehouse.ingest.ingest import batches, ingest
from warehouse.ingest.purged import purged_runs
from warehouse.ingest.sift import ReadJournal, load
from warehouse.journals.fields import SAFE_ID
from warehouse.journals.read import BESIDE, JournalFile, read
from warehouse.place import Place
from warehouse.result import SyncResult
from warehouse.shelf import draft

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ENDING = ".jsonl.gz"


def archived(place: Place) -> list[Path]:
    """The archived journals, in the order of their ids."""
    paths = place.archive.glob(f"*{ENDING}")
    return sorted(path for path in paths if SAFE_ID.fullmatch(path.name.removesuffix(ENDING)))


def load_archive(writer: Writer, place: Place, but: Container[str] = ()) -> list[str]:
    """Load all archived journals into an empty database; what cannot be read is named.

    but: run ids whose journals are left out.
    """
    problems: list[str] = []
    paths = (path for path in archived(place) if path.name.removesuffix(ENDING) not in but)
    for batch in batches(JournalFile(path, "ended") for path in paths):
        readings: list[ReadJournal] = []
        for journal in batch:
            try:
                readings.append((journal, read(journal.path)))
            except (OSError, EOFError, zlib.error) as error:
                problems.append(f"archive/{journal.name} cannot be read: {error}")
        loaded = load(writer, place.folder, readings)
        problems += loaded.problems
        for journal, _, verdict, reason in loaded.taken:
            if verdict != "new":
                problems.append(f"archive/{journal.name} cannot go in: {reason or verdict}")
    return problems


def missing_runs(con: DuckDBPyConnection, place: Place) -> list[str]:
    """The runs that are archived and not in the database."""
    names = [path.name.removesuffix(ENDING) for path in archived(place)]
    present = {run_id for (run_id,) in con.execute("SELECT run_id FROM runs").fetchall()}
    present |= purged_runs(con)
    return [name for name in names if not name.startswith(BESIDE) and name not in present]


def rebuild(place: Place) -> tuple[SyncResult, Path | None]:
    """Make the database again, under the caller's lock; and where the old one is now, if any.

    The old file stays in its place until the new one is whole, and is kept beside it for good: it
    may hold tables of the user's, or runs whose journals are gone.
    """
    place.check()
    result = SyncResult()
    is_sound = _is_sound(place)
    with in_words(place), draft(place.folder) as folder:
        fresh = folder / place.database.name
        create(fresh)
        with writing(fresh, place) as writer:
            result.problems += load_archive(writer, place)
            rows = writer.con.execute("SELECT run_id FROM runs ORDER BY run_id").fetchall()
            writer.con.execute("CHECKPOINT")
        result.ingested = [run_id for (run_id,) in rows]
        kept = _exchange(place, fresh, "before" if is_sound else "broken")
    with in_words(place):
        ingest(place, result.add)
    return result, kept


def of_the_user(kept: Path) -> list[str]:
    """The user's own additions to a database that was set aside; nothing where it is broken."""
    import duckdb

    from warehouse.snapshot import read as reading

    ours = {*table_names(), "care_of_a_run"}
    try:
        with reading(kept) as con, duckdb.connect() as fresh:
            migrate(fresh)
            views = {name for (name,) in fresh.execute(_VIEWS).fetchall()}
            rows = con.execute(
                "SELECT schema_name, table_name FROM duckdb_tables() WHERE NOT internal UNION ALL "
                "SELECT schema_name, view_name FROM duckdb_views() WHERE NOT internal ORDER BY ALL"
            ).fetchall()
            added = [
                name if schema == "main" else f"{schema}.{name}"
                for schema, name in rows
                if schema != "main" or name not in ours | views
            ]
            return [*added, *changes(con)]
    except duckdb.Error:
        return []


_VIEWS = "SELECT view_name FROM duckdb_views() WHERE NOT internal"


def _is_sound(place: Place) -> bool:
    """Whether the database can be opened, which also folds its log in; BusyError if it is held."""
    if not os.path.lexists(place.database):
        return True
    try:
        with writing(place.database, place):
            return True
    except (BrokenError, ChangedError):
        return False
    except ForeignError:
        # Without journals there is nothing to make again: it is the folder that is wrong.
        if not archived(place):
            raise
        return False


def _exchange(place: Place, fresh: Path, why: str) -> Path | None:
    """Put the new database in the old one's place, and the old one beside it, whole.

    Where that cannot be done, the old one is where it was.
    """
    if not os.path.lexists(place.database):
        os.replace(fresh, place.database)
        return None
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = place.database.with_name(f"{place.database.name}.{why}-{moment}")
    moved: list[tuple[Path, Path]] = []
    try:
        for log in place.logs_of(place.database):
            aside = target.with_name(target.name + log.name.removeprefix(place.database.name))
            log.rename(aside)
            moved.append((log, aside))
        try:
            # A second name first, so that there is a database at every moment.
            os.link(place.database, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK):
                raise
            place.database.rename(target)
            moved.append((place.database, target))
        os.replace(fresh, place.database)
    except BaseException:
        for old, aside in reversed(moved):
            aside.rename(old)
        with suppress(OSError):
            if target.samefile(place.database):
                target.unlink()
        raise
    return target
