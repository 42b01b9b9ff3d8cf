"""How long a sweep takes: the loop of `model.fit` calls, joblib, and the engines of ours.

    python benchmarks/sweeps.py [--rounds 3] [--bare 4] [--workload digits_mlp ...] [--joblib]

A sweep varies seed and learning rate of one model on the same data. The loop is the one that a
user writes: build, compile, `fit` with validation, `evaluate`, next. It is the same again for
every run, so only `--bare` of its runs are measured and their time is multiplied. joblib is the
same loop in two worker processes, TensorFlow imported in each before the clock starts. `shared` is
engine `fast`, run after run in one process; `packed` trains them side by side. Both record every
epoch, keep the best weights and judge them; all that they trace and compile is included in every
round. Variants take turns in one process; ratios are taken within a round, the median stands
before the range. The loss difference is against engine `keras`, alone, for two of the runs.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from engines import WORKLOADS, Workload, builtin, drawn, recipe_of

from runner import Recipe, Splits
from runner.backend.devices import import_tensorflow
from runner.config.compose import compose
from runner.data.prepare import Prepared
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.engines.fast.engine import SHARED
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.events import Event

RATES = (0.0005, 0.001, 0.002, 0.003)


def digits_dropout() -> Any:
    import keras

    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((8, 8)),
            layers.Flatten(),
            layers.Dense(64, "relu"),
            layers.Dropout(0.2),
            layers.Dense(64, "relu"),
            layers.Dropout(0.2),
            layers.Dense(10, "softmax"),
        ]
    )


@dataclass(frozen=True)
class Sweep:
    """So many runs of one workload, and how many times faster than the loop they should be."""

    workload: Workload
    runs: int
    goal: float


SWEEPS = {
    "digits_mlp": Sweep(WORKLOADS["digits_mlp"], 64, 40),
    "digits_dropout": Sweep(
        Workload(digits_dropout, lambda: builtin("digits"), 32, 20, 0), 64, 20
    ),
    "tabular_mlp": Sweep(WORKLOADS["tabular_mlp"], 32, 12),
    "small_cnn": Sweep(WORKLOADS["small_cnn"], 16, 2),
    "lstm": Sweep(WORKLOADS["lstm"], 16, 3),
}


@dataclass
class Measured:
    """A sweep by one variant."""

    wall: float = 0.0
    cpu: float = 0.0
    losses: dict[str, list[float]] = field(default_factory=dict)
    """Run -> the loss of each epoch."""
    engines: set[str] = field(default_factory=set)


def params(runs: int) -> list[tuple[int, float]]:
    """Seed and learning rate of each run."""
    return [(i // len(RATES), RATES[i % len(RATES)]) for i in range(runs)]


def fit_one(workload: Workload, splits: Splits, seed: int, rate: float) -> None:
    """One run as a user writes it."""
    model = recipe_of(workload, splits, seed, rate).model
    model.fit(
        *splits.train,
        batch_size=workload.batch_size,
        epochs=workload.epochs,
        validation_data=splits.val,
        verbose=0,
    )
    model.evaluate(*splits.test, verbose=0)


def by_loop(sweep: Sweep, splits: Splits, measured_runs: int) -> Measured:
    wall, cpu = time.perf_counter(), time.process_time()
    for seed, rate in params(measured_runs):
        fit_one(sweep.workload, splits, seed, rate)
    times = sweep.runs / measured_runs
    return Measured((time.perf_counter() - wall) * times, (time.process_time() - cpu) * times)


def by_joblib(name: str, measured_runs: int) -> Measured:
    """Two worker processes; the machine has two processors."""
    from joblib import Parallel, delayed
    from sweeps import _worker as worker  # workers find it by the module's name

    sweep = SWEEPS[name]
    with Parallel(n_jobs=2) as pool:
        pool(delayed(worker)(name, 0, 0.001, 1) for _ in range(2))
        wall = time.perf_counter()
        pool(delayed(worker)(name, seed, rate) for seed, rate in params(measured_runs))
        return Measured((time.perf_counter() - wall) * sweep.runs / measured_runs, float("nan"))


@functools.cache
def _data(name: str) -> Splits:
    return SWEEPS[name].workload.data()


def _worker(name: str, seed: int, rate: float, epochs: int | None = None) -> None:
    workload = SWEEPS[name].workload
    if epochs is not None:
        workload = Workload(workload.model, workload.data, workload.batch_size, epochs, 0)
    fit_one(workload, _data(name), seed, rate)


def by_engine(sweep: Sweep, splits: Splits, engine: str, runs: int) -> Measured:
    measured, workload = Measured(), sweep.workload

    def record(event: Event) -> None:
        if isinstance(event, EpochEnd):
            measured.losses.setdefault(event.run_id, []).append(event.loss)
        if isinstance(event, RunEnd) and event.status != "finished":
            raise SystemExit(f"{engine}: {event.error}\n{event.traceback}")
        if isinstance(event, RunStart):
            measured.engines.add(event.engine)

    data = Prepared(splits, splits.train[0].shape[1:], None)
    jobs = []
    for number, (seed, rate) in enumerate(params(runs)):
        config = config_of(workload, seed, rate)
        numbers = [
            {"name": "seed", "value": "", "number": float(seed)},
            {"name": "optimizer.learning_rate", "value": "", "number": rate},
        ]
        start = RunStart(
            f"{number:03d}",
            *("", "", ""),
            seed,
            engine,
            *("", ""),
            0,
            "val_loss",
            "min",
            [],
            {},
            numbers,
            [],
            {},
        )
        jobs.append(
            Job(start, config, data, functools.partial(_make, workload, splits, seed, rate))
        )
    SHARED.forget()
    wall, cpu = time.perf_counter(), time.process_time()
    chosen = find_engine(engine)
    with chosen.ready(jobs[0].config.settings):
        chosen.train(jobs, record)
    measured.wall, measured.cpu = time.perf_counter() - wall, time.process_time() - cpu
    return measured


@functools.cache
def config_of(workload: Workload, seed: int, rate: float) -> Any:
    """The settings of a run; composed before the clock starts, as in a loop of one's own."""
    words = [f"epochs={workload.epochs}", f"batch_size={workload.batch_size}", f"seed={seed}"]
    return compose([*words, f"optimizer.learning_rate={rate}"])[0]


