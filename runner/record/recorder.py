"""Where an engine's events go: the journal, the weights store, the progress display."""

from __future__ import annotations

import contextlib
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from runner.components.listeners import Listeners
from runner.components.registry import load
from runner.data.profile import Look
from runner.errors import JournalError
from runner.journal import weights
from runner.journal.file import Journal
from runner.journal.records import (
    Artifact,
    Confusion,
    Curves,
    EpochEnd,
    Evaluation,
    Layers,
    Record,
    RunEnd,
    RunStart,
    Steps,
    Weights,
    now,
)
from runner.journal.results import JOURNALS
from runner.model.layers import Layer
from runner.record.display import Progress
from runner.record.drawing import draw
from runner.record.events import Event, Kept, Predicted
from runner.record.predictions import table_of, to_parquet
from runner.record.tensor_stats import figures_of
from runner.system.terminal import be_silent

Closing = Callable[[str, Sequence[EpochEnd]], Record | None]
"""Makes a last record of a run from its id and epochs, written before its end."""


@dataclass
class Outcome:
    """How a run came out: what the closing summary says and `runner.run` returns."""

    run_id: str
    status: str = "running"
    epochs: int = 0
    best_epoch: int | None = None
    monitor: str = "val_loss"
    best: float | None = None
    """The monitor's value at the best epoch."""
    losses: list[float] = field(default_factory=list)
    """The training loss of each epoch."""
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    """Split -> metric -> value, of the weights that were kept."""
    weights: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    traceback: str | None = None
    stop_requested: bool = False
    """Whether the user asked to stop while it trained, even if it came to its end anyway."""
    closing: Record | None = None
    """What was recorded just before the end, such as how a replay compares."""


@dataclass
class _Open:
    """A run that is being recorded."""

    journal: Journal
    outcome: Outcome
    start: RunStart
    began: float = field(default_factory=time.monotonic)
    epochs: list[EpochEnd] = field(default_factory=list)


