"""The database file: made, opened, migrated; and what DuckDB says of it in words for the user."""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import WarehouseError
from warehouse.place import BusyError, Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE = "v1.0.0"
"""The storage version of the file: every client since DuckDB 1.0 reads it."""
_BROKEN = re.compile(
    r"not a valid DuckDB|Could not read enough bytes|[Cc]hecksum|[Cc]orrupt|Serialization Error"
    r"|INTERNAL Error|FATAL Error|WAL file|version number"
)


class BrokenError(WarehouseError):
    """The database file is damaged; the journals are not."""


class Migration(NamedTuple):
    """One step from an older schema to a newer one."""

    number: int
    name: str
    sql: str


def sql_of(folder: str) -> list[tuple[str, str]]:
    """Name and text of the .sql files of one of our folders, in order."""
    files = list(resources.files("warehouse").joinpath(folder).iterdir())
    return sorted((f.name, f.read_text("utf-8")) for f in files if f.name.endswith(".sql"))


def known_migrations() -> list[Migration]:
    """The schema's steps that this program knows."""
    return [
        Migration(int(name.split("_", 1)[0]), name.removesuffix(".sql"), text)
        for name, text in sql_of("schema")
    ]


def open_live(place: Place) -> DuckDBPyConnection:
    """The live database to write to, made and migrated as needed; hold the lock while you do."""
    if not place.database.exists():
        refuse_without_index(place)
        create(place.database)
    return open_file(place.database, place)


def refuse_without_index(place: Place) -> None:
    """A new database beside an archive would hide what is archived: say so instead."""
    if place.archive.is_dir() and any(place.archive.iterdir()):
        raise BrokenError(
            f"{place.database} is gone, its archived journals are not: "
            "`python -m warehouse rebuild` makes it again from them"
        )


def create(path: Path) -> None:
    """A new warehouse at `path`, there whole or not at all."""
    import duckdb

    fresh = path.with_name(f"{path.name}.new")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh.unlink(missing_ok=True)
    with duckdb.connect() as maker:
        name = str(fresh).replace("'", "''")
        maker.execute(f"ATTACH '{name}' AS fresh (STORAGE_VERSION '{STORAGE}')")
        maker.execute("USE fresh")
        migrate(maker)
        maker.execute("USE memory")
        maker.execute("DETACH fresh")
    os.replace(fresh, path)


def open_file(path: Path, place: Place) -> DuckDBPyConnection:
    """A warehouse file to write to, migrated; errors speak of `place`."""
    import duckdb

    with in_words(place):
        con = duckdb.connect(str(path))
        try:
            migrate(con)
        except BaseException:
            con.close()
            raise
    return con


def migrate(con: DuckDBPyConnection, steps: list[Migration] | None = None) -> None:
    """Bring a warehouse to the newest schema: each step once, together with its record."""
    steps = known_migrations() if steps is None else steps
    views = sql_of("views")
    digest = hashlib.sha256("".join(text for _, text in views).encode()).hexdigest()
    done, seen = _applied(con)
    newest = max(step.number for step in steps)
    if done and max(done) > newest:
        raise WarehouseError(
            f"the warehouse was written by a newer Sweephouse (schema {max(done)}, this one "
            f"knows {newest}); update Sweephouse, nothing was changed"
        )
    todo = [step for step in steps if step.number not in done]
    if not todo and seen == digest:
        return
    moment = datetime.now(UTC).replace(tzinfo=None)
    con.execute("BEGIN")
    try:
        for step in todo:
            con.execute(step.sql)
            con.execute(
                "INSERT INTO migrations VALUES (?, ?, ?, NULL)", [step.number, step.name, moment]
            )
        for _, text in views:
            con.execute(text)
        con.execute("DELETE FROM migrations WHERE number = 0")
        con.execute("INSERT INTO migrations VALUES (0, 'views', ?, ?)", [moment, digest])
        con.execute("COMMIT")
    except BaseException:
        con.execute("ROLLBACK")
        raise


def _applied(con: DuckDBPyConnection) -> tuple[set[int], str | None]:
    """The numbers of the steps that ran, and the hash of the views that are there."""
    tables = con.execute("SELECT table_name FROM duckdb_tables() WHERE NOT internal").fetchall()
    names = {name for (name,) in tables}
    if "migrations" not in names:
        if names:
            raise WarehouseError(
                "the file is a DuckDB database, but no Sweephouse warehouse; "
                "choose another results folder"
            )
        return set(), None
    rows = con.execute("SELECT number, sha256 FROM migrations").fetchall()
    return {n for n, _ in rows if n}, next((sha for n, sha in rows if n == 0), None)


@contextmanager
def in_words(place: Place) -> Iterator[None]:
    """Turn DuckDB's errors about the file itself into sentences."""
    try:
        yield
    except Exception as error:
        # Imported by whoever raised it; not by us, for commands that need no database.
        duckdb = sys.modules.get("duckdb")
        if duckdb is None or not isinstance(error, duckdb.Error):
            raise
        if (explained := _explained(error, place)) is error:
            raise
        raise explained from error


def _explained(error: Exception, place: Place) -> Exception:
    said, path = str(error), place.database
    if "Could not set lock" in said or "already attached" in said:
        pid = re.search(r"PID (\d+)", said)
        holder = f"another process (PID {pid[1]})" if pid else "another process"
        return BusyError(f"{holder} holds {path} open")
    if "different configuration" in said:
        return BusyError(f"this process itself holds {path} open, with other settings")
    if path.is_dir():
        return WarehouseError(f"{path} is a directory, not a database; move it away")
    if "Permission denied" in said or "Read-only file system" in said:
        return WarehouseError(f"{path} cannot be written; make it and its folder writable")
    if full := re.search(r"No space left on device|File too large|Disk quota exceeded", said):
        return WarehouseError(
            f"the warehouse in {place.folder} cannot be written ({full[0]}); the journals hold "
            "everything: make space, and `python -m warehouse sync` takes them in"
        )
    if _BROKEN.search(said):
        first = said.splitlines()[0]
        return BrokenError(
            f"{path} is no sound DuckDB file ({first}); the journals hold everything: "
            "`python -m warehouse rebuild` sets it aside and makes it again"
        )
    return error
