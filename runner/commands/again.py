"""A recorded run planned again, for `resume` and `replay`."""

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
from runner.journal.records import EpochEnd
from runner.sweep.plan import Run, plan
from runner.sweep.provenance import versions
from runner.sweep.trained import with_parents
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


def warn_of_changes(earlier: Recorded, again: Run) -> None:
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
