"""Outcomes of runs, gathered from their records."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from runner.components.types import Mode
from runner.journal.records import (
    Artifact,
    EpochEnd,
    Evaluation,
    EvaluatorCall,
    Replay,
    RunEnd,
    RunStart,
    StopReason,
    Weights,
)
from runner.record.events import RunRecord


@dataclass
class Outcome:
    """The outcome of a run: the closing summary prints it and `runner.run` returns it."""

    run_id: str
    status: str = "running"
    epochs: int = 0
    best_epoch: int | None = None
    monitor: str = "val_loss"
    mode: Mode = "min"
    """Which end of the monitor is better."""
    best: float | None = None
    """The monitor's value at the best epoch."""
    losses: list[float] = field(default_factory=list)
    """The training loss of each epoch."""
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    """Split -> metric -> value, of the weights that were kept."""
    artifacts: list[str] = field(default_factory=list)
    """The names of figures, tables and files that components left behind."""
    failed_calls: list[EvaluatorCall] = field(default_factory=list)
    """Of evaluators; the run is none the worse for them."""
    weights: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    reason: StopReason | None = None
    """Of a stopped run, who stopped it."""
    traceback: str | None = None
    place: str | None = None
    """The component whose code the error went through, its file and line."""
    stop_requested: bool = False
    """Whether the user asked to stop while it trained, even if it came to its end anyway."""
    on_end: str | Sequence[str] | None = None
    """The command that is to be told of it."""
    closing: Replay | None = None
    """The record made just before the end: how a replay compares."""


class Outcomes:
    """The sink that gathers the outcome of every run."""

    def __init__(self, results: Path) -> None:
        self.by_id: dict[str, Outcome] = {}
        self.epochs: dict[str, list[EpochEnd]] = {}
        """Of the runs that have begun and not ended."""
        self._results = results
        self._began: dict[str, float] = {}

    def __call__(self, record: RunRecord) -> None:
        """Take one record."""
        match record:
            case RunStart():
                self._began[record.run_id] = time.monotonic()
                self.epochs[record.run_id] = []
                self.by_id[record.run_id] = Outcome(
                    record.run_id,
                    monitor=record.monitor,
                    mode=record.mode,
                    on_end=record.config.get("on_end"),
                )
            case EpochEnd():
                self.epochs[record.run_id].append(record)
                self.by_id[record.run_id].losses.append(record.loss)
            case Weights(role="best"):
                self.by_id[record.run_id].weights = self._results / record.uri
            case Evaluation():
                self.by_id[record.run_id].evaluations[record.split] = dict(record.metrics)
            case EvaluatorCall():
                self._call(record)
            case Artifact(name=str(name)):
                self.by_id[record.run_id].artifacts.append(name)
            case Replay():
                self.by_id[record.run_id].closing = record
            case RunEnd():
                self._end(record)

    def seconds(self, run_id: str) -> float:
        """The seconds that the run has been going on."""
        return time.monotonic() - self._began[run_id]

    def _call(self, call: EvaluatorCall) -> None:
        outcome = self.by_id[call.run_id]
        if call.error is not None:
            outcome.failed_calls.append(call)
        elif not call.training:
            for split, named in call.named_metrics().items():
                outcome.evaluations.setdefault(split, {}).update(named)

    def _end(self, end: RunEnd) -> None:
        outcome = self.by_id[end.run_id]
        outcome.status, outcome.seconds = end.status, end.seconds
        outcome.epochs, outcome.best_epoch = end.epochs, end.best_epoch
        outcome.error, outcome.traceback = end.error, end.traceback
        outcome.reason = end.reason
        epochs = self.epochs.pop(end.run_id)
        best = next((event for event in epochs if event.epoch == end.best_epoch), None)
        outcome.best = best.value(outcome.monitor) if best else None
