"""The database file: made, opened, migrated; and what DuckDB says of it in words for the user.

The file may be anybody's, since results folders travel: it is opened with nothing that reaches out
of it, and what should be a table of ours must be one.
"""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import re
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import WarehouseError
from runner.journal.results import mark_results
from runner.system.databases import CLOSED, literal, shut
from warehouse.lake.address import ENVIRONMENT
from warehouse.place import BusyError, Place
from warehouse.shelf import draft

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STORAGE = "v1.0.0"
"""The storage version of the file: every client since DuckDB 1.0 reads it."""
_BROKEN = re.compile(
    r"not a valid DuckDB|Could not read enough bytes|[Cc]hecksum|[Cc]orrupt|Serialization Error"
    r"|INTERNAL Error|FATAL Error|WAL file|version number|existing extension"
)
UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM)
"""What the system says of a disk that takes no more, or nothing from us."""
_AGAIN = (
    "the journals hold everything: `python -m warehouse rebuild` sets it aside and makes it again"
)
_TABLE = re.compile(r"^CREATE TABLE (\w+)", re.MULTILINE)


class BrokenError(WarehouseError):
    """The database file is damaged; the journals are not."""


class ChangedError(WarehouseError):
    """The tables of the warehouse are not as we made them."""


class UnwritableError(WarehouseError):
    """The disk takes no more, or nothing from us."""


class ForeignError(WarehouseError):
    """A database of another program's."""


class Writer(NamedTuple):
    """A warehouse that is open for writing, and the folder from which it reads what goes in."""

    con: DuckDBPyConnection
    staging: Path


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


@contextmanager
def live(place: Place) -> Iterator[Writer]:
    """The live database to write to, made and migrated as needed; hold the lock while you do."""
    if not place.database.exists():
        refuse_without_index(place)
        place.folder.mkdir(parents=True, exist_ok=True)
        with draft(place.folder) as folder, in_words(place):
            create(folder / place.database.name)
            os.replace(folder / place.database.name, place.database)
        mark_results(place.folder)
    with writing(place.database, place) as writer:
        yield writer


def refuse_without_index(place: Place) -> None:
    """A new database beside an archive would hide what is archived: say so instead."""
    if place.archive.is_dir() and any(place.archive.glob("*.jsonl.gz")):
        if (lake := place.lake_note()) is not None:
            raise WarehouseError(
                f"the runs of {place.folder} were taken into the lake {lake}: name it by --lake "
                f"or {ENVIRONMENT}; or `python -m warehouse rebuild` makes a warehouse here of "
                "them"
            )
        raise BrokenError(
            f"{place.database} is gone, its archived journals are not: "
            "`python -m warehouse rebuild` makes it again from them"
        )


def create(path: Path) -> None:
    """A new warehouse at `path`, in a folder that is the caller's alone."""
    import duckdb

    with duckdb.connect() as maker:
        maker.execute(f"ATTACH {literal(str(path))} AS fresh (STORAGE_VERSION '{STORAGE}')")
        maker.execute("USE fresh")
        migrate(maker)
        # Said here, a disk that is full is what DuckDB complains of.
        maker.execute("CHECKPOINT fresh")
        maker.execute("USE memory")
        maker.execute("DETACH fresh")


@contextmanager
def writing(
    path: Path, place: Place, *, renew_views: bool = False, folders: Sequence[Path] = ()
) -> Iterator[Writer]:
    """A warehouse file to write to, migrated; all it can read besides is its staging folder.

    renew_views: make the views again even where the file says that they are today's.
    folders: others that it may read from.
    Errors speak of `place`. Raises BrokenError where the file is no sound database of ours,
    BusyError where another process has it open.
    """
    import duckdb

    check_kind(path, place)
    with (
        tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
        in_words(place),
    ):
        staging = Path(folder)
        try:
            con, ours = duckdb.connect(str(path), config=CLOSED), True
        except duckdb.ConnectionException:
            # The user's own connection in this process has it open, as they chose to.
            con, ours = duckdb.connect(str(path)), False
        with con:
            if ours:
                shut(con, folders=[staging, *folders])
            _check_names(con)
            _renew(con, renew_views=renew_views)
            yield Writer(con, staging)


