"""`resume`: a run on from its last checkpoint."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words
    from runner.record.outcome import Outcome


def add(words: Words) -> None:
    """`resume RUN`."""
    parser = words.add_parser(
        "resume", description="Go on from a run's last checkpoint (checkpoint=N keeps them)."
    )
    add_run(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train on, and say what came of it."""
    from runner.sweep.sweep import close_run, exit_code, status_of

    outcome, results = resume(arguments.run_id, arguments.results)
    close_run(outcome, results)
    return exit_code([status_of(outcome)])


def resume(run: str, results: Path | None = None) -> tuple[Outcome, Path]:
    """Go on from the run's last checkpoint, as a new run that holds all epochs.

    Raises ConfigError where there is nothing to go on with.
    """
    from runner.commands.again import warn_of_changes
    from runner.sweep.batch import train
    from runner.sweep.earlier import earlier_run

    earlier = earlier_run(run, results)
    if earlier.status in ("finished", "running"):
        raise ConfigError(f"run {earlier.run_id} is {earlier.status}: there is nothing to resume")
    checkpoint = earlier.checkpoint()
    if checkpoint is None:
        raise ConfigError(
            f"run {earlier.run_id} has no checkpoint to resume from (checkpoint=N keeps one "
            f"every N epochs); train it anew: python -m runner {' '.join(earlier.overrides)}"
        )
    again = earlier.plan_again(resumed_from=earlier.run_id, resume=checkpoint)
    warn_of_changes(earlier, again)
    freed = ", without a pruner" if earlier.reason == "pruned" else ""
    say(f"resuming {earlier.run_id} after epoch {len(checkpoint.epochs)}{freed}")
    return train(again), earlier.results
