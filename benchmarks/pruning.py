"""Epochs that pruners save, and what is lost by it: on curves recorded once, and in real sweeps.

    python benchmarks/pruning.py record digits --results pools/digits
    python benchmarks/pruning.py replay pools/digits pools/mnist5k pools/breast_cancer
    python benchmarks/pruning.py train digits halving

`record` trains random configurations of an MLP (units, optimizer, learning rate, dropout, L2) as
one packed sweep without a pruner. `replay` draws 64 of them a seed, in another order each, and
trains them on paper, 16 side by side, the pruner asked as in a sweep; to `learned` the other pools
are the past. `train` trains 64 configurations twice, without and with a pruner, and compares what
came of it and what it cost.

Shown are, over the seeds: the share of all epochs that was trained; how many of the 64 would have
been better than the one chosen, in the end (0: the best was found); how much worse what was found
is than the best, in the metric.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

import warehouse
from runner.backend.devices import import_tensorflow
from runner.components.registry import load
from runner.components.search_types import Curve
from runner.config.compose import compose
from runner.config.config import Choice, search_choice
from runner.search.pruning import Earlier, Pruning
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.sweep import SWEEP, Sweep

EPOCHS, RUNS, DRAWN, ROWS = 30, 128, 64, 16
PRUNERS: tuple[str | dict[str, object], ...] = (
    "none",
    "median",
    "halving",
    {"name": "halving", "first": 1},
    {"name": "halving", "eta": 2},
    "hyperband",
    "learned",
    {"name": "learned", "top": 0.1},
)
Pool = list[list[float]]


def configurations(dataset: str, runs: int, epochs: int, seed: int = 1) -> Iterator[list[str]]:
    """Random configurations, each as overrides."""
    chance = np.random.default_rng([seed, len(dataset)])
    for _ in range(runs):
        optimizer = chance.choice(["adam", "sgd"])
        rate = log_uniform(chance, 1e-4, 1e-1)
        rate *= 10 if optimizer == "sgd" else 1
        units = chance.choice(["[32]", "[64,64]", "[128,64]", "[256]"])
        yield [
            f"dataset={dataset}",
            "architecture=mlp",
            f"architecture.units={units}",
            f"optimizer={optimizer}",
            f"optimizer.learning_rate={rate:.6g}",
            "regularizer=[dropout,l2]",
            f"regularizer.dropout.rate={chance.uniform(0, 0.6):.4f}",
            f"regularizer.l2.strength={log_uniform(chance, 1e-6, 1e-2):.4g}",
            f"epochs={epochs}",
            "evaluate=plain",
        ]


def log_uniform(chance: np.random.Generator, low: float, high: float) -> float:
    """A number between the two, orders of magnitude alike."""
    return math.exp(chance.uniform(math.log(low), math.log(high)))


def sweep(jobs: Sequence[list[str]], results: Path, sweep_id: str, *words: str) -> float:
    """Train the jobs as one packed sweep; the seconds of CPU that it took.

    Planning is not counted; a machine that others use moves the clock on the wall more.
    """
    os.environ[SWEEP] = sweep_id
    one = Sweep(["-m", f"results={results}"])
    configs = []
    for job in jobs:
        config, experiment = compose([*job, *words, f"results={results}"])
        configs.append(JobConfig(job, experiment, config))
    import_tensorflow()
    began = time.process_time()
    one.train_batch(configs, len(configs), Path.cwd())
    seconds = time.process_time() - began
    one.close()
    return seconds


def pool(results: Path) -> Pool:
    """The val losses of each run of a pool."""
    with warehouse.connect(results) as con:
        rows = con.execute(
            "SELECT list(coalesce(val_loss, 'nan'::DOUBLE) ORDER BY epoch) FROM epochs "
            "JOIN runs USING (run_id) WHERE reason IS NULL GROUP BY run_id ORDER BY run_id"
        ).fetchall()
    return [values for (values,) in rows]


def trained(curves: Pool, pruner: Choice, rows: int, past: Sequence[Curve]) -> list[int]:
    """How many epochs of each curve a sweep trains, so many side by side."""
    epochs = max(map(len, curves))
    pruning = Pruning(pruner, lambda rivals: Earlier(past=past))
    runs = [pruning.run(str(i), "data", epochs) for i in range(len(curves))]
    waiting, seated, done = deque(range(len(curves))), list[int](), [0] * len(curves)
    while waiting or seated:
        while len(seated) < rows and waiting:
            seated.append(waiting.popleft())
        for i in seated:
            runs[i].report("val_loss", "min", curves[i][done[i]])
            done[i] += 1
        for i in list(seated):
            over = done[i] == len(curves[i])
            if over or runs[i].verdict():
                seated.remove(i)
                whole = "finished" if done[i] == epochs else "failed"
                runs[i].end(whole if over else "pruned")
    return done


def best(values: Sequence[float]) -> float:
    """The least of those that are numbers."""
    return min((value for value in values if math.isfinite(value)), default=math.inf)


def replay(folders: Sequence[Path], seeds: int, rows: int) -> None:
    """Print a line for each pruner and pool."""
    pools = {folder.name: pool(folder) for folder in folders}
    registry = load()
    for named in PRUNERS:
        pruner = search_choice("pruner", named, registry)
        for name, curves in pools.items():
            past = tuple(
                Curve(tuple(values), "finished", task=other)
                for other, others in pools.items()
                if other != name
                for values in others
                if len(values) == max(map(len, others))
            )
            shares, ranks, losses = [], [], []
            for seed in range(seeds):
                order = np.random.default_rng(seed).permutation(len(curves))[:DRAWN]
                chosen = [curves[i] for i in order]
                done = trained(chosen, pruner, rows, past)
                ends = [best(values) for values in chosen]
                seen = [best(v[:epochs]) for v, epochs in zip(chosen, done, strict=True)]
                winner = int(np.argmin(seen))
                shares.append(sum(done) / sum(map(len, chosen)))
                ranks.append(sum(end < seen[winner] for end in ends))
                losses.append(seen[winner] / min(ends) - 1)
            print(
                f"{named!s:<36} {name:<14} epochs {statistics.median(shares):.2f}  better ones "
                f"{statistics.median(ranks):g} (mean {statistics.mean(ranks):.1f}, most "
                f"{max(ranks)})  worse by {statistics.median(losses):.1%} "
                f"(most {max(losses):.1%})",
                flush=True,
            )


def train(dataset: str, named: str, runs: int, epochs: int) -> None:
    """Train the same configurations without and with a pruner."""
    jobs = list(configurations(dataset, runs, epochs, seed=2))
    with tempfile.TemporaryDirectory() as folder:
        lines = []
        for pruner in ("none", named):
            results = Path(folder, pruner)
            seconds = sweep(jobs, results, pruner, f"search.pruner={pruner}")
            with warehouse.connect(results) as con:
                row = con.execute(
                    "SELECT sum(epochs), min(best), count(*) FILTER (WHERE reason = 'pruned') "
                    "FROM leaderboard"
                ).fetchone()
            assert row is not None
            lines.append(
                f"{dataset}, {pruner}: {row[0]} epochs, {seconds:.1f} s of CPU, "
                f"best {row[1]:.4f}, {row[2]} of {runs} pruned"
            )
    print("\n".join(lines))


def main() -> None:
    """Do what is asked."""
    asked = argparse.ArgumentParser(description=__doc__)
    words = asked.add_subparsers(dest="what", required=True)
    recording = words.add_parser("record")
    recording.add_argument("dataset")
    recording.add_argument("--results", type=Path, required=True)
    replaying = words.add_parser("replay")
    replaying.add_argument("results", type=Path, nargs="+")
    replaying.add_argument("--seeds", type=int, default=10)
    replaying.add_argument("--rows", type=int, default=ROWS)
    training = words.add_parser("train")
    training.add_argument("dataset")
    training.add_argument("pruner")
    for parser in (recording, training):
        parser.add_argument("--runs", type=int, default=RUNS if parser is recording else DRAWN)
        parser.add_argument("--epochs", type=int, default=EPOCHS)
    given = asked.parse_args()
    if given.what == "record":
        jobs = list(configurations(given.dataset, given.runs, given.epochs))
        print(f"{sweep(jobs, given.results, 'pool'):.1f} s of CPU")
    elif given.what == "replay":
        replay(given.results, given.seeds, given.rows)
    else:
        train(given.dataset, given.pruner, given.runs, given.epochs)


if __name__ == "__main__":
    main()