def _renew(con: DuckDBPyConnection, *, renew_views: bool) -> None:
    """Migrate; ChangedError where that fails since somebody has changed the tables."""
    import duckdb

    try:
        migrate(con, renew_views=renew_views)
    except duckdb.ProgrammingError as error:
        if not (differences := changes(con)):
            raise
        raise ChangedError(f"{differences[0]}; {_AGAIN}") from error


def refuse_gone(con: DuckDBPyConnection) -> None:
    """Raise ChangedError where a table or column that readers may ask for is gone."""
    if differences := changes(con, added=False):
        raise ChangedError(f"{differences[0]}; {_AGAIN}")


@contextmanager
def transaction(con: DuckDBPyConnection, *, keep: bool = True) -> Iterator[None]:
    """Do all of it or nothing, and nothing where it is not to be kept.

    The error that comes out is the one that came first.
    """
    import duckdb

    con.execute("BEGIN")
    try:
        yield
        con.execute("COMMIT" if keep else "ROLLBACK")
    except BaseException:
        # A COMMIT that failed has ended the transaction, and a ROLLBACK would fail, too.
        with suppress(duckdb.Error):
            con.execute("ROLLBACK")
        raise


def check_kind(path: Path, place: Place) -> None:
    """Raise WarehouseError where the database is no plain file: DuckDB would wait for a pipe."""
    for file in (path, *place.logs_of(path)):
        mode = file.stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a directory" if stat.S_ISDIR(mode) else "no plain file"
            shown = place.database.with_name(place.database.name + file.name[len(path.name) :])
            raise WarehouseError(f"{shown} is {kind}, not a database; move it away")


def table_names() -> list[str]:
    """The tables of a warehouse, in the order in which they are made."""
    return [name for step in known_migrations() for name in _TABLE.findall(step.sql)]


def _check_names(con: DuckDBPyConnection) -> None:
    """Raise BrokenError where something else has the name of a table, or of DuckDB's functions.

    A view or a macro in such a place would run in our own queries.
    """
    # By their full names, which no macro can take.
    views = con.execute(
        "SELECT view_name FROM system.main.duckdb_views() WHERE NOT internal"
    ).fetchall()
    for name in sorted({name for (name,) in views} & set(table_names())):
        raise BrokenError(f"{name} is a view where a table of the warehouse should be; {_AGAIN}")
    added = con.execute(
        "SELECT system.main.lower(function_name) FROM system.main.duckdb_functions() "
        "WHERE NOT internal"
    ).fetchall()
    for name in sorted({name for (name,) in added} & _own_functions() - {"compare"}):
        raise BrokenError(
            f"the database has a macro in the place of DuckDB's own {name}; {_AGAIN}"
        )


@functools.cache
def _own_functions() -> frozenset[str]:
    """The names of DuckDB's functions, in small letters."""
    import duckdb

    with duckdb.connect() as fresh:
        names = fresh.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE internal"
        ).fetchall()
    return frozenset(name for (name,) in names)


def changes(con: DuckDBPyConnection, *, added: bool = True) -> list[str]:
    """The differences from the tables that we make, a sentence each; further tables are fine.

    added: whether columns that were added are a difference; no query of ours looks at them.
    """
    there = _columns(con)
    sentences = []
    for table, columns in _expected().items():
        if table not in there:
            sentences.append(f"the table {table} is gone")
        elif not added and columns.items() <= there[table].items():
            continue
        elif [*there[table].items()] != [*columns.items()]:
            differences = [
                *(f"{name} was added" for name in there[table] if name not in columns),
                *(f"{name} is gone" for name in columns if name not in there[table]),
            ]
            change = ", ".join(differences) or "its columns have another order or other types"
            sentences.append(f"the table {table} was changed: {change}")
    return sentences


@functools.cache
def _expected() -> dict[str, dict[str, str]]:
    """The columns of a warehouse that nobody has changed."""
    import duckdb

    with duckdb.connect() as fresh:
        migrate(fresh)
        return _columns(fresh)


