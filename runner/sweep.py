"""The runs of one command: each trained and recorded, then a summary and an exit code."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

import warehouse
from runner.composition import compose, experiment_name, settle
from runner.errors import RunnerError
from runner.experiment import SWEEP, train
from runner.recorder import Outcome
from runner.records import new_run_id


class Sweep:
    """Collects what came of the jobs that Hydra hands over, one or many."""

    def __init__(self) -> None:
        self._outcomes: list[Outcome] = []
        self._refused: list[str] = []

    def train(self, composed: DictConfig) -> None:
        """Train one composed config; a mistake in it is told and does not stop the others."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        application = HydraConfig.get()
        if application.mode == RunMode.MULTIRUN:
            os.environ.setdefault(SWEEP, new_run_id())
        try:
            config = settle(composed)
            overrides = list(application.overrides.task)
            name = experiment_name(application.runtime.choices)
            outcome = train(config, name, overrides)
        except RunnerError as error:
            print(f"error: {error}", file=sys.stderr)
            self._refused.append(str(error))
            return
        self._outcomes.append(outcome)
        close_run(outcome, Path(config.settings.results))

    def close(self) -> int:
        """The command's exit code: 1 if a run failed, 2 if nothing began to train, else 0."""
        failed = [outcome for outcome in self._outcomes if outcome.status == "failed"]
        if len(self._outcomes) + len(self._refused) > 1:
            finished = len(self._outcomes) - len(failed)
            print(
                f"\n{finished} runs ended, {len(failed)} failed, {len(self._refused)} refused; "
                "compare them: python -m warehouse runs"
            )
        if failed:
            return 1
        if any(outcome.status == "stopped" for outcome in self._outcomes):
            return 130
        return (1 if self._outcomes else 2) if self._refused else 0


def run_overrides(overrides: Sequence[str]) -> Outcome:
    """Compose and train one run from Python; see `runner.run`."""
    config, experiment = compose(overrides)
    outcome = train(config, experiment, overrides)
    close_run(outcome, Path(config.settings.results))
    return outcome


def close_run(outcome: Outcome, results: Path) -> None:
    """Bring what was recorded into the warehouse and print the closing summary."""
    if outcome.status == "summary":
        return
    result = warehouse.sync(results)
    for line in summary(outcome):
        print(line)
    if said := result.sentence():
        print(said)
    if outcome.status == "failed":
        print(f"error: run {outcome.run_id} failed: {outcome.error}", file=sys.stderr)
        if outcome.traceback:
            print(outcome.traceback, file=sys.stderr)


def summary(outcome: Outcome) -> list[str]:
    """The lines that close a run."""
    short = outcome.run_id[-8:]
    lines = ["", f"run       {outcome.run_id}  {outcome.status} after {outcome.epochs} epochs, "]
    lines[-1] += f"{outcome.seconds:.1f} s"
    if outcome.best is not None:
        lines.append(f"best      epoch {outcome.best_epoch}, {outcome.monitor} {outcome.best:.4f}")
    for split, metrics in outcome.evaluations.items():
        values = "  ".join(f"{name} {value:.4f}" for name, value in metrics.items())
        lines.append(f"{split:<9} {values}")
    if outcome.weights is not None:
        lines.append(f"weights   {outcome.weights}")
    lines.append(f"show it   python -m warehouse show {short}")
    lines.append(
        "ask SQL   python -m warehouse sql "
        f"\"SELECT * FROM leaderboard WHERE run_id LIKE '%{short}'\""
    )
    return lines
