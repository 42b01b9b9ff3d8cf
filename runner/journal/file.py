"""A run's journal: an append-only file of records, the truth until it has been ingested.

A running run writes `<run_id>.jsonl` and holds a `flock` on it for as long as it lives; an
ended one is renamed `<run_id>.done.jsonl`. One `write()` a record, unbuffered, so that a killed
process loses nothing it had written; `fdatasync` at most once a second, so that a power cut
costs at most the last second or epoch, whichever is longer.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

from runner.errors import JournalError
from runner.journal.lines import to_line
from runner.journal.records import Record
from runner.journal.results import mark_results
from runner.journal.weights import ARTIFACTS, FOLDER

RUNNING = ".jsonl"
DONE = ".done.jsonl"
SYNC_SECONDS = 1.0


def check_writable(folder: Path) -> None:
    """Raise JournalError where a folder for journals can be seen to be out of reach.

    And where what is kept beside it would have no folder to go to, hours later.
    """
    # A link that leads nowhere is there, too, and in the way.
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    code = errno.EACCES if there.is_dir() else errno.ENOTDIR
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise _unwritable(folder, OSError(code, os.strerror(code)))
    for name in (FOLDER, ARTIFACTS):
        beside = folder.parent / name
        if os.path.lexists(beside) and not beside.is_dir():
            raise JournalError(
                f"{beside} is no folder, where a folder of the results should be; nothing was "
                "trained. Move it away or choose another with results=<folder>."
            )


def _unwritable(place: Path, error: OSError) -> JournalError:
    return JournalError(
        f"the journal {place} cannot be written ({error.strerror}); nothing was trained. "
        "Make the folder writable or choose another with results=<folder>."
    )


class Journal:
    """The open journal of one running run."""

    def __init__(self, folder: Path, run_id: str) -> None:
        """Create the file and take its lock; JournalError where that cannot be done."""
        self.path = folder / f"{run_id}{RUNNING}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            mark_results(folder.parent)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL
            self._file = os.open(self.path, flags, 0o644)
        except OSError as error:
            raise _unwritable(self.path, error) from error
        # A filesystem without locks (some network shares) must not stop a run.
        with contextlib.suppress(OSError):
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._synced = 0.0
        self._torn = False
        self._begun = False

    def append(self, record: Record) -> None:
        """Write one record whole, or raise JournalError and leave at most one torn line."""
        self.append_lines(to_line(record))

    def append_lines(self, line: bytes) -> None:
        """The same with lines that were written elsewhere, each with its newline."""
        if self._torn:
            line = b"\n" + line
        try:
            written = os.write(self._file, line)
            self._torn = written != len(line)
            self._begun = self._begun or written > 0
            if self._torn:
                raise OSError(28, os.strerror(28))
            if time.monotonic() - self._synced >= SYNC_SECONDS:
                os.fdatasync(self._file)
                self._synced = time.monotonic()
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} cannot be written ({error.strerror}); what it holds "
                "so far is kept."
            ) from error

    def beat(self) -> None:
        """Show other machines, which cannot see the lock, that the run goes on."""
        with contextlib.suppress(OSError):
            os.utime(self.path)

    def finish(self) -> Path:
        """Make the file durable, give it its final name and let go of the lock."""
        done = self.path.with_name(self.path.name.removesuffix(RUNNING) + DONE)
        try:
            os.fsync(self._file)
            self.path.rename(done)
        except OSError as error:
            raise JournalError(
                f"the journal {self.path} cannot be finished ({error.strerror}); what it holds "
                "is kept."
            ) from error
        self.close()
        return done

    def discard(self) -> None:
        """Take the file away again: not even its first record could be written whole."""
        self._begun = False
        self.close()

    def close(self) -> None:
        """Let go of the file; one that was not finished is salvaged by the next ingest.

        An empty one does not stay, whatever kept its first record from being written.
        """
        if self._file < 0:
            return
        if not self._begun:
            with contextlib.suppress(OSError):
                self.path.unlink()
        os.close(self._file)
        self._file = -1

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def write_journal(folder: Path, name: str, records: Iterable[Record]) -> None:
    """Write records into a journal that is ended at once; JournalError where that cannot be done.

    name: a run's id, or what else the journal is of.
    """
    with Journal(folder, name) as journal:
        for record in records:
            journal.append(record)
        journal.finish()


def run_id_of(path: Path) -> str:
    """The run id that a journal's file name says."""
    return path.name.split(".", 1)[0]


def is_abandoned(path: Path) -> bool:
    """Whether a running journal's process is gone: nobody holds the lock on it."""
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        # Still empty: its process may be about to take the lock, and ours would be in its way.
        if os.fstat(file).st_size == 0:
            return False
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(file)
    return True
