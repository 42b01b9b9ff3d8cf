"""Ended runs of a long sweep on their way into the warehouse, while others train."""

from __future__ import annotations

import threading
from pathlib import Path
from types import TracebackType

import warehouse
from runner.errors import WarehouseError

EVERY_SECONDS = 15.0


class Intake:
    """A context in which a thread takes in what has ended, every so many seconds.

    Whatever keeps it from that is reported when the sweep ends: all of it is tried again then.
    """

    def __init__(self) -> None:
        self._waiting: set[Path] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._take_in, name="intake", daemon=True)

    def add(self, results: Path) -> None:
        """Say that a run has ended whose journal lies in this results folder."""
        self._waiting.add(results)

    def __enter__(self) -> Intake:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _take_in(self) -> None:
        while not self._over.wait(EVERY_SECONDS):
            waiting, self._waiting = self._waiting, set()
            for results in waiting:
                try:
                    warehouse.sync(results)
                except WarehouseError:
                    continue
