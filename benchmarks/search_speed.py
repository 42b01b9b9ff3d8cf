"""Trials a minute of `hydra/sweeper=search`, against the loops of Keras Tuner and of Optuna.

    python benchmarks/search_speed.py --keras-tuner PYTHON --optuna PYTHON [--rounds 3]

All search the same space of the digits MLP, each trial 20 epochs. Ours is the command, from its
start to its closing words, in batches of 16: journals, kept weights, the test evaluation and the
warehouse are included, and so are the imports. Theirs (benchmarks/other_searches.py) runs in
environments of its own; only `--theirs` of its trials are measured, and without its imports: the
time of a trial, which is all that its loop does, is multiplied. They take turns as processes of
their own; ratios are taken within a round, the median stands before the range.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

OTHERS = Path(__file__).with_name("other_searches.py")
SPACE = [
    "optimizer.learning_rate=tag(log,interval(1e-4,1e-1))",
    "regularizer.dropout.rate=interval(0,0.5)",
    "architecture.units=[64],[64,64],[128,64]",
    "optimizer=adam,sgd",
]
MODEL = ["dataset=digits", "architecture=mlp", "regularizer=[dropout]", "epochs=20"]


@dataclass
class Measured:
    """A search: trials a minute of wall clock and of CPU time, and the best val_loss."""

    by_wall: float
    by_cpu: float
    best: float


def command(words: list[str], folder: Path) -> tuple[str, float, float]:
    """What a process prints, and its seconds of wall and of CPU."""
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    quiet = os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3", "SWEEPHOUSE_WARM": "off"}
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)  # nobody's modules are compiled anew each time
    done = subprocess.run(words, cwd=folder, env=quiet, capture_output=True, text=True)
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return done.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def ours(sampler: str, trials: int, batch: int) -> Measured:
    """The command, in a results folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        words = [
            *(sys.executable, "-m", "runner", "-m", "hydra/sweeper=search"),
            *(f"search.sampler={sampler}", f"search.trials={trials}", f"search.batch={batch}"),
            *("search.confirm=0", *MODEL, *SPACE),
        ]
        printed, wall, cpu = command(words, Path(folder))
    best = re.search(r"^ +1 +([\d.e+-]+) ", printed, re.M)
    if best is None:
        raise SystemExit(f"no best trial in: {printed}")
    return Measured(60 * trials / wall, 60 * trials / cpu, float(best[1]))


def theirs(python: Path, name: str, trials: int) -> Measured:
    """Their loop, without what it does once."""
    with tempfile.TemporaryDirectory() as folder:
        words = [str(python), str(OTHERS), name]
        _, _, start = command([*words, "1"], Path(folder))
        printed, _, cpu = command([*words, str(trials)], Path(folder))
    answer = json.loads(printed.splitlines()[-1])
    # The first trial traces what later ones find traced.
    each = statistics.mean(answer["each"][1:])
    return Measured(60 / each, 60 * (trials - 1) / (cpu - start), answer["best"])


def spread(values: list[float], digits: int = 1) -> str:
    """The median, and the range."""
    low, high = min(values), max(values)
    return f"{statistics.median(values):.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--keras-tuner", type=Path, help="a Python that has keras-tuner and tensorboard"
    )
    parser.add_argument("--optuna", type=Path, help="a Python that has optuna and TensorFlow")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=64)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--theirs", type=int, default=9, help="trials of theirs that are measured")
    arguments = parser.parse_args()
    pythons = {"keras-tuner": arguments.keras_tuner, "optuna": arguments.optuna}
    pythons = {name: python for name, python in pythons.items() if python is not None}
    rounds: list[dict[str, Measured]] = []
    for number in range(arguments.rounds):
        turn: dict[str, Measured] = {}
        samplers = ["random", "tpe"] if number % 2 else ["tpe", "random"]
        for sampler in samplers:
            turn[f"search, {sampler}"] = ours(sampler, arguments.trials, arguments.batch)
        for name, python in pythons.items():
            turn[name] = theirs(python.absolute(), name, arguments.theirs)
        rounds.append(turn)
        print(f"round {number + 1}: {turn}", file=sys.stderr, flush=True)
    against = [f"times {name}, {what}" for name in pythons for what in ("wall", "CPU")]
    print("| loop | trials a minute | " + " | ".join(against) + " | best val_loss |")
    print("|---" * (3 + len(against)) + "|")
    for variant in ("search, random", "search, tpe", *pythons):
        cells = [variant, spread([turn[variant].by_wall for turn in rounds])]
        for name in pythons:
            for what in ("by_wall", "by_cpu"):
                ratios = [
                    getattr(turn[variant], what) / getattr(turn[name], what) for turn in rounds
                ]
                cells.append(spread(ratios) if variant.startswith("search") else "")
        cells.append(spread([turn[variant].best for turn in rounds], 3))
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
