"""Rows a second and memory of data that are too large for memory, straight into training.

    python benchmarks/feeding.py [--rows 12000000] [--epochs 3] [--sources parquet duckdb csv]

Each source holds the same rows of 20 random floats and a label. A process of its own trains a
small network on them, read anew in every epoch; rows a second are those of the training part over
an epoch's seconds, the first epoch left out. Peak memory is told over that of a process that
trains the same network on 100,000 rows in memory: TensorFlow's own.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

FLOATS = 20
WORDS = [
    "dataset=sql",
    "dataset.label=y",
    "dataset.task=binary",
    "dataset.summary=false",
    "dataset.identity=benchmark",
    "architecture.units=[32]",
    "preprocessing=[standardize]",
    "regularizer=[]",
    "batch_size=1024",
    "split.val=0.02",
    "split.test=0.02",
]
CHILD = """
import json, resource, sys
import runner, warehouse
outcome = runner.run(sys.argv[1:])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
with warehouse.connect(sys.argv[1].partition("=")[2]) as con:
    [(seconds, rows)] = con.execute(
        "SELECT median(e.seconds), any_value((r.data->>'train')::BIGINT) "
        "FROM epochs AS e JOIN runs AS r USING (run_id) WHERE r.run_id = ? AND e.epoch > 1",
        [outcome.run_id],
    ).fetchall()
print(json.dumps({"status": outcome.status, "seconds": seconds, "rows": rows, "peak": peak}))
"""


def make(folder: Path, kind: str, rows: int) -> Path:
    """The rows as a file, written by a process of its own."""
    file = folder / f"rows-{rows}.{kind}"
    columns = ", ".join(f"(random() - 0.5)::FLOAT AS x{i}" for i in range(FLOATS))
    made = f"SELECT {columns}, (random() < 0.5)::INT AS y FROM range({rows})"
    if kind == "duckdb":
        text = f"ATTACH '{file}' AS made; CREATE TABLE made.rows AS {made}"
    else:
        text = f"COPY ({made}) TO '{file}'"
    code = "import duckdb, sys; duckdb.connect().execute(sys.argv[1])"
    subprocess.run([sys.executable, "-c", code, text], check=True)
    return file


def train(folder: Path, source: Path, epochs: int, *words: str) -> dict[str, float]:
    """What one process said that trained on the source."""
    given = [f"results={folder / 'results'}", f"dataset.source={source}", f"epochs={epochs}"]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *given, *WORDS, *words],
        capture_output=True,
        text=True,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    if done.returncode:
        raise SystemExit(done.stdout + done.stderr)
    said: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return said


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=12_000_000)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--sources", nargs="+", default=["parquet", "duckdb"])
    parser.add_argument("--engine", default="fast")
    arguments = parser.parse_args()
    engine = f"engine={arguments.engine}"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        few = make(folder, "parquet", 100_000)
        own = train(folder, few, 2, engine)["peak"]
        print(f"{arguments.rows * (FLOATS + 1) * 4 / 2**20:,.0f} MB of rows; ", end="")
        print(f"TensorFlow's own memory {own:,.0f} MB")
        print("| source | rows/s | seconds an epoch | peak memory over TensorFlow's, MB |")
        print("|---|---|---|---|")
        for kind in arguments.sources:
            file = make(folder, kind, arguments.rows)
            said = train(folder, file, arguments.epochs, engine, "dataset.memory_rows=0")
            rate = said["rows"] / said["seconds"]
            print(
                f"| {kind} | {rate:,.0f} | {said['seconds']:.1f} | {said['peak'] - own:,.0f} |",
                flush=True,
            )
            file.unlink()


if __name__ == "__main__":
    main()
