"""Where an engine's events go: the journal, the weights store, the progress display."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from runner import weights
from runner.engines.contract import Event, Kept
from runner.journal import Journal
from runner.progress import Progress
from runner.records import EpochEnd, Evaluation, RunEnd, RunStart, Weights


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
    evaluations: dict[str, dict[str, float]] = field(default_factory=dict)
    """Split -> metric -> value, of the weights that were kept."""
    weights: Path | None = None
    seconds: float = 0.0
    error: str | None = None
    traceback: str | None = None


class Recorder:
    """Takes the events of runs, one journal a run, and gathers their outcomes."""

    def __init__(self, results: Path, progress: Progress) -> None:
        self.results = results
        self.outcomes: dict[str, Outcome] = {}
        self._progress = progress
        self._journals: dict[str, Journal] = {}
        self._values: dict[str, dict[int, float | None]] = {}

    def __call__(self, event: Event) -> None:
        """Take one event; a record is in its journal when this returns."""
        match event:
            case RunStart():
                self._start(event)
            case Kept():
                self._keep(event)
            case _:
                self._journals[event.run_id].append(event)
        outcome = self.outcomes[event.run_id]
        match event:
            case EpochEnd():
                outcome.losses.append(event.loss)
                self._values[event.run_id][event.epoch] = _value(event, outcome.monitor)
                self._progress.epoch(event)
            case Evaluation():
                outcome.evaluations[event.split] = dict(event.metrics)
            case RunEnd():
                self._end(event, outcome)

    def _start(self, start: RunStart) -> None:
        self._journals[start.run_id] = Journal(self.results / "journals", start.run_id)
        self._journals[start.run_id].append(start)
        self.outcomes[start.run_id] = Outcome(start.run_id, monitor=start.monitor)
        self._values[start.run_id] = {}
        self._progress.start(start)

    def _keep(self, kept: Kept) -> None:
        """Store the files first; their rows only refer to what is there."""
        stored = weights.save(self.results, kept.tensors)
        self._refer(kept, kept.role, stored, "safetensors")
        self.outcomes[kept.run_id].weights = self.results / stored.uri
        if kept.graph is not None:
            graph = weights.store(self.results, kept.graph.encode(), ".json")
            self._refer(kept, "graph", graph, "keras-json")

    def _refer(self, kept: Kept, role: str, stored: weights.Stored, form: str) -> None:
        name = f"{kept.run_id}:{role}:{kept.epoch}"
        self._journals[kept.run_id].append(
            Weights(
                run_id=kept.run_id,
                weights_id=name,
                epoch=kept.epoch,
                role=role,
                uri=stored.uri,
                sha256=stored.sha256,
                bytes=stored.bytes,
                format=form,
            )
        )

    def _end(self, end: RunEnd, outcome: Outcome) -> None:
        outcome.status, outcome.seconds = end.status, end.seconds
        outcome.epochs, outcome.best_epoch = end.epochs, end.best_epoch
        outcome.error, outcome.traceback = end.error, end.traceback
        values = self._values.pop(end.run_id)
        outcome.best = values.get(end.best_epoch) if end.best_epoch else None
        self._journals.pop(end.run_id).finish()
        self._progress.end(end)


def _value(event: EpochEnd, monitor: str) -> float | None:
    """The monitor's value in an epoch."""
    if monitor == "loss":
        return event.loss
    if monitor == "val_loss":
        return event.val_loss
    split = "val" if monitor.startswith("val_") else "train"
    return event.metrics.get(split, {}).get(monitor.removeprefix("val_"))
