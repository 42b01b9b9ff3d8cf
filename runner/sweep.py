"""The runs of one command: skip what is there, train and record the rest, sum up."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from omegaconf import DictConfig

import warehouse
from runner.composition import compose, experiment_name, settle
from runner.errors import RunnerError, WarehouseError
from runner.experiment import Run, plan, train
from runner.recorder import Outcome
from runner.records import new_run_id
from runner.summary import failures_of, run_lines, runs_of_sweep, sweep_lines
from runner.watch import INTERRUPTED
from warehouse.place import Place

SWEEP = "SWEEPHOUSE_SWEEP"
"""Environment variable by which the jobs of one --multirun know that they belong together."""
RECOVERING = "SWEEPHOUSE_RECOVERING"
"""Set when the launcher's workers died and the rest of the sweep is trained: whatever the sweep
has tried is then skipped, however it ended."""
FINISHED, FAILED, WRONG = 0, 1, 2
"""Exit codes: all well; a run failed; nothing began to train. The user's stop has its own."""
# Which earlier statuses `retry` trains again.
AGAIN = {
    "all": {"failed", "lost", "stopped"},
    "failed": {"failed"},
    "lost": {"lost", "stopped"},
    "nothing": set(),
}


class Sweep:
    """Takes the jobs that Hydra hands over, one or many; in workers, each has a copy."""

    def __init__(self, words: Sequence[str]) -> None:
        """words: the command line; the jobs of a sweep may run in processes of their own."""
        self.sweep_id = os.environ.setdefault(SWEEP, new_run_id())
        self.multirun = "-m" in words or "--multirun" in words
        named = [word.partition("=")[2] for word in words if word.startswith("results=")]
        self.results = Place.of(named[-1] if named else None).folder
        self._outcomes: list[Outcome] = []
        self._refused: list[str] = []

    def train(self, composed: DictConfig) -> None:
        """Train one composed config; in a sweep, whatever happens to it leaves the others be."""
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        application = HydraConfig.get()
        self.multirun = application.mode == RunMode.MULTIRUN
        try:
            base = Path(application.runtime.cwd)  # Hydra may have changed the folder
            config = settle(composed, base)
            run = plan(
                config,
                experiment_name(application.runtime.choices),
                list(application.overrides.task),
                base=base,
                sweep_id=self.sweep_id if self.multirun else None,
            )
            self.results = run.results
            if (reason := self._skip(run)) is not None:
                print(f"skipped: {' '.join(run.overrides) or 'the default experiment'} {reason}")
                return
            outcome = train(run)
        except RunnerError as error:
            print(f"error: {error}", file=sys.stderr)
            self.refuse(f"{' '.join(application.overrides.task)}  {error}")
            if self.multirun:
                # The sweeper raises it again after the last job, from worker processes too.
                raise
            return
        self._outcomes.append(outcome)
        close_run(outcome, run.results)
        if outcome.stop_requested:
            raise KeyboardInterrupt

    def _skip(self, run: Run) -> str | None:
        """Why the run need not be trained, if so; TensorFlow is not loaded to tell."""
        settings = run.config.settings
        skips = settings.skip == "finished" or (settings.skip == "auto" and self.multirun)
        if not skips and RECOVERING not in os.environ:
            return None
        warehouse.sync(run.results)
        with warehouse.connect(run.results) as connection:
            earlier = warehouse.latest_runs(connection, [run.fingerprint]).get(run.fingerprint, [])
            tried = runs_of_sweep(connection, self.sweep_id)
        for run_id, status in earlier:
            if RECOVERING in os.environ and run_id in tried:
                return f"is run {run_id}, {status}"
            if skips and status == "finished":
                return f"is run {run_id}, finished"
        if skips and earlier and earlier[0][1] not in AGAIN[settings.retry] | {"running"}:
            run_id, status = earlier[0]
            return f"is run {run_id}, {status}, and retry={settings.retry}"
        return None

    @property
    def stopped(self) -> bool:
        """Whether the user asked to stop, and with the run the sweep."""
        return any(outcome.stop_requested for outcome in self._outcomes)

    def refuse(self, said: str) -> None:
        """Remember a job that never began to train, unless this process has seen it itself."""
        if not any(said in one for one in self._refused):
            self._refused.append(said)

    def close(self) -> int:
        """Print what came of the sweep; the command's exit code."""
        statuses = [outcome.status for outcome in self._outcomes]
        if self.multirun:
            try:
                statuses += self._sum_up()
            except WarehouseError as error:
                # The runs' own journals and exit code say what happened all the same.
                print(f"error: {error}", file=sys.stderr)
            if self.stopped:
                return INTERRUPTED
        return exit_code(statuses, len(self._refused))

    def _sum_up(self) -> list[str]:
        """Print what the warehouse has of the sweep; a status for each run that failed."""
        warehouse.sync(self.results, wait=10.0)
        failed = failures_of(self.results, self.sweep_id)
        for line in sweep_lines(self.results, self.sweep_id, failed, self._refused):
            print(line)
        return ["failed"] * len(failed)


def exit_code(statuses: Sequence[str], refused: int = 0) -> int:
    """What a command exits with after runs of these statuses and so many that never began."""
    if "stopped" in statuses:
        return INTERRUPTED
    if "failed" in statuses:
        return FAILED
    return (FAILED if statuses else WRONG) if refused else FINISHED


def run_overrides(overrides: Sequence[str]) -> Outcome:
    """Compose and train one run from Python; see `runner.run`."""
    config, experiment = compose(overrides)
    run = plan(config, experiment, overrides)
    outcome = train(run)
    close_run(outcome, run.results)
    return outcome


def close_run(outcome: Outcome, results: Path) -> None:
    """Bring what was recorded into the warehouse and print the closing summary."""
    if outcome.status == "summary":
        return
    result = warehouse.sync(results)
    for line in run_lines(outcome, results):
        print(line)
    if result.reason or result.problems:
        print(f"warehouse {result.sentence()}")
    sys.stdout.flush()
    if outcome.status == "failed":
        if outcome.traceback:
            print(outcome.traceback, file=sys.stderr)
        print(f"error: run {outcome.run_id} failed: {outcome.error}", file=sys.stderr)