class Recorder:
    """Takes the events of runs, one journal a run, and gathers their outcomes."""

    def __init__(self, results: Path, progress: Progress, closing: Closing | None = None) -> None:
        self.results = results
        self.outcomes: dict[str, Outcome] = {}
        self._progress = progress
        self._listeners = Listeners(load().listeners)
        self._closing = closing
        self._open: dict[str, _Open] = {}
        self._looks: dict[Any, Look] = {}
        # A second Ctrl-C ends runs from the watching thread.
        self._lock = threading.RLock()

    def __call__(self, event: Event) -> None:
        """Take one event; a record is in its journal when this returns.

        Raises JournalError where the journal cannot be written.
        """
        with self._lock:
            match event:
                case RunStart():
                    self._start(event)
                case Kept():
                    self._keep(event)
                case EpochEnd():
                    run = self._open[event.run_id]
                    run.journal.append(event)
                    run.epochs.append(event)
                    run.outcome.losses.append(event.loss)
                    _show(self._progress.epoch, event)
                    self._listeners.tell("runner_epoch_end", start=run.start, epoch=event)
                case Evaluation():
                    run = self._open[event.run_id]
                    run.journal.append(event)
                    run.outcome.evaluations[event.split] = dict(event.metrics)
                case Steps() | Confusion() | Curves():
                    self._open[event.run_id].journal.append(event)
                case Predicted():
                    table = table_of(event.task, event.split, event.targets, event.outputs)
                    self._file(event.run_id, "predictions", to_parquet(table), ".parquet")
                case RunEnd():
                    self._end(event)

    def introduce(self, look: Look) -> None:
        """Have the next run on these data tell of them, if none has."""
        if look.is_new:
            self._looks[look.identity] = look

    def give_up(self, run_id: str, error: JournalError) -> None:
        """End a run whose journal failed, in the journal too if that is possible again.

        An unfinished journal keeps what it holds; the next ingest takes it in as lost.
        """
        run = self._open.pop(run_id)
        run.outcome.status, run.outcome.error = "failed", str(error)
        run.outcome.epochs = len(run.epochs)
        run.outcome.seconds = time.monotonic() - run.began
        end = RunEnd(
            run_id,
            "failed",
            now(),
            run.outcome.seconds,
            len(run.epochs),
            None,
            str(error),
        )
        with contextlib.suppress(JournalError, OSError):
            run.journal.append(end)
            run.journal.finish()
        run.journal.close()
        _show(self._progress.end, end)
        self._listeners.tell("runner_run_end", start=run.start, end=end)

    def beat(self) -> None:
        """Show that the open runs are alive."""
        for run in list(self._open.values()):
            run.journal.beat()

    def stop_at_once(self) -> None:
        """End every open run as stopped; called when the process is about to end."""
        # The main thread may hold the lock inside a write that never returns.
        self._lock.acquire(timeout=2.0)
        for run_id, run in list(self._open.items()):
            seconds = time.monotonic() - run.began
            end = RunEnd(run_id, "stopped", now(), seconds, len(run.epochs), None, "stopped twice")
            try:
                run.journal.append(end)
                run.journal.finish()
            except JournalError:
                continue

    def _start(self, start: RunStart) -> None:
        journal = Journal(self.results / JOURNALS, start.run_id)
        try:
            journal.append(start)
        except BaseException:  # or an empty file would stay
            journal.discard()
            raise
        if (look := self._looks.pop(start.data.get("identity"), None)) is not None:
            journal.append(look.record(start.run_id))
            look.remember()
        outcome = Outcome(start.run_id, monitor=start.monitor)
        self._open[start.run_id] = _Open(journal, outcome, start)
        self.outcomes[start.run_id] = outcome
        _show(self._progress.start, start)
        self._listeners.tell("runner_run_start", start=start)

    def _keep(self, kept: Kept) -> None:
        """Store the files first; their rows only refer to what is there."""
        stored = weights.save(self.results, kept.tensors, kept.state)
        self._refer(kept, kept.role, stored, "safetensors")
        if kept.role == "best":
            self.outcomes[kept.run_id].weights = self.results / stored.uri
        if kept.graph is not None:
            graph = weights.store(self.results, kept.graph.encode(), ".json")
            self._refer(kept, "graph", graph, "keras-json")
        if kept.layers:
            self._open[kept.run_id].journal.append(_layers(kept.run_id, kept.layers))
            self._file(kept.run_id, "picture", draw(kept.layers).encode(), ".svg")

    def _file(self, run_id: str, kind: str, content: bytes, suffix: str) -> None:
        """Store a file that is no weights, then refer to it."""
        stored = weights.store(self.results, content, suffix, weights.ARTIFACTS)
        self._open[run_id].journal.append(
            Artifact(run_id, kind, stored.uri, stored.sha256, stored.bytes)
        )

    def _refer(self, kept: Kept, role: str, stored: weights.Stored, form: str) -> None:
        journal, weights_id = self._open[kept.run_id].journal, f"{kept.run_id}:{role}:{kept.epoch}"
        journal.append(
            Weights(
                run_id=kept.run_id,
                weights_id=weights_id,
                epoch=kept.epoch,
                role=role,
                uri=stored.uri,
                sha256=stored.sha256,
                bytes=stored.bytes,
                format=form,
            )
        )
        if role == kept.role and kept.owners:
            journal.append(figures_of(kept.run_id, weights_id, kept.tensors, kept.owners))

    def _end(self, end: RunEnd) -> None:
        run = self._open[end.run_id]
        outcome = run.outcome
        if self._closing is not None:
            outcome.closing = self._closing(end.run_id, run.epochs)
            if outcome.closing is not None:
                run.journal.append(outcome.closing)
        run.journal.append(end)
        try:
            run.journal.finish()
        except JournalError as error:
            # It is whole, only not under its final name: the next ingest takes it as it is.
            run.journal.close()
            warnings.warn(str(error), stacklevel=2)
        del self._open[end.run_id]
        outcome.status, outcome.seconds = end.status, end.seconds
        outcome.epochs, outcome.best_epoch = end.epochs, end.best_epoch
        outcome.error, outcome.traceback = end.error, end.traceback
        best = next((event for event in run.epochs if event.epoch == end.best_epoch), None)
        outcome.best = _value(best, outcome.monitor) if best else None
        _show(self._progress.end, end)
        self._listeners.tell("runner_run_end", start=run.start, end=end)


def _layers(run_id: str, layers: Sequence[Layer]) -> Layers:
    """The layers as a record, a list for each of their fields."""
    return Layers(
        run_id,
        name=[layer.name for layer in layers],
        class_name=[layer.class_name for layer in layers],
        output_shape=[layer.output_shape for layer in layers],
        parameters=[layer.parameters for layer in layers],
        inputs=[layer.inputs for layer in layers],
        config=[layer.config for layer in layers],
    )


def _show(tell: Callable[[Any], None], event: Event) -> None:
    """Tell the display; where nobody reads it any more, train on in silence."""
    try:
        tell(event)
    except OSError:
        be_silent()


def _value(event: EpochEnd, monitor: str) -> float | None:
    """The monitor's value in an epoch."""
    if monitor == "loss":
        return event.loss
    if monitor == "val_loss":
        return event.val_loss
    split = "val" if monitor.startswith("val_") else "train"
    return event.metrics.get(split, {}).get(monitor.removeprefix("val_"))
