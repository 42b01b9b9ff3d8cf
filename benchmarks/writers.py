"""Runs a second with several writers on one results folder: python benchmarks/writers.py.

Each writer is a process that makes runs (a journal each, as fast as it can) and tries to ingest
after each, as the runner does. Ends with one ingest of what is left, and checks the counts.
"""

from __future__ import annotations

import argparse
import multiprocessing
import tempfile
import time
from pathlib import Path
from typing import Any

from journal_cost import journal, start

import warehouse


def write(folder: Path, first: Any, epochs: int, seconds: float, made: Any) -> None:
    """Make runs for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        journal(folder, first, epochs)
        warehouse.sync(folder)
        with made.get_lock():
            made.value += 1


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--writers", type=int, default=8)
    asked.add_argument("--epochs", type=int, default=100)
    asked.add_argument("--seconds", type=float, default=10.0)
    words = asked.parse_args()
    fresh = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as name:
        folder, first, made = Path(name), start(), fresh.Value("i", 0)
        values = (folder, first, words.epochs, words.seconds, made)
        writers = [fresh.Process(target=write, args=values) for _ in range(words.writers)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        rate = made.value / words.seconds
        left = len(warehouse.sync(folder, wait=60).ingested)
        with warehouse.connect(folder) as con:
            ((runs, epochs),) = con.execute(
                "SELECT (SELECT count(*) FROM runs), (SELECT count(*) FROM epochs)"
            ).fetchall()
        assert (runs, epochs) == (made.value, made.value * words.epochs)
        print(
            f"{words.writers} writers: {rate:.1f} runs/s of {words.epochs} epochs, each once; "
            f"{left} of {runs} were left for the last ingest"
        )


if __name__ == "__main__":
    main()
