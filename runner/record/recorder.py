"""The recorder: an engine's events become records, and each record passes every sink in turn."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from runner.components.listeners import Listeners
from runner.components.registry import load
from runner.data.profile import Look
from runner.errors import JournalError
from runner.journal.records import Artifact, EpochEnd, Replay, RunEnd, RunStart
from runner.journal.results import JOURNALS
from runner.record.display import Progress
from runner.record.events import Event, Found, Kept, Predicted, Refused, RunRecord
from runner.record.files import store_code, store_found, store_kept, store_predicted
from runner.record.outcome import Outcomes
from runner.record.sinks import Display, Journals, Plugins, Sink
from runner.record.usage import UsageLog
from runner.system.terminal import complain

Closing = Callable[[str, Sequence[EpochEnd]], Replay]
"""Makes a last record of a run from its id and epochs, written before its end."""


class Recorder:
    """The taker of runs' events: one journal a run, and their outcomes gathered."""

    def __init__(self, results: Path, progress: Progress, closing: Closing | None = None) -> None:
        self._results, self._closing = results, closing
        self._looks: dict[str | None, Look] = {}
        self._code: Sequence[Artifact] | None = None
        self._journals, self._gathered = Journals(results / JOURNALS), Outcomes(results)
        self.outcomes = self._gathered.by_id
        # What is shown, and what plugins are told, is recorded by then.
        self._others: list[Sink] = [
            self._gathered,
            Display(progress),
            Plugins(Listeners(load().listeners)),
        ]
        self.usage = UsageLog(self._write_samples)
        """Enter it for the time in which runs train."""
        # A second Ctrl-C ends runs from the watching thread.
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Take one event; its records are in the journal when this returns.

        Raises JournalError where the journal cannot be written.
        """
        with self._lock:
            for record in self._records_of(event):
                self._journals(record)
                self._pass_on(record)

    def introduce(self, look: Look) -> None:
        """Have the next run on these data tell of them, if none has."""
        if look.is_new:
            self._looks[look.identity] = look

    def give_up(self, run_id: str, error: JournalError) -> None:
        """End a run whose journal failed, in the journal too if that is possible again."""
        self.usage.end(run_id)
        seconds, epochs = self._gathered.seconds(run_id), self._gathered.epochs[run_id]
        end = RunEnd.failed(run_id, str(error), seconds, len(epochs))
        self._journals.end_anyway(end)
        self._pass_on(end)

    def seconds(self, run_id: str) -> float:
        """The seconds that an open run has been going on."""
        return self._gathered.seconds(run_id)

    def beat(self) -> None:
        """Show that the open runs are alive."""
        self._journals.beat()

    def stop_at_once(self) -> None:
        """End every open run as stopped; called when the process is about to end."""
        # The main thread may hold the lock inside a write that never returns.
        self._lock.acquire(timeout=2.0)
        for run_id, epochs in list(self._gathered.epochs.items()):
            seconds = self._gathered.seconds(run_id)
            self._journals.end_anyway(
                RunEnd.stopped(run_id, "stopped twice", seconds, len(epochs))
            )

    def _records_of(self, event: Event) -> Iterator[RunRecord]:
        """The records that an event becomes, one after the other: each is written before the next.

        Files are stored first; their records only refer to what is there.
        """
        match event:
            case RunStart():
                yield event
                if (look := self._looks.pop(event.data.get("identity"), None)) is not None:
                    yield look.record(event.run_id)
                    look.remember()
                yield from self._about_code(event.run_id)
                if (event.config or {}).get("record_system"):
                    self.usage.begin(event.run_id)
            case Kept():
                yield from store_kept(event, self._results)
            case Predicted():
                yield store_predicted(event, self._results)
            case Found():
                yield store_found(event, self._results)
            case RunEnd():
                if (samples := self.usage.take(event.run_id)) is not None:
                    yield samples
                self.usage.end(event.run_id)
                if self._closing is not None:
                    yield self._closing(event.run_id, self._gathered.epochs[event.run_id])
                yield event
            case Refused():
                return  # it never began: there is nothing to record
            case _:
                yield event

    def _about_code(self, run_id: str) -> Iterator[RunRecord]:
        """What the code is; a run trains without, where it cannot be kept."""
        if self._code is None:
            try:
                self._code = store_code(self._results)
            except OSError as error:
                complain(f"warning: what the code was is not kept: {error}")
                self._code = []
        for artifact in self._code:
            yield dataclasses.replace(artifact, run_id=run_id)

    def _write_samples(self, run_id: str) -> None:
        """Put down what was sampled for a run, if it is still open; called from a thread."""
        with self._lock:
            samples = self.usage.take(run_id)
            if samples is not None:
                # The run itself meets the same trouble, and ends by it.
                with contextlib.suppress(JournalError):
                    self._journals(samples)

    def _pass_on(self, record: RunRecord) -> None:
        for sink in self._others:
            sink(record)
