"""What readers get: a copy of the database with what journals still hold laid over it.

Nobody but ingest opens the live file. Even reading its bytes here could cost a user's own
connection in this process its lock (closing any descriptor of a file drops the process's
`fcntl` locks on it), so the copy is made by a child process, and staleness is told by `stat`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from warehouse.database import create, in_words, open_file, refuse_without_index, sql_of
from warehouse.ingest import overlay
from warehouse.journals import Found, waiting
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PATIENCE = 60.0
"""Seconds that a reader waits for an ingest at work."""


def connect(results: str | os.PathLike[str] | None = None) -> DuckDBPyConnection:
    """A read-only connection to the newest state, running runs included."""
    import duckdb

    place = Place.of(results)
    with _guarded(place):
        try:
            with in_words(place):
                path = snapshot(place)
                con = duckdb.connect(str(path), read_only=True)
        except OSError as error:
            raise WarehouseError(
                f"{place.folder} cannot be read: no snapshot could be made ({error.strerror})"
            ) from error
        _forget_others(path)
    return con


def snapshot(place: Place) -> Path:
    """The file of the newest state, made if need be; the caller keeps ingest away."""
    if place.database.is_dir():
        raise WarehouseError(f"{place.database} is a directory, not a database; move it away")
    found = waiting(place)
    # The same file name as the live one: the catalog is called `warehouse` in both.
    path = _shelf(place) / _state(place, found) / place.database.name
    if not path.exists():
        _make(path, place, found)
    return path


@contextmanager
def _guarded(place: Place) -> Iterator[None]:
    """Keep ingest away while the copy is made, wherever there is a folder to lock."""
    with place.locked(PATIENCE) if place.folder.is_dir() else nullcontext():
        yield


def _shelf(place: Place) -> Path:
    """The folder for snapshots: beside the database, or elsewhere where that is not ours."""
    shelf = place.folder / "snapshots"
    if place.folder.is_dir():
        with suppress(OSError):
            shelf.mkdir(exist_ok=True)
        if os.access(shelf, os.W_OK | os.X_OK):
            return shelf
    name = hashlib.sha256(str(place.folder).encode()).hexdigest()[:12]
    own = Path(tempfile.gettempdir()) / f"sweephouse-{os.getuid()}"
    own.mkdir(mode=0o700, exist_ok=True)
    (own / name).mkdir(exist_ok=True)
    return own / name


def _state(place: Place, found: list[Found]) -> str:
    """A name for what can be seen now: the same name, the same content."""
    said = hashlib.sha256(str(place.folder).encode())
    for folder in ("schema", "views", "load"):
        said.update(repr(sql_of(folder)).encode())
    files = [place.database, *place.logs_of(place.database), *(f.path for f in found)]
    for path in files:
        with suppress(FileNotFoundError):
            stat = path.stat()
            said.update(f"{path.name} {stat.st_ino} {stat.st_size}".encode())
            # A journal only grows, and its heartbeat is no news.
            if path.suffix != ".jsonl":
                said.update(str(stat.st_mtime_ns).encode())
    said.update(repr([f.state for f in found]).encode())
    return said.hexdigest()[:24]


def _make(path: Path, place: Place, found: list[Found]) -> None:
    """The snapshot at `path`, there whole or not at all."""
    folder = path.parent.with_name(f"draft-{os.getpid()}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    draft = folder / path.name
    try:
        if place.database.exists():
            _copy(place.database, draft)
            for log in place.logs_of(place.database):
                _copy(
                    log, draft.with_name(draft.name + log.name.removeprefix(place.database.name))
                )
        else:
            refuse_without_index(place)
            create(draft)
        con = open_file(draft, place)
        try:
            with in_words(place):
                overlay(con, place, found)
                con.execute("CHECKPOINT")
        finally:
            con.close()
        shutil.rmtree(path.parent, ignore_errors=True)
        os.replace(folder, path.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(source: Path, target: Path) -> None:
    done = subprocess.run(["cp", "--", source, target], capture_output=True, text=True)
    if done.returncode:
        raise WarehouseError(f"{source} cannot be copied: {done.stderr.strip()}")


def _forget_others(current: Path) -> None:
    """Unlink older snapshots; who has one open keeps it until they close it."""
    for folder in current.parent.parent.iterdir():
        if folder != current.parent:
            shutil.rmtree(folder, ignore_errors=True)
