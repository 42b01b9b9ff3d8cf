"""Snapshots, for readers: a copy of the database with what journals still hold laid over it.

Nobody but ingest opens the live file. Even reading its bytes here could cost a user's own
connection in this process its lock (closing any descriptor of a file drops the process's
`fcntl` locks on it), so the copy is made by a child process, and staleness is told by `stat`.
"""

from __future__ import annotations

import errno
import hashlib
import os
import subprocess
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from runner.errors import WarehouseError
from runner.system.databases import CLOSED, bounds, literal
from runner.system.temporary import private_folder
from warehouse.database import (
    ChangedError,
    UnwritableError,
    check_kind,
    create,
    in_words,
    refuse_gone,
    refuse_without_index,
    sql_of,
    writing,
)
from warehouse.ingest.ingest import overlay
from warehouse.ingest.staging import tables
from warehouse.journals.read import JournalFile, waiting
from warehouse.lake.address import lake_of
from warehouse.lake.reading import attach_checked, read_beside
from warehouse.lake.reading import on as beside_lake
from warehouse.package_views import make_views, view_texts
from warehouse.place import Place
from warehouse.shelf import forget_others, forget_shelves, new_draft, remove

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Made = TypeVar("Made")
PATIENCE = 60.0
"""Seconds that a reader waits for an ingest at work."""


def connect(
    results: str | os.PathLike[str] | None = None, *, lake: str | None = None
) -> DuckDBPyConnection:
    """A read-only connection to the newest state, running runs included.

    lake: the address of a team's warehouse, "none" for the folder's own; None: what the
    environment names, if anything.

    It reaches no file but the snapshot, and its configuration is locked: the results folder may
    be anybody's. A DataFrame comes in by `register`.

    Raises WarehouseError where the folder is no results folder or cannot be read.
    """
    place = Place.of(results)
    if lake is not None:
        place = replace(place, lake=lake_of(lake))
    place.check()
    with copying(place):
        return newest(place, forget=True)


def newest(place: Place, *, forget: bool = False) -> DuckDBPyConnection:
    """The same; the caller keeps ingest away.

    forget: remove older snapshots.
    """
    if place.lake is not None:
        lake, journals = place.lake, laid_over(place)
        path = on_shelf(place, lambda shelf: beside_lake(shelf, lake, journals, place.folder))
        con = read_beside(path, lake)
    else:
        path = snapshot(place)
        con = read(path)
    if forget:
        forget_others(path.parent)
    return con


def laid_over(place: Place) -> list[JournalFile]:
    """The journals that readers see though they are not taken in; none in a state of before."""
    return [] if place.lake is not None and place.lake.at else waiting(place)


def attach_newest(con: DuckDBPyConnection, place: Place) -> list[str]:
    """Attach the newest state as `warehouse`, read-only; the folders that it needs in reach.

    The caller keeps ingest away, and shuts the connection.
    """
    folders = []
    if place.lake is not None:
        lake, journals = place.lake, laid_over(place)
        path = on_shelf(place, lambda shelf: beside_lake(shelf, lake, journals, place.folder))
        folders.append(attach_checked(con, lake))
    else:
        path = snapshot(place)
    con.execute(f"ATTACH {literal(str(path))} AS warehouse (READ_ONLY)")
    return folders


def read(path: Path) -> DuckDBPyConnection:
    """A connection that reads a snapshot, or another copy, and nothing else."""
    import duckdb

    # At once, since the connections of one process to one file share what the first was given.
    config = CLOSED | bounds() | {"enable_external_access": "false"}
    con = duckdb.connect(str(path), read_only=True, config=config)
    if con.execute("SELECT current_setting('lock_configuration')").fetchone() == (False,):
        # None of `config` knows it before the file is open.
        con.execute("SET GLOBAL TimeZone = 'UTC'")
        con.execute("SET GLOBAL lock_configuration = true")
    return con


def in_brief(error: Exception, reader: str) -> str:
    """DuckDB's words about a query, or ours where it would do more than read.

    reader: what asked, such as "this page".
    """
    message = str(error).strip()
    refused = ("is no reading", "external access", "disabled by configuration", "read-only mode")
    if any(words in message for words in refused):
        return f"{reader} only reads the warehouse; other files are out of its reach"
    return message


