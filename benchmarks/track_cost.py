"""What recording a script costs, and what is left of it after kill -9: benchmarks/track_cost.py.

Ours alone, and beside other trackers where the Python of an environment that has one is given:

    python benchmarks/track_cost.py --mlflow PYTHON --aim PYTHON --wandb PYTHON --trackio PYTHON

Each child records epochs of a loss and three metrics, takes the time of each call, and kills
itself; then another process asks the tracker's own reader how many epochs there are.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

EPOCHS = 1000
VALUES = "{'loss': 1 / e, 'val_loss': 2 / e, 'accuracy': e / 1000, 'val_accuracy': e / 2000}"
# Of each: how a run begins, what an epoch is, and how many epochs another process finds.
OURS = (
    "import runner; run = runner.track('cost', {'a': 1}, monitor='val_loss', results='results')",
    "run.epoch(**values)",
    "import warehouse; warehouse.sync('results'); "
    "print(warehouse.connect('results').execute('SELECT count(*) FROM epochs').fetchone()[0])",
)
# Blocks as LevelDB's log has them: seven bytes of head, then a record or a part of one.
WANDB_EPOCHS = """
import glob, struct
from wandb.proto import wandb_internal_pb2 as messages
data = open(glob.glob("wandb/offline-*/*.wandb")[0], "rb").read()
place, part, found = 7, b"", 0
while place + 7 <= len(data):
    if 32768 - place % 32768 < 7:
        place += 32768 - place % 32768
        continue
    _, length, kind = struct.unpack("<IHB", data[place : place + 7])
    part += data[place + 7 : place + 7 + length]
    place += 7 + length
    if kind in (1, 4):
        record = messages.Record()
        try:
            record.ParseFromString(part)
        except Exception:
            break
        found += record.WhichOneof("record_type") == "history"
        part = b""
print(found)
"""
OTHERS = {
    "mlflow": (
        "import mlflow; mlflow.set_tracking_uri('sqlite:///mlflow.db'); "
        "mlflow.set_experiment('cost'); mlflow.start_run(); mlflow.log_params({'a': 1})",
        "mlflow.log_metrics(values, step=e)",
        "import sqlite3; print(sqlite3.connect('mlflow.db').execute("
        "\"SELECT count(*) FROM metrics WHERE key = 'loss'\").fetchone()[0])",
    ),
    "aim": (
        "from aim import Run; "
        "run = Run(repo='.', experiment='cost', system_tracking_interval=None); run['a'] = 1",
        "[run.track(v, name=k, step=e) for k, v in values.items()]",
        "from aim import Repo; r = [m for s in Repo('.').query_metrics(\"metric.name == 'loss'\")"
        ".iter_runs() for m in s]; print(sum(len(m.values.sparse_list()[0]) for m in r))",
    ),
    "wandb": (
        "import wandb; run = wandb.init(mode='offline', project='cost', config={'a': 1})",
        "run.log(values)",
        WANDB_EPOCHS,
    ),
    "trackio": (
        "import trackio; trackio.init(project='cost', config={'a': 1})",
        "trackio.log(values)",
        "import glob, sqlite3; print(sqlite3.connect(glob.glob('home/.cache/**/cost.db', "
        "recursive=True)[0]).execute('SELECT count(*) FROM metrics').fetchone()[0])",
    ),
}
CHILD = """
import os, signal, sys, time
{begin}
times = []
for e in range(1, {epochs} + 1):
    values = {values}
    began = time.perf_counter()
    {epoch}
    times.append(time.perf_counter() - began)
    time.sleep({pause})
with open("times.json", "w") as file:
    file.write(repr(times))
os.kill(os.getpid(), signal.SIGKILL)
"""


def measured(python: str, way: tuple[str, str, str], pause: float) -> tuple[float, float, int]:
    """Microseconds of an epoch, median and mean, and how many epochs are left after kill -9."""
    begin, epoch, left = way
    with tempfile.TemporaryDirectory() as folder:
        environment = _environment(Path(folder))
        text = CHILD.format(begin=begin, epoch=epoch, values=VALUES, epochs=EPOCHS, pause=pause)
        _run(python, text, folder, environment)
        times = json.loads(Path(folder, "times.json").read_text())
        found = _run(python, left, folder, environment)
    words = found.split()
    micro = [second * 1e6 for second in times]
    return statistics.median(micro), statistics.mean(micro), int(words[-1]) if words else 0


def _environment(folder: Path) -> Mapping[str, str]:
    (folder / "home").mkdir()
    return os.environ | {"HOME": str(folder / "home"), "WANDB_SILENT": "true"}


def _run(python: str, text: str, folder: str, environment: Mapping[str, str]) -> str:
    words = [python, "-c", text]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    return done.stdout


def main() -> None:
    """Measure and print, the trackers in turn, several times."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pause", type=float, default=0.0, help="seconds between epochs")
    for name in OTHERS:
        parser.add_argument(f"--{name}", metavar="PYTHON")
    words = parser.parse_args()
    ways = {"ours": (sys.executable, OURS)}
    ways |= {n: (p, way) for n, way in OTHERS.items() if (p := getattr(words, n))}
    of_each: dict[str, list[tuple[float, float, int]]] = {name: [] for name in ways}
    for _ in range(words.rounds):
        for name, (python, way) in ways.items():
            of_each[name].append(measured(python, way, words.pause))
    for name, rounds in of_each.items():
        median, mean = (
            statistics.median(column) for column in list(zip(*rounds, strict=True))[:2]
        )
        lost = [EPOCHS - left for *_, left in rounds]
        print(f"{name:<8} {median:9.1f} us an epoch (mean {mean:9.1f}); lost {lost} of {EPOCHS}")


if __name__ == "__main__":
    main()
