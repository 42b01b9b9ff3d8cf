"""Train a recorded run again: on from its last checkpoint, or whole, to see whether it repeats."""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import warehouse
from runner.components.registry import load
from runner.config.config import Config, config_of
from runner.errors import ConfigError
from runner.journal import weights
from runner.journal.records import EpochEnd, Record, Replay
from runner.model.checkpoint import Checkpoint
from runner.record.recorder import Outcome
from runner.sweep.batch import train
from runner.sweep.plan import Run, plan
from runner.sweep.provenance import versions
from runner.sweep.trained import with_parents
from runner.system.terminal import say
from warehouse.place import Place


@dataclass(frozen=True)
class Recorded:
    """What the warehouse knows of a run, enough to train it again."""

    run_id: str
    status: str
    fingerprint: str
    experiment: str
    config: Config
    overrides: Sequence[str]
    versions: Mapping[str, str]
    epochs: Sequence[EpochEnd]
    checkpoint: tuple[int, str, str] | None
    """Epoch, uri and sha256 of the last one."""
    results: Path

    def again(self, **relation: Any) -> Run:
        """The same run planned anew."""
        return plan(with_parents(self.config, Path()), self.experiment, self.overrides, **relation)


def recorded(run: str, results: Path | None) -> Recorded:
    """Look a run up; WarehouseError if it is unknown, ConfigError if its plugins are gone."""
    folder = Place.of(results).folder
    with warehouse.connect(folder) as connection:
        run_id = warehouse.find_run(connection, run)
        row = connection.execute(
            "SELECT status, fingerprint, experiment, config, overrides, versions FROM runs "
            "WHERE run_id = ?",
            [run_id],
        ).fetchone()
        assert row is not None
        losses = connection.execute(
            "SELECT epoch, loss, val_loss, learning_rate, seconds FROM epochs "
            "WHERE run_id = ? ORDER BY epoch",
            [run_id],
        ).fetchall()
        named = connection.execute(
            "SELECT epoch, split, name, value FROM metrics WHERE run_id = ?", [run_id]
        ).fetchall()
        saved = warehouse.weights_of(connection, run_id, folder, role="checkpoint")
    status, fingerprint, experiment, config, overrides, versions_then = row
    metrics: dict[int, dict[str, dict[str, float]]] = {}
    for epoch, split, name, value in named:
        metrics.setdefault(epoch, {}).setdefault(split, {})[name] = value
    body: dict[str, Any] = json.loads(config) | {"results": str(folder)}
    last = saved[0] if saved else None
    return Recorded(
        run_id=run_id,
        status=status,
        fingerprint=fingerprint,
        experiment=experiment,
        config=config_of(body, load()),
        overrides=overrides,
        versions=versions_then,
        epochs=[
            EpochEnd(run_id, epoch, loss, val_loss, rate, seconds, metrics.get(epoch, {}))
            for epoch, loss, val_loss, rate, seconds in losses
        ],
        checkpoint=(last.epoch, str(last.path.relative_to(folder)), last.sha256) if last else None,
        results=folder,
    )


def resume(run: str, results: Path | None = None) -> tuple[Outcome, Path]:
    """Go on from the run's last checkpoint, as a new run that holds all epochs.

    Raises ConfigError where there is nothing to go on with.
    """
    earlier = recorded(run, results)
    if earlier.status in ("finished", "running"):
        raise ConfigError(f"run {earlier.run_id} is {earlier.status}: there is nothing to resume")
    if earlier.checkpoint is None:
        raise ConfigError(
            f"run {earlier.run_id} has no checkpoint to resume from (checkpoint=N keeps one "
            f"every N epochs); train it anew: python -m runner {' '.join(earlier.overrides)}"
        )
    epoch, uri, sha256 = earlier.checkpoint
    checkpoint = Checkpoint(
        epochs=[event for event in earlier.epochs if event.epoch <= epoch],
        tensors=weights.load(earlier.results, uri, sha256),
        state=weights.load_state(earlier.results, uri, sha256),
    )
    again = earlier.again(resumed_from=earlier.run_id, resume=checkpoint)
    _warn_of_changes(earlier, again)
    say(f"resuming {earlier.run_id} after epoch {epoch}")
    return train(again), earlier.results


def replay(run: str, results: Path | None = None) -> tuple[Outcome, Path]:
    """Train the run again from what the warehouse holds, and compare the losses epoch by epoch."""
    earlier = recorded(run, results)
    again = earlier.again(replay_of=earlier.run_id)
    _warn_of_changes(earlier, again)

    def compare(run_id: str, epochs: Sequence[EpochEnd]) -> Record:
        return compared(run_id, earlier, epochs)

    return train(again, closing=compare), earlier.results


def compared(run_id: str, earlier: Recorded, epochs: Sequence[EpochEnd]) -> Replay:
    """The first difference between the losses of two runs, if there is one."""
    both = list(zip(earlier.epochs, epochs, strict=False))
    for was, now in both:
        for name in ("loss", "val_loss"):
            expected, actual = getattr(was, name), getattr(now, name)
            # Two losses that are no number count as the same.
            if expected != actual and not (expected != expected and actual != actual):
                return Replay(
                    run_id, earlier.run_id, False, len(both), was.epoch, name, expected, actual
                )
    counts = len(earlier.epochs), len(epochs)
    # A run that was cut short says nothing of what would have come.
    if earlier.status == "finished" and counts[0] != counts[1]:
        first = len(both) + 1
        return Replay(run_id, earlier.run_id, False, len(both), first, "epochs", *counts)
    return Replay(run_id, earlier.run_id, True, len(both))


def _warn_of_changes(earlier: Recorded, again: Run) -> None:
    """Say what is not as it was when the run was recorded."""
    for library, now in versions().items():
        then = earlier.versions.get(library)
        if then is not None and then != now:
            warnings.warn(f"{library} was {then} then and is {now} now", stacklevel=3)
    if again.fingerprint != earlier.fingerprint:
        warnings.warn(
            "what determines the outcome has changed since: a component's source, a plugin's "
            "version or the data",
            stacklevel=3,
        )