def _columns(con: DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Table -> column -> type, in their order."""
    rows = con.execute(
        "SELECT t.table_name, c.column_name, c.data_type FROM duckdb_tables() AS t "
        "JOIN duckdb_columns() AS c USING (table_oid, database_name) "
        "WHERE NOT t.internal AND NOT t.temporary AND t.schema_name = 'main' "
        "AND t.database_name = current_database() ORDER BY t.table_name, c.column_index"
    ).fetchall()
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in rows:
        tables.setdefault(table, {})[column] = kind
    return tables


def migrate(
    con: DuckDBPyConnection, steps: list[Migration] | None = None, *, renew_views: bool = False
) -> None:
    """Bring a warehouse to the newest schema: each step once, together with its record."""
    steps = known_migrations() if steps is None else steps
    views = sql_of("views")
    digest = hashlib.sha256("".join(text for _, text in views).encode()).hexdigest()
    done, seen = _applied(con, [step.number for step in steps])
    newest = max(step.number for step in steps)
    if done and max(done) > newest:
        raise WarehouseError(
            f"the warehouse was written by a newer Sweephouse (schema {max(done)}, this one "
            f"knows {newest}); update Sweephouse, nothing was changed"
        )
    todo = [step for step in steps if step.number not in done]
    if not todo and seen == digest and not renew_views:
        return
    # Each in a transaction of its own: DuckDB refuses to alter a table whose rows the same one has
    # changed.
    for step in todo:
        with transaction(con):
            con.execute(step.sql)
            record_step(con, step.number, step.name)
    with transaction(con):
        for _, text in views:
            con.execute(text)
        con.execute("DELETE FROM migrations WHERE number = 0")
        record_step(con, 0, "views", digest)


def record_step(
    con: DuckDBPyConnection, number: int, name: str, sha256: str | None = None
) -> None:
    """Put down that a step has run.

    As text: for values that are given apart, DuckDB's client imports pandas. With its zone: a step
    makes instants of the moments here.
    """
    moment = literal(datetime.now(UTC).isoformat(sep=" "))
    digest = "NULL" if sha256 is None else literal(sha256)
    con.execute(f"INSERT INTO migrations VALUES ({number}, {literal(name)}, {moment}, {digest})")


def _applied(con: DuckDBPyConnection, known: Iterable[int]) -> tuple[set[int], str | None]:
    """The numbers of the steps that ran, and the hash of the views that are there."""
    tables = con.execute(
        "SELECT table_name FROM duckdb_tables() "
        "WHERE NOT internal AND database_name = current_database()"
    ).fetchall()
    names = {name for (name,) in tables}
    if "migrations" not in names:
        if names:
            raise ForeignError(
                "the file is a DuckDB database, but no Sweephouse warehouse; "
                "choose another results folder"
            )
        return set(), None
    rows = con.execute("SELECT number, sha256 FROM migrations").fetchall()
    done = {n for n, _ in rows if n}
    if not done or {n for n in known if n <= max(done)} - done:
        raise ChangedError(f"the table migrations was changed: rows are gone; {_AGAIN}")
    return done, next((sha for n, sha in rows if n == 0), None)


@contextmanager
def in_words(place: Place) -> Iterator[None]:
    """Turn DuckDB's errors about the file itself, and a disk's, into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno not in UNWRITABLE:
            raise
        where = error.filename or f"{place.folder} or {tempfile.gettempdir()}"
        raise UnwritableError(
            f"{where} cannot be written ({error.strerror}); the journals hold everything"
        ) from error
    except Exception as error:
        # Imported by whoever raised it; not by us, for commands that need no database.
        duckdb = sys.modules.get("duckdb")
        if duckdb is None or not isinstance(error, duckdb.Error):
            raise
        if (explained := _explained(error, place)) is error:
            raise
        raise explained from error


def _explained(error: Exception, place: Place) -> Exception:
    message, path = str(error), place.database
    if "Could not set lock" in message or "already attached" in message:
        pid = re.search(r"PID (\d+)", message)
        holder = f"another process (PID {pid[1]})" if pid else "another process"
        return BusyError(f"{holder} holds {path} open")
    if "different configuration" in message:
        return BusyError(f"this process itself holds {path} open, with other settings")
    if "Permission denied" in message or "Read-only file system" in message:
        return UnwritableError(f"{path} cannot be written; make it and its folder writable")
    if full := re.search(r"No space left on device|File too large|Disk quota exceeded", message):
        return UnwritableError(
            f"the warehouse in {place.folder} cannot be written ({full[0]}); the journals hold "
            "everything: make space, and `python -m warehouse sync` takes them in"
        )
    if _BROKEN.search(message):
        # A file of another kind makes DuckDB look for who could read it.
        foreign = "existing extension" in message
        first = "it is another program's" if foreign else message.splitlines()[0]
        return BrokenError(f"{path} is no sound DuckDB file ({first}); {_AGAIN}")
    return error