def _make(workload: Workload, splits: Splits, seed: int, rate: float) -> Recipe:
    # As runner.build has it.
    recipe = recipe_of(workload, splits, seed, rate)
    recipe.optimizer.build(recipe.model.trainable_variables)
    return recipe


def difference(found: Measured, reference: Measured) -> str:
    """The largest relative difference of a loss: of the first epoch, and of the last."""
    pairs = [(found.losses[run], losses) for run, losses in reference.losses.items()]
    first, last = (max(abs(a[i] - b[i]) / b[i] for a, b in pairs) for i in (0, -1))
    return f"{first:.0e} / {last:.0e}"


def report(name: str, sweep: Sweep, rounds: Sequence[dict[str, Measured]], reference: Any) -> None:
    """One Markdown table."""
    print(f"\n**{name}**: {sweep.runs} runs, {len(rounds)} rounds, goal {sweep.goal} times\n")
    print("| variant | times faster, wall | times less CPU | seconds | loss, first / last epoch |")
    print("|---|---|---|---|---|")
    for variant in rounds[0]:
        cells = [variant]
        for what in ("wall", "cpu"):
            ratios = [
                getattr(turn["loop"], what) / getattr(turn[variant], what) for turn in rounds
            ]
            cells.append(
                f"{statistics.median(ratios):.1f} ({min(ratios):.1f} to {max(ratios):.1f})"
            )
        mine = [turn[variant] for turn in rounds]
        cells.append(f"{statistics.median(m.wall for m in mine):.1f}")
        cells.append(difference(mine[0], reference) if mine[0].losses else "other order")
        print("| " + " | ".join(cells) + " |", flush=True)
    print("\ntrained by:", "; ".join(sorted(rounds[0]["packed"].engines)), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bare", type=int, default=4, help="runs of the loop that are measured")
    parser.add_argument("--workload", choices=SWEEPS, nargs="+", default=list(SWEEPS))
    parser.add_argument("--joblib", action="store_true")
    arguments = parser.parse_args()
    import_tensorflow()
    warm = Workload(WORKLOADS["tabular_mlp"].model, lambda: drawn(2, 100, 20), 10, 2, 0)
    fit_one(warm, warm.data(), 0, 0.001)
    for name in arguments.workload:
        sweep = SWEEPS[name]
        splits = sweep.workload.data()
        turns: dict[str, Callable[[], Measured]] = {
            "loop": functools.partial(by_loop, sweep, splits, arguments.bare),
            "shared": functools.partial(by_engine, sweep, splits, "fast", sweep.runs),
            "packed": functools.partial(by_engine, sweep, splits, "packed", sweep.runs),
        }
        if arguments.joblib:
            turns["joblib, 2 workers"] = functools.partial(by_joblib, name, 2 * arguments.bare)
        by_engine(sweep, splits, "packed", 1)  # composes the configs, and no more is warm
        rounds = []
        for number in range(arguments.rounds):
            order = itertools.islice(itertools.cycle(turns), number, number + len(turns))
            found = {variant: turns[variant]() for variant in order}
            rounds.append({variant: found[variant] for variant in turns})
        report(name, sweep, rounds, by_engine(sweep, splits, "keras", 2))


if __name__ == "__main__":
    main()
