"""The sinks of a run's records: its journal, the display, the plugins that listen."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable
from pathlib import Path

from runner.components.listeners import Listeners
from runner.errors import JournalError
from runner.journal.file import Journal
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.display import Progress
from runner.record.events import RunRecord
from runner.system.terminal import be_silent

Sink = Callable[[RunRecord], None]


class Journals:
    """A journal for each run, from its start to its end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open: dict[str, Journal] = {}

    def __call__(self, record: RunRecord) -> None:
        """Write one record; JournalError where that cannot be done."""
        if isinstance(record, RunStart):
            return self._begin(record)
        journal = self._open[record.run_id]
        journal.append(record)
        if isinstance(record, RunEnd):
            try:
                journal.finish()
            except JournalError as error:
                # It is whole, only not under its final name: the next ingest takes it as it is.
                journal.close()
                warnings.warn(str(error), stacklevel=2)
            del self._open[record.run_id]

    def end_anyway(self, end: RunEnd) -> None:
        """End a run whose journal may have failed, in the journal too if that is possible.

        An unfinished journal keeps what it holds; the next ingest takes it in as lost.
        """
        journal = self._open.pop(end.run_id, None)
        if journal is None:  # it ended just now, in the other thread
            return
        with contextlib.suppress(JournalError, OSError):
            journal.append(end)
            journal.finish()
        journal.close()

    def beat(self) -> None:
        """Show that the open runs are alive."""
        # A copy: this comes from the watching thread.
        for journal in list(self._open.values()):
            journal.beat()

    def _begin(self, start: RunStart) -> None:
        journal = Journal(self._folder, start.run_id)
        try:
            journal.append(start)
        except BaseException:  # or an empty file would stay
            journal.discard()
            raise
        self._open[start.run_id] = journal


class Display:
    """The display; where nobody reads it any more, the training goes on in silence."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def __call__(self, record: RunRecord) -> None:
        """Show one record."""
        try:
            match record:
                case RunStart():
                    self._progress.start(record)
                case EpochEnd():
                    self._progress.epoch(record)
                case RunEnd():
                    self._progress.end(record)
        except OSError:
            be_silent()


class Plugins:
    """The plugins that listen to runs; one that fails is a warning."""

    def __init__(self, listeners: Listeners) -> None:
        self._listeners = listeners
        self._starts: dict[str, RunStart] = {}

    def __call__(self, record: RunRecord) -> None:
        """Pass on one record, with the start of its run."""
        match record:
            case RunStart():
                self._starts[record.run_id] = record
                self._listeners.tell("runner_run_start", start=record)
            case EpochEnd():
                start = self._starts[record.run_id]
                self._listeners.tell("runner_epoch_end", start=start, epoch=record)
            case RunEnd():
                start = self._starts.pop(record.run_id)
                self._listeners.tell("runner_run_end", start=start, end=record)
