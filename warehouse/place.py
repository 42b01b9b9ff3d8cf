"""Where a warehouse lives: the results folder, what lies in it, and the lock that guards it."""

from __future__ import annotations

import fcntl
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.errors import WarehouseError

ENVIRONMENT = "SWEEPHOUSE_RESULTS"


class BusyError(WarehouseError):
    """Somebody else holds the warehouse right now; nothing is wrong."""


@dataclass(frozen=True)
class Place:
    """A results folder; nothing in it need exist yet."""

    folder: Path

    @classmethod
    def of(cls, results: str | os.PathLike[str] | None = None) -> Place:
        """The folder named, else the environment's, else `results` where the user stands.

        Raises WarehouseError where that is a file.
        """
        chosen = results or os.environ.get(ENVIRONMENT) or "results"
        folder = Path(chosen).expanduser().absolute()
        if folder.exists() and not folder.is_dir():
            raise WarehouseError(f"{folder} is a file, not a results folder")
        return cls(folder)

    @property
    def database(self) -> Path:
        return self.folder / "warehouse.duckdb"

    @property
    def journals(self) -> Path:
        return self.folder / "journals"

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
        try:
            return (self.folder / "ingest-host").read_text().strip() or None
        except OSError:
            return None

    def now(self) -> float:
        """The time by this folder's own clock, which on a share is the file server's."""
        clock = self.journals / ".clock"
        clock.touch()
        return clock.stat().st_mtime

    @contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[None]:
        """Hold the sidecar lock; BusyError if others still hold it after `wait` seconds."""
        path = self.folder / "warehouse.lock"
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT, 0o664)
        except OSError as error:
            # A reader of somebody else's folder can still lock what is there.
            try:
                file = os.open(path, os.O_RDONLY)
            except OSError:
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
