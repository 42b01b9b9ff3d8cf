"""The place of a warehouse: the results folder, what lies in it, and the lock that guards it."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import WarehouseError
from runner.journal.results import (
    DATABASE,
    ENVIRONMENT,
    JOURNALS,
    check_results,
    holds_runs,
    results_folder,
)
from runner.system.paths import open_plain
from warehouse.lake.address import Lake, lake_of

LAKE = "lake"
"""The small file of a results folder that says which lake has its runs."""
LONGEST_NOTE = 4096
"""Bytes that are read of a small file such as `ingest-host`."""


class BusyError(WarehouseError):
    """Somebody else holds the warehouse right now; nothing is wrong."""


_LAKES: dict[Path, str] = {}
"""The lakes that configs have named, by the results folder of their runs."""


def use_lake(folder: Path, address: str) -> None:
    """Have a results folder feed a lake, in this process; "none": none, whatever is around.

    Raises WarehouseError where it can be no address of a lake.
    """
    lake_of(address)
    _LAKES[folder] = address


@dataclass(frozen=True)
class Place:
    """A results folder; nothing in it need exist yet."""

    folder: Path
    lake: Lake | None = None
    """The team's warehouse, in the place of the one in the folder."""

    @classmethod
    def of(cls, results: str | os.PathLike[str] | None = None) -> Place:
        """The folder named, else the environment's, else `results` where the user stands.

        Its lake is the one that `use_lake` gave it in this process, else the environment's.
        Raises WarehouseError where that is a file, or has a name that nobody could open.
        """
        folder = results_folder(results)
        return cls(folder, lake_of(_LAKES.get(folder)))

    @property
    def has_runs(self) -> bool:
        """Whether anything may have been recorded for this warehouse, here or elsewhere."""
        return self.lake is not None or holds_runs(self.folder)

    def check(self) -> None:
        """Raise WarehouseError where this is somebody's folder, but no results folder."""
        check_results(self.folder)

    def refuse_lake(self, command: str, instead: str) -> None:
        """Raise WarehouseError where a command that works on a folder is asked of a lake."""
        if self.lake is not None:
            raise WarehouseError(
                f"{command} works on a results folder, and {self.lake.shown} is a lake: {instead}"
            )

    @property
    def database(self) -> Path:
        return self.folder / DATABASE

    @property
    def journals(self) -> Path:
        return self.folder / JOURNALS

    @property
    def archive(self) -> Path:
        return self.journals / "archive"

    @property
    def rejected(self) -> Path:
        return self.journals / "rejected"

    @property
    def weights(self) -> Path:
        return self.folder / "weights"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    def logs_of(self, database: Path) -> list[Path]:
        """The write-ahead logs beside a database file, if it has any."""
        return sorted(database.parent.glob(f"{database.name}.wal*"))

    def ingest_host(self) -> str | None:
        """The one machine that may ingest into a shared folder; None where any may."""
        path = self.folder / "ingest-host"
        try:
            with open_plain(path, follow_links=True) as file:
                return file.read(LONGEST_NOTE).decode("utf-8", "replace").strip() or None
        except OSError:
            return None

    def lake_note(self) -> str | None:
        """The lake that has taken runs from this folder; nobody is led there by it alone.

        The folder may be anybody's, and a server that it names would be given our password.
        """
        try:
            with open_plain(self.folder / LAKE) as file:
                return file.read(LONGEST_NOTE).decode("utf-8", "replace").strip() or None
        except OSError:
            return None

    def note_lake(self, lake: str) -> None:
        """Put down which lake takes the runs from this folder."""
        if self.lake_note() == lake:
            return
        with suppress(OSError):
            path = self.folder / LAKE
            new = path.with_name(f".{LAKE}-{os.getpid()}")
            new.unlink(missing_ok=True)
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
            with os.fdopen(file, "w", encoding="utf-8") as opened:
                opened.write(f"{lake}\n")
            new.replace(path)

    def now(self) -> float:
        """The time by this folder's own clock, which on a share is the file server's."""
        clock = self.journals / ".clock"
        try:
            os.utime(clock, follow_symlinks=False)
        except FileNotFoundError:
            with suppress(FileExistsError):
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
                os.close(os.open(clock, flags, 0o664))
        return clock.lstat().st_mtime

    @contextmanager
    def locked(
        self, wait: float = 0.0, *, reading: bool = False, name: str = "warehouse.lock"
    ) -> Iterator[None]:
        """Hold the sidecar lock; BusyError if others still hold it after `wait` seconds.

        reading: go on without one where there is none and none can be made. name: of another lock.
        """
        path = self.folder / name
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o664)
        except OSError as error:
            # A reader of somebody else's folder can still lock what is there.
            try:
                file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            except OSError as missing:
                if reading and missing.errno == errno.ENOENT:
                    yield
                    return
                raise WarehouseError(
                    f"the results folder {self.folder} cannot be written ({error.strerror}); "
                    "make it writable or choose another with --results or "
                    f"{ENVIRONMENT}."
                ) from error
        try:
            self._take(file, time.monotonic() + wait)
            yield
        finally:
            os.close(file)

    def _take(self, file: int, until: float) -> None:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise BusyError(
                        f"another process is at work on the warehouse in {self.folder}"
                    ) from None
                time.sleep(0.02)


def this_host() -> str:
    """This machine's name, as the runner writes it into `run_start`."""
    return socket.gethostname()
