"""The folder of snapshots: what is ours in it, and how old ones go.

A shelf may lie anywhere, and anything may lie on it. Removed is only what carries our mark, file
by file and never through a link; a folder that holds more than ours stays.
"""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.journal.results import DATABASE
from runner.system.temporary import umask

MARK = ".sweephouse-snapshot"
"""The file that says that a folder was made here, and for what."""
SPILLED = "duckdb_temp_"
"""How the names begin of what DuckDB writes where memory is short."""
SHELVES = 8
"""Results folders that cannot be written whose snapshots are kept elsewhere."""


def new_draft(shelf: Path) -> Path:
    """A folder of our own on the shelf, with our mark."""
    folder = Path(tempfile.mkdtemp(prefix="draft-", dir=shelf))
    folder.chmod(0o755 & ~umask())
    (folder / MARK).touch()
    return folder


class Hold:
    """A folder of ours in use: nobody removes it until it is released or the process is gone."""

    def __init__(self, folder: Path) -> None:
        self._mark = os.open(folder / MARK, os.O_RDONLY | os.O_NOFOLLOW)
        with suppress(OSError):  # a filesystem without locks
            fcntl.flock(self._mark, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Let go of it."""
        if self._mark >= 0:
            os.close(self._mark)
        self._mark = -1


@contextmanager
def draft(folder: Path) -> Iterator[Path]:
    """A folder for a database in the making; the caller keeps others away from this one.

    What a killed process left of its own goes before.
    """
    for old in folder.glob(".draft-*"):
        remove(old)
    new = Path(tempfile.mkdtemp(prefix=".draft-", dir=folder))
    (new / MARK).touch()
    try:
        yield new
    finally:
        remove(new)


def remove(folder: Path) -> None:
    """Remove a snapshot, or the draft of one; nothing where it is in use or not marked as ours."""
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        if not stat.S_ISREG(os.lstat(MARK, dir_fd=opened).st_mode):
            return
        if _is_held(opened):
            return
        for name in os.listdir(opened):  # noqa: PTH208  # of a descriptor, not of a path
            if not name.startswith(DATABASE):
                continue
            with suppress(OSError):
                if stat.S_ISREG(os.lstat(name, dir_fd=opened).st_mode):
                    os.unlink(name, dir_fd=opened)
                else:
                    _remove_spill(name, opened)
        if os.listdir(opened) == [MARK]:  # noqa: PTH208
            os.unlink(MARK, dir_fd=opened)
    except OSError:
        return
    finally:
        os.close(opened)
    with suppress(OSError):
        folder.rmdir()


def _is_held(folder: int) -> bool:
    """Whether a process has the folder in use."""
    mark = os.open(MARK, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        fcntl.flock(mark, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:  # a filesystem without locks
        return False
    finally:
        os.close(mark)
    return False


def _remove_spill(name: str, folder: int) -> None:
    """Remove what DuckDB put beside a snapshot that did not fit into memory, if it was killed."""
    opened = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    try:
        for file in os.listdir(opened):  # noqa: PTH208  # of a descriptor, not of a path
            if file.startswith(SPILLED) and stat.S_ISREG(os.lstat(file, dir_fd=opened).st_mode):
                os.unlink(file, dir_fd=opened)
    finally:
        os.close(opened)
    os.rmdir(name, dir_fd=folder)


def forget_others(current: Path) -> None:
    """Remove older snapshots; who has one open keeps it until they close it."""
    for folder in current.parent.iterdir():
        if folder != current:
            remove(folder)


def forget_shelves(current: Path) -> None:
    """Of the shelves in our private folder keep those that were used last, and this one."""
    os.utime(current)
    shelves = [
        folder
        for folder in current.parent.iterdir()
        if len(folder.name) == len(current.name) and folder.is_dir() and not folder.is_symlink()
    ]
    shelves.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
    for shelf in shelves[SHELVES:]:
        for snapshot in shelf.iterdir():
            remove(snapshot)
        with suppress(OSError):
            shelf.rmdir()
