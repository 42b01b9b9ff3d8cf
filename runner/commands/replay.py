"""`replay`: a recorded run trained again, to see whether it repeats."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands import add_run

if TYPE_CHECKING:
    from runner.commands import Words
    from runner.journal.records import EpochEnd, Replay
    from runner.record.outcome import Outcome
    from runner.sweep.earlier import EarlierRun


def add(words: Words) -> None:
    """`replay RUN`."""
    parser = words.add_parser(
        "replay",
        description="Train a run again from the warehouse alone and compare its losses.",
    )
    add_run(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train it, and say how the losses compare."""
    from runner.journal.records import Replay
    from runner.sweep.sweep import close_run, exit_code, status_of

    outcome, results = replay(arguments.run_id, arguments.results)
    close_run(outcome, results)
    differs = isinstance(outcome.closing, Replay) and not outcome.closing.equal
    return exit_code([status_of(outcome), "failed" if differs else "finished"])


def replay(run: str, results: Path | None = None) -> tuple[Outcome, Path]:
    """Train the run again from what the warehouse holds, and compare the losses epoch by epoch."""
    from runner.commands.again import warn_of_changes
    from runner.sweep.batch import train
    from runner.sweep.earlier import earlier_run

    earlier = earlier_run(run, results)
    epochs_then = earlier.epochs()
    again = earlier.plan_again(replay_of=earlier.run_id)
    warn_of_changes(earlier, again)

    def compare(run_id: str, epochs: Sequence[EpochEnd]) -> Replay:
        return compared(run_id, earlier, epochs_then, epochs)

    return train(again, closing=compare), earlier.results


def compared(
    run_id: str, earlier: EarlierRun, epochs_then: Sequence[EpochEnd], epochs: Sequence[EpochEnd]
) -> Replay:
    """The first difference between the losses of two runs, if there is one."""
    from runner.journal.records import Replay

    both = list(zip(epochs_then, epochs, strict=False))
    for was, now in both:
        for name in ("loss", "val_loss"):
            expected, actual = getattr(was, name), getattr(now, name)
            # Two losses that are no number count as the same.
            if expected != actual and not (expected != expected and actual != actual):
                return Replay(
                    run_id, earlier.run_id, False, len(both), was.epoch, name, expected, actual
                )
    counts = len(epochs_then), len(epochs)
    # A run that was cut short says nothing of what would have come.
    if earlier.status == "finished" and counts[0] != counts[1]:
        first = len(both) + 1
        return Replay(run_id, earlier.run_id, False, len(both), first, "epochs", *counts)
    return Replay(run_id, earlier.run_id, True, len(both))
