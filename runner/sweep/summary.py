"""The closing words of a run."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from runner.data.heads import DOT
from runner.journal.records import Replay
from runner.record.outcome import Outcome
from warehouse.place import Place

# Evaluations that are asked of the warehouse rather than read at the end of a run.
DETAILS = {
    *(f"{name}_{over}" for name in ("precision", "recall") for over in ("macro", "weighted")),
    *("f1_weighted", "top_3", "top_5", "log_loss", "calibration_error", "subset_accuracy"),
    *("pr_auc", "mape"),
}


def asking(results: Path) -> str:
    """The command that asks this results folder."""
    return f"python -m warehouse{results_words(results)}"


def results_words(results: Path) -> str:
    """The option that names this results folder; empty where commands take it by themselves."""
    return "" if results == Place.of(None).folder else f" --results {shlex.quote(str(results))}"


def run_lines(outcome: Outcome, results: Path) -> Iterator[str]:
    """Lines about how a run came out, and how to see more of it."""
    short = outcome.run_id[-8:]
    yield ""
    by = ", by its own max_seconds" if outcome.reason == "own_max_seconds" else ""
    yield (
        f"run       {outcome.run_id}  {outcome.status} after {outcome.epochs} epochs, "
        f"{outcome.seconds:.1f} s{by}"
    )
    if outcome.best is not None:
        yield f"best      epoch {outcome.best_epoch}, {outcome.monitor} {outcome.best:.4f}"
    yield from evaluation_lines(outcome.evaluations)
    if outcome.artifacts:
        yield f"kept      {', '.join(dict.fromkeys(outcome.artifacts))}"
    if outcome.weights is not None:
        yield f"weights   {outcome.weights}"
    if outcome.closing is not None:
        yield f"replay    {replay_words(outcome.closing)}"
    if outcome.weights is not None:
        use = f"python -m runner predict {short}{results_words(results)} --source FILE --to FILE"
        yield f"use it    {use}, or export"
    where = f"\"SELECT * FROM leaderboard WHERE run_id LIKE '%{short}'\""
    yield f"show it   {asking(results)} show {short}"
    yield f"ask SQL   {asking(results)} sql {where}"


def run_line(outcome: Outcome, overrides: Sequence[str]) -> str:
    """The same in one line, for a run among many."""
    status = "pruned" if outcome.reason == "pruned" else outcome.status
    words = [f"{status:<9} {outcome.run_id[-8:]}"]
    if outcome.best is not None:
        words.append(f"{outcome.monitor} {outcome.best:.4f}")
    elif outcome.error:
        words.append(outcome.error)
    words += [f"{outcome.seconds:.1f} s", " ".join(overrides)]
    return "  ".join(words).rstrip()


def failure_line(outcome: Outcome) -> str:
    """Why a run failed, and in which component."""
    place = f", in {outcome.place}" if outcome.place else ""
    return f"error: run {outcome.run_id} failed: {outcome.error}{place}"


def evaluation_lines(evaluations: Mapping[str, Mapping[str, float]]) -> Iterator[str]:
    """The metrics of each split, and head of several, but for details and single classes."""
    for split, metrics in evaluations.items():
        shown: dict[str, list[str]] = {split: []}
        for name, value in metrics.items():
            head, _, own = name.rpartition(DOT)
            if "[" not in name and own not in DETAILS:
                place = f"{split} {head}" if head else split
                shown.setdefault(place, []).append(f"{own} {value:.4f}")
        for place, values in shown.items():
            if not values and len(shown) > 1:
                continue  # all that there is is of heads
            yield f"{place:<9} {'  '.join(values)}"


def replay_words(replay: Replay) -> str:
    """The comparison of a replay with its original, in one clause."""
    if replay.equal:
        return f"equal to {replay.replay_of} in all {replay.epochs} epochs, bit for bit"
    return (
        f"differs from {replay.replay_of} first in epoch {replay.epoch}: {replay.name} was "
        f"{replay.expected!r} and is {replay.actual!r}"
    )
