"""`replay`: a recorded run trained again, to see whether it repeats."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words
    from runner.journal.records import EpochEnd, Replay
    from runner.record.outcome import Outcome
    from runner.sweep.earlier import EarlierRun


def add(words: Words) -> None:
    """`replay RUN`."""
    parser = words.add_parser(
        "replay",
        description="Train a run again from the warehouse alone and compare its losses; one that "
        "was trained in a pack with all of its pack, so that they can be equal bit for bit.",
    )
    add_run(parser)
    parser.add_argument(
        "--alone", action="store_true", help="without its pack, which is quicker and not exact"
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Train it, and say how the losses compare."""
    from runner.journal.records import Replay
    from runner.sweep.sweep import close_run, exit_code, status_of

    outcome, results = replay(arguments.run_id, arguments.results, alone=arguments.alone)
    close_run(outcome, results)
    differs = isinstance(outcome.closing, Replay) and not outcome.closing.equal
    return exit_code([status_of(outcome), "failed" if differs else "finished"])


def replay(run: str, results: Path | None = None, *, alone: bool = False) -> tuple[Outcome, Path]:
    """Train the run again from what the warehouse holds, and compare the losses epoch by epoch.

    alone: whether one of a pack is trained without the others.
    """
    from runner.commands.again import warn_of_changes
    from runner.errors import RunnerError
    from runner.sweep.batch import train_all
    from runner.sweep.earlier import earlier_run
    from runner.sweep.plan import Planner

    earlier = earlier_run(run, results)
    members = [earlier] if alone or earlier.engine != "packed" else _pack(earlier)
    if not earlier.is_whole:
        say(f"run {earlier.run_id} was extended and is no run in one go: {earlier.extension}")
    then = {one.run_id: one.epochs() for one in members}
    planner = Planner()
    runs = [one.plan_again(planner=planner, replay_of=one.run_id) for one in members]
    again = {planned.run_id: one for planned, one in zip(runs, members, strict=True)}
    [mine] = [planned for planned in runs if again[planned.run_id] is earlier]
    warn_of_changes(earlier, mine)

    def compare(run_id: str, epochs: Sequence[EpochEnd]) -> Replay:
        return compared(run_id, again[run_id], then[again[run_id].run_id], epochs)

    outcomes = train_all(runs, closing=compare)
    outcome = outcomes.get(mine.run_id)
    if outcome is None:
        raise KeyboardInterrupt
    if isinstance(outcome, RunnerError):
        raise outcome
    if len(runs) > 1:
        closings = [getattr(one, "closing", None) for one in outcomes.values()]
        equal = sum(one is not None and one.equal for one in closings)
        say(f"of the {len(runs)} runs of its pack {equal} are equal, bit for bit")
    return outcome, earlier.results


def _pack(earlier: EarlierRun) -> list[EarlierRun]:
    """The runs of its pack, as far as they are still known, which is said."""
    from runner.sweep.earlier import pack_of

    members = pack_of(earlier)
    there = (earlier.engine_reason or "").partition(" ")[0]
    say(f"run {earlier.run_id} was trained in a pack, which is trained again: {len(members)} runs")
    if there != str(len(members)):
        say(f"the pack had {there}: without the others the last bits may differ")
    return members


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
