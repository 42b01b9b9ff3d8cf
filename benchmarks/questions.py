"""How long the warehouse's commands take over the results of a large sweep.

    python benchmarks/questions.py [--runs 2100] [--rounds 3] [--results DIR]

One run of the digits MLP is trained; its journal is written again under as many new ids, each with
a weights file of its own, so that nothing is trained twice and every record of a real run is
there. Then each command is started as a user starts it, its output into a file: the median of the
wall seconds before their range, and the median of the CPU seconds. `--results` keeps the folder,
and takes it as it is where it is filled already.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runner import run
from runner.journal.file import DONE
from runner.journal.records import new_run_id
from runner.journal.results import mark_results

COMMANDS = (
    "sql 'FROM leaderboard'",
    "sql 'FROM leaderboard' --format csv",
    "sql 'FROM leaderboard' --format json",
    "sql 'SELECT 1'",
    "runs",
    "verify",
    "rebuild",
)


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--runs", type=int, default=2100)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--results", type=Path)
    words = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        results = words.results or Path(name) / "results"
        if not (results / "journals").exists():
            fill(results, Path(name) / "one", words.runs)
            measure(results, "sync", 1)
            measure(results, "sql 'SELECT 1'", 1)  # makes the snapshot
        for command in COMMANDS:
            measure(results, command, words.rounds)


def fill(results: Path, trained: Path, runs: int) -> None:
    """Put so many journals there, each as that of one run, which is trained in `trained`."""
    run([f"results={trained}", "epochs=20"])
    (archived,) = (trained / "journals" / "archive").glob("*.jsonl.gz")
    journal, run_id = gzip.decompress(archived.read_bytes()), archived.name.split(".")[0]
    (weights,) = (trained / "weights").glob("*/*.safetensors")
    content, digest = weights.read_bytes(), weights.stem
    (results / "journals").mkdir(parents=True)
    mark_results(results)
    for folder in ("weights", "artifacts"):
        subprocess.run(["cp", "-r", trained / folder, results], check=True)
    for _ in range(runs):
        other = new_run_id()
        # Longer by the id, and so of the length that the journal says, with as much cut off.
        own = content[: -len(other)] + other.encode()
        own_digest = hashlib.sha256(own).hexdigest()
        path = results / "weights" / own_digest[:2] / f"{own_digest}.safetensors"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(own)
        text = journal.replace(run_id.encode(), other.encode())
        text = text.replace(
            f"{digest[:2]}/{digest}".encode(), f"{own_digest[:2]}/{own_digest}".encode()
        )
        text = text.replace(digest.encode(), own_digest.encode())
        (results / "journals" / f"{other}{DONE}").write_bytes(text)


def measure(results: Path, command: str, rounds: int) -> None:
    """Print a line of Markdown's table."""
    walls, cpus = [], []
    for _ in range(rounds):
        before, began = os.times(), time.monotonic()
        with (results.parent / "output.txt").open("w") as output:
            words = [sys.executable, "-m", "warehouse", "--results", str(results)]
            subprocess.run([*words, *shlex.split(command)], stdout=output, check=True)
        after = os.times()
        walls.append(time.monotonic() - began)
        used = (after.children_user, after.children_system)
        cpus.append(sum(used) - before.children_user - before.children_system)
    low, high = min(walls), max(walls)
    print(
        f"| `{command}` | {statistics.median(walls):.2f} ({low:.2f} to {high:.2f}) "
        f"| {statistics.median(cpus):.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
