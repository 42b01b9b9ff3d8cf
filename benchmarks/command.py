"""Seconds at the shell: `python -m runner` against a script that is written by hand.

    python benchmarks/command.py [--rounds 5]
    python benchmarks/command.py --sweep [--rounds 1]

Both train the same network on digits for 20 epochs, and start from nothing: imports are
included, and for the runner the journal, the weights and the warehouse. They take turns as
processes of their own; ratios are taken within a round. The seconds of some commands that train
nothing come after them. With `--sweep` it is 64 runs: by hand a loop, here `--multirun`. Rows
named warm start in a worker that was there before (`python -m runner warm`), whose CPU is not
counted.
"""

from __future__ import annotations

import argparse
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).parent
MODEL = ["dataset=digits", "architecture=mlp", "regularizer=[]"]
TRAINING = {
    "by hand": [str(HERE / "by_hand.py")],
    "runner, engine keras": ["-m", "runner", *MODEL, "engine=keras"],
    "runner, engine fast": ["-m", "runner", *MODEL],
    "runner, engine fast, warm": ["-m", "runner", *MODEL],
}
SWEEP = {
    "by hand": [str(HERE / "by_hand.py"), "64"],
    "runner --multirun": [
        *("-m", "runner", "--multirun", *MODEL),
        "optimizer.learning_rate=0.0005,0.001,0.002,0.003",
        "seed=range(16)",
        "skip=nothing",
    ],
}
SWEEP["runner --multirun, warm"] = SWEEP["runner --multirun"]
WORKER = ["-m", "runner", "warm"]
ASKING = {
    "runner --help": ["-m", "runner", "--help"],
    "warehouse sql": ["-m", "warehouse", "sql", "SELECT count(*) FROM runs"],
    "import keras": ["-c", "import keras"],
}


def seconds(words: Sequence[str], folder: Path, warm: bool = False) -> tuple[float, float]:
    """Wall and CPU of one process.

    warm: by the worker that is there.
    """
    before, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    quiet = os.environ | {
        "SWEEPHOUSE_RESULTS": str(folder / "results"),
        "SWEEPHOUSE_WARM": "on" if warm else "off",
        "XDG_RUNTIME_DIR": str(folder),
    }
    # Where it is set, our own files would be compiled at each start, and no other's.
    quiet.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=quiet, capture_output=True, text=True
    )
    wall = time.perf_counter() - wall
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)}: {done.stderr}")
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--sweep", action="store_true")
    arguments = parser.parse_args()
    training = SWEEP if arguments.sweep else TRAINING
    commands = SWEEP if arguments.sweep else TRAINING | ASKING
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # The first one reads files from a cold disk, and makes the warehouse.
        for command in TRAINING.values():
            seconds(command, folder)
        seconds(WORKER, folder)
        rounds = [
            {
                command: seconds(words, folder, warm=command.endswith("warm"))
                for command, words in commands.items()
            }
            for _ in range(arguments.rounds)
        ]
        seconds([*WORKER, "--stop"], folder)
    print("| command | wall of by hand's | CPU of by hand's | seconds | CPU seconds |")
    print("|---|---|---|---|---|")
    for command in commands:
        cells = [command]
        for index in (0, 1):
            if command in training:
                ratios = [turn[command][index] / turn["by hand"][index] for turn in rounds]
                spread = f"({min(ratios):.2f} to {max(ratios):.2f})"
                cells.append(f"{statistics.median(ratios):.2f} {spread}")
            else:
                cells.append("")
        for index in (0, 1):
            cells.append(f"{statistics.median(turn[command][index] for turn in rounds):.2f}")
        print("| " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
