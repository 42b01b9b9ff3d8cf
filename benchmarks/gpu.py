"""What the engines, the packs and several devices give on this machine; needs no further hands.

    python benchmarks/gpu.py [--rounds 3] [--workload digits_mlp small_cnn ...] [--small]

On a machine with GPUs: bare `fit`, engines `keras` and `fast`, one run mirrored over all GPUs
(where there are several), and the most memory that each took; then a sweep by the command line:
one run after the other by engine `keras`, packed on one GPU, and packed on all (`device=gpus`).
Within a round they take turns; ratios are of wall against bare `fit`, or against the loop of runs.
Without a GPU the processor is split in two, and everything is small: that says that it works, not
how fast a GPU is.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any

from engines import WORKLOADS, Measured, Workload, by_engine, by_fit, drawn, tabular_mlp, timed

from runner import Recipe, Splits
from runner.backend.devices import CPUS, import_tensorflow, mirrored, usable_devices
from runner.config.compose import compose
from runner.data.prepare import Prepared
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.events import Event

SMALL = Workload(tabular_mlp, lambda: drawn(2, 600, 20), 64, 3, 0)
SWEEP = {
    "one after the other, engine keras": ["engine=keras"],
    "packed, one device": [],
    "packed, all devices": ["device=gpus"],
}


def by_mirror(workload: Workload, splits: Splits) -> Measured:
    """One run by engine keras with a copy of the model on every device."""
    import keras

    measured, clock = Measured(), time.perf_counter()

    def record(event: Event) -> None:
        if isinstance(event, EpochEnd):
            measured.epochs.append(time.perf_counter() - clock)
            measured.losses.append(event.loss)
        if isinstance(event, RunEnd) and event.status != "finished":
            raise SystemExit(f"mirrored: {event.error}\n{event.traceback}")

    words = [f"epochs={workload.epochs}", f"batch_size={workload.batch_size}", "device=all"]
    config = compose(words)[0]

    def make() -> Recipe:
        keras.utils.clear_session(free_memory=False)
        keras.utils.set_random_seed(0)
        with mirrored():
            model = workload.model()
            binary = splits.task.kind == "binary"
            loss = "binary_crossentropy" if binary else "sparse_categorical_crossentropy"
            model.compile(keras.optimizers.Adam(0.001), loss, metrics=["accuracy"])
            model.optimizer.build(model.trainable_variables)
        return Recipe(model, model.loss, model.optimizer)

    start = RunStart(
        *("", "", "", "", 0, "keras", "", "", 0, "val_loss", "min"), [], {}, [], [], {}
    )
    chosen = find_engine("keras")
    with chosen.ready(config.settings):
        shape = splits.train[0].shape[1:]
        chosen.train([Job(start, config, Prepared(splits, shape, None), make)], record)
    return measured


def memory() -> tuple[str, Callable[[], float]]:
    """What is measured of memory, and the MB of it since it was asked last."""
    import tensorflow as tf

    if not tf.config.list_physical_devices("GPU"):
        import resource

        return (
            "the process' most, MB",
            lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        )

    def peak() -> float:
        most: float = tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6
        tf.config.experimental.reset_memory_stats("GPU:0")
        return most

    return "the first GPU's most, MB", peak


def engines(name: str, workload: Workload, rounds: int, devices: int) -> None:
    """One Markdown table of a workload."""
    splits = workload.data()
    turns: dict[str, Callable[[], Measured]] = {
        "fit": lambda: by_fit(workload, splits),
        "engine keras": lambda: by_engine(workload, splits, "keras"),
        "engine fast": lambda: by_engine(workload, splits, "fast"),
    }
    if devices > 1:
        turns[f"mirrored over {devices}"] = lambda: by_mirror(workload, splits)
    what, most = memory()
    found: list[dict[str, Measured]] = []
    taken: dict[str, float] = {}
    for number in range(rounds):
        shift = number % len(turns)
        turn: dict[str, Measured] = {}
        for variant in [*turns][shift:] + [*turns][:shift]:
            most()
            turn[variant] = timed(turns[variant])
            taken[variant] = max(taken.get(variant, 0.0), most())
        found.append(turn)
    print(f"\n**{name}** ({rounds} rounds)\n")
    print(f"| variant | wall against fit | seconds | once, s | epoch, ms | {what} | last loss |")
    print("|---|---|---|---|---|---|---|")
    for variant in turns:
        mine = [turn[variant] for turn in found]
        ratio = in_words([turn[variant].wall / turn["fit"].wall for turn in found])
        print(
            f"| {variant} | {ratio} | {middle(m.wall for m in mine):.2f} | "
            f"{middle(m.first for m in mine):.2f} | {1000 * middle(m.steady for m in mine):.1f} | "
            f"{taken[variant]:.0f} | {mine[-1].losses[-1]:.4f} |",
            flush=True,
        )


def sweeps(rounds: int, runs: int, words: Sequence[str]) -> None:
    """One Markdown table of a sweep by the command line, imports and warehouse included."""
    found: list[dict[str, float]] = []
    for number in range(rounds):
        shift, turn = number % len(SWEEP), {}
        for variant in [*SWEEP][shift:] + [*SWEEP][:shift]:
            turn[variant] = seconds_of([f"seed=range({runs})", *words, *SWEEP[variant]])
        found.append(turn)
    print(f"\n**a sweep of {runs} runs** ({rounds} rounds)\n")
    print("| variant | wall against the first | seconds |")
    print("|---|---|---|")
    first = next(iter(SWEEP))
    for variant in SWEEP:
        ratio = in_words([turn[variant] / turn[first] for turn in found])
        print(
            f"| {variant} | {ratio} | {middle(turn[variant] for turn in found):.1f} |", flush=True
        )


def seconds_of(words: Sequence[str]) -> float:
    """Seconds of one sweep into a folder of its own; SystemExit with what it said if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "runner", "--multirun", *words, f"results={folder}/r"]
        clock = time.perf_counter()
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return time.perf_counter() - clock


def middle(numbers: Any) -> float:
    """The median."""
    return statistics.median(numbers)


def in_words(ratios: Sequence[float]) -> str:
    """Median and range."""
    return f"{middle(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--runs", type=int, help="of the sweep; 64, or 4 without a GPU")
    parser.add_argument("--workload", choices=WORKLOADS, nargs="+", default=list(WORKLOADS))
    parser.add_argument("--small", action="store_true", help="a small workload alone")
    arguments = parser.parse_args()
    # Only where there is no GPU do its parts count as devices.
    os.environ.setdefault(CPUS, "2")
    import_tensorflow()
    devices = usable_devices()
    gpus = devices[0].key.startswith("gpu")
    cores = len(os.sched_getaffinity(0))
    print(
        f"{platform.node()}: {', '.join(map(str, devices))}; {cores} processors, load "
        f"{os.getloadavg()[0]:.1f}; Python {platform.python_version()}"
    )
    small = arguments.small or not gpus
    chosen = {"small": SMALL} if small else {name: WORKLOADS[name] for name in arguments.workload}
    for name, workload in chosen.items():
        engines(name, workload, arguments.rounds, len(devices))
    runs = arguments.runs or (4 if small else 64)
    words = ["dataset=iris", "epochs=2"] if small else ["experiment=digits_mlp"]
    sweeps(arguments.rounds, runs, words)


if __name__ == "__main__":
    main()
