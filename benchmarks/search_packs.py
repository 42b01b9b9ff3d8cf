"""A search's batches in one process: what later ones gain by what the first one traced.

    python benchmarks/search_packs.py [--rounds 3] [--batches 4] [--runs 16] [--epochs 10]

Each batch is so many runs of a small dense network on digits, with learning rates, dropout rates
and seeds of their own, as a sampler would ask for them; all that a sweep does is included: plan,
build, train, journal, weights. `kept` is how it is; `anew` lets go of data and templates before
each batch. They take turns in one process, the first of a round alternating; ratios are taken
within a round, the median stands before the range. Losses must be the same to the last bit.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import random
import statistics
import tempfile
import time
from collections.abc import Sequence
from typing import Any

from runner.config.compose import compose
from runner.engines.packed.engine import SHARED
from runner.record.outcome import Outcome
from runner.sweep.batch import train_all
from runner.sweep.plan import Planner, Source

BASE = (
    *("dataset=digits", "batch_size=32", "architecture.units=[64,64]", "regularizer=[dropout]"),
    *("engine=packed", "strict=true"),
)


def members(batches: int, runs: int) -> list[list[list[str]]]:
    """For each batch the words of its runs, the same in every session."""
    draw = random.Random(15)
    return [
        [
            [
                f"optimizer.learning_rate={10 ** draw.uniform(-3.5, -2):.3g}",
                f"regularizer.dropout.rate={draw.uniform(0.05, 0.5):.3f}",
                f"seed={draw.randrange(10**6)}",
            ]
            for _ in range(runs)
        ]
        for _ in range(batches)
    ]


def searched(batches: Sequence[Any], words: Sequence[str], kept: bool) -> Any:
    """Train the batches: wall and processor seconds of each, and the losses."""
    times, losses = [], []
    forget()
    for batch in batches:
        if not kept:
            forget()
        wall, cpu = time.perf_counter(), time.process_time()
        planner = Planner()
        runs = [planner.plan(*compose([*words, *own]), own) for own in batch]
        with contextlib.redirect_stdout(io.StringIO()):
            outcomes = train_all(runs)
        for run in runs:
            outcome = outcomes[run.run_id]
            assert isinstance(outcome, Outcome) and outcome.status == "finished", outcome
            losses.append(outcome.losses)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    return times, losses


def forget() -> None:
    """Let go of the data that were trained on last, and of all that was traced."""
    if Source._kept is not None:
        Source._kept.release()
    SHARED.forget()


def told(values: Sequence[float]) -> str:
    """The median, and the range in brackets."""
    return f"{statistics.median(values):.2f} ({min(values):.2f} to {max(values):.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (("rounds", 3), ("batches", 4), ("runs", 16), ("epochs", 10)):
        parser.add_argument(f"--{name}", type=int, default=default)
    asked = parser.parse_args()
    batches = members(asked.batches, asked.runs)
    ratios: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        words = [*BASE, f"epochs={asked.epochs}", f"results={folder}"]
        searched(batches[:1], words, kept=True)  # imports, and the first use of everything
        for number in range(asked.rounds):
            found = {}
            for kept in (True, False) if number % 2 == 0 else (False, True):
                found[kept] = searched(batches, words, kept)
            assert found[True][1] == found[False][1], "the losses differ"
            for i, unit in enumerate(("wall", "cpu")):
                mine, theirs = ([one[i] for one in found[kept][0]] for kept in (True, False))
                ratios.setdefault(f"search, {unit}", []).append(sum(mine) / sum(theirs))
                later = sum(mine[1:]) / sum(theirs[1:])
                ratios.setdefault(f"later batches, {unit}", []).append(later)
            print(
                f"round {number + 1}: "
                + ", ".join(
                    f"{'kept' if kept else 'anew'} "
                    + " ".join(f"{wall:.1f}" for wall, _ in found[kept][0])
                    for kept in (True, False)
                ),
                "seconds a batch",
                flush=True,
            )
    for name, values in ratios.items():
        print(f"{name}: kept takes {told(values)} of anew")


if __name__ == "__main__":
    main()