def snapshot(place: Place) -> Path:
    """The file of the newest state, made if need be; the caller keeps ingest away."""
    journals = waiting(place)
    name = _state(place, journals)
    return on_shelf(place, lambda shelf: _on(shelf, name, place, journals))


def on_shelf(place: Place, make: Callable[[Path], Made]) -> Made:
    """Make something in the folder for snapshots, or in one of our own where that cannot be."""
    if place.folder.is_dir():
        try:
            with in_words(place):
                return make(_shelf_beside(place.folder / "snapshots"))
        except UnwritableError:
            pass
    # Not ours to write into, or full: elsewhere, so that what is there can be read.
    shelf = private_folder() / hashlib.sha256(str(place.folder).encode()).hexdigest()[:12]
    shelf.mkdir(mode=0o700, exist_ok=True)
    forget_shelves(shelf)
    return make(shelf)


def _shelf_beside(shelf: Path) -> Path:
    """The folder for snapshots beside the database; PermissionError where it is none of ours."""
    with suppress(FileExistsError):
        shelf.mkdir()
    if shelf.is_symlink() or not shelf.is_dir() or not os.access(shelf, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    return shelf


def _on(shelf: Path, name: str, place: Place, journals: list[JournalFile]) -> Path:
    """The snapshot of this name on the shelf, made if it is not there."""
    # The same file name as the live one: the catalog is called `warehouse` in both.
    path = shelf / name / place.database.name
    if not path.exists():
        _make(path, place, journals)
    return path


@contextmanager
def copying(place: Place) -> Iterator[None]:
    """Keep ingest away, wherever there is a folder to lock; no error but WarehouseError."""
    with place.locked(PATIENCE, reading=True) if place.folder.is_dir() else nullcontext():
        try:
            with in_words(place):
                yield
        except OSError as error:
            raise WarehouseError(
                f"{place.folder} cannot be read: no snapshot could be made ({error.strerror})"
            ) from error


def _state(place: Place, journals: list[JournalFile]) -> str:
    """A name for what can be seen now: the same name, the same content."""
    digest = hashlib.sha256(str(place.folder).encode())
    for folder in ("schema", "views", "ingest"):
        digest.update(repr(sql_of(folder)).encode())
    digest.update(repr(view_texts()).encode())
    digest.update("".join(tables()).encode())
    files = [
        place.database,
        *place.logs_of(place.database),
        *(journal.path for journal in journals),
    ]
    for path in files:
        with suppress(OSError):
            file = path.stat()
            digest.update(f"{path.name!a} {file.st_ino} {file.st_size}".encode())
            # A journal only grows, and its heartbeat is no news.
            if path.suffix != ".jsonl":
                digest.update(str(file.st_mtime_ns).encode())
    digest.update(repr([journal.state for journal in journals]).encode())
    return digest.hexdigest()[:24]


def _make(path: Path, place: Place, journals: Iterable[JournalFile]) -> None:
    """The snapshot at `path`, there whole or not at all."""
    folder = new_draft(path.parent.parent)
    try:
        fill(folder / path.name, place, journals)
        remove(path.parent)
        folder.rename(path.parent)
    finally:
        remove(folder)


def fill(draft: Path, place: Place, journals: Iterable[JournalFile]) -> None:
    """Copy the database, in today's form and with the journals laid over it."""
    if place.database.exists():
        copy_database(place, draft)
    else:
        refuse_without_index(place)
        create(draft)
    with writing(draft, place, renew_views=True) as writer:
        refuse_gone(writer.con)
        try:
            overlay(writer, place, journals)
        except ChangedError as error:
            warnings.warn(f"journals not taken in yet are left out: {error}", stacklevel=2)
        make_views(writer.con)
        writer.con.execute("CHECKPOINT")


def copy_database(place: Place, target: Path) -> None:
    """Copy the live database and its log by a child process; OSError where that cannot be."""
    check_kind(place.database, place)
    _copy(place.database, target)
    for log in place.logs_of(place.database):
        _copy(log, target.with_name(target.name + log.name.removeprefix(place.database.name)))


def _copy(source: Path, target: Path) -> None:
    done = subprocess.run(
        ["cp", "--", source, target], capture_output=True, text=True, errors="replace"
    )
    if done.returncode:
        if "No space left" in done.stderr:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise WarehouseError(f"{source} cannot be copied: {done.stderr.strip()}")
