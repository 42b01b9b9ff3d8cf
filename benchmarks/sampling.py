"""What sampling the process costs a run: with and without, in turns, and what a sample takes.

    python benchmarks/sampling.py [--rounds 6] [--epochs 300]

Runs of the digits MLP with engine `fast`, in one process: short ones of two epochs, which end
before their first sample, and longer ones. Ratios are with against without, within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time

from runner import run
from runner.system.usage import Meter


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--rounds", type=int, default=6)
    asked.add_argument("--epochs", type=int, default=300)
    words = asked.parse_args()
    meter, begin = Meter(), time.thread_time()
    for _ in range(1000):
        meter.read()
    sample = (time.thread_time() - begin) / 1000
    print(f"a sample takes {sample * 1e6:.0f} us, {sample:.2%} of a core at one a second")
    with tempfile.TemporaryDirectory() as results:
        train(results, "false", 2)
        for epochs in (2, words.epochs):
            walls, cpus = [], []
            for number in range(words.rounds):
                order = ("true", "false") if number % 2 else ("false", "true")
                taken = {each: train(results, each, epochs) for each in order}
                walls.append(taken["true"][0] / taken["false"][0])
                cpus.append(taken["true"][1] / taken["false"][1])
            shown = [
                f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
                for ratios in (walls, cpus)
            ]
            print(f"| {epochs} epochs | wall {shown[0]} | CPU {shown[1]} |")


def train(results: str, sampled: str, epochs: int) -> tuple[float, float]:
    """Seconds of wall and of CPU that a run takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    with contextlib.redirect_stdout(io.StringIO()):
        run(
            [
                f"results={results}",
                f"record_system={sampled}",
                f"epochs={epochs}",
                "regularizer=[]",
                "engine=fast",
                "skip=nothing",
            ]
        )
    return time.perf_counter() - wall, time.process_time() - cpu


if __name__ == "__main__":
    main()
