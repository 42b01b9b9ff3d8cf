"""How long questions take over many runs: python benchmarks/comparison.py --runs 10000

Makes a warehouse of that many made-up runs of 100 epochs in a temporary folder, and times each
question as a command (CPU and wall seconds) and through an open connection (milliseconds).
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
from pathlib import Path

import duckdb

import warehouse
from warehouse.database import create
from warehouse.place import Place

FILL = """
INSERT INTO runs BY NAME
SELECT printf('01900000-0000-7000-8000-%012d', i) AS run_id,
    printf('01900000-aaaa-7000-8000-%012d', i // 1000) AS sweep_id, 'made_up' AS experiment,
    'made_up' AS dataset, 'finished' AS status, i % 5 AS seed, 'fast' AS engine, 'cpu' AS device,
    now() + to_seconds(i) AS started_at, now() + to_seconds(i + 60) AS ended_at, 60 AS seconds,
    100 AS epochs, 90 AS best_epoch, ['a=1'] AS overrides, 'val_loss' AS monitor, 'min' AS mode,
    sha256((i // 5)::VARCHAR) AS config_hash, 1000 AS sweep_jobs
FROM range({runs}) AS t(i);
INSERT INTO epochs (run_id, epoch, loss, val_loss, learning_rate, seconds)
SELECT run_id, e, 1 / e + random() / 10, 1 / e + random() / 10 + 0.1, 0.001, 0.6
FROM runs, range(1, 101) AS t(e);
INSERT INTO metrics
SELECT run_id, epoch, split, 'accuracy', 1 - loss / 2
FROM epochs, (VALUES ('train'), ('val')) AS s(split);
INSERT INTO params
SELECT run_id, 'param' || k, (hash(run_id || k) % 10)::VARCHAR, hash(run_id || k) % 10
FROM runs, range(30) AS t(k);
INSERT INTO run_metrics BY NAME
SELECT run_id, split, name, min(value) AS min, max(value) AS max, last(value) AS last,
    arg_max(value, epoch = 90) AS at_best, 90 AS best_epoch,
    CASE name WHEN 'loss' THEN 'min' ELSE 'max' END AS mode
FROM curves GROUP BY run_id, split, name;
"""
QUESTIONS = {
    "top 20": "FROM leaderboard ORDER BY rank LIMIT 20",
    "seeds": "FROM seeds LIMIT 20",
    "seeds of a sweep": "FROM seeds(sweep := '01900000-aaaa-7000-8000-000000000003')",
    "effects of a sweep of 1,000": "FROM sweep_effects('01900000-aaaa-7000-8000-000000000003')",
    "effects of all": "FROM sweep_effects(NULL)",
    "time to a target": "FROM time_to('val_accuracy', 0.9) LIMIT 20",
    "overfitting": "FROM overfitting ORDER BY gap_last DESC LIMIT 20",
    "best so far": "FROM best_so_far('01900000-aaaa-7000-8000-000000000003')",
    "progress": "FROM sweeps",
    "differences of 6": "FROM compare_runs((SELECT list(run_id) FROM (FROM runs LIMIT 6)))",
}
COMMANDS = (
    ["runs"],
    ["runs", "--sort", "val_accuracy"],
    ["runs", "--group-by", "param1"],
    ["top"],
    ["effects", "--sweep", "000000000003"],
    ["failures"],
    ["report", "--best", "50", "-o", "report.html"],
    ["plot", "curves", "--best", "20", "-o", "curves.svg"],
)


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        (results / "journals").mkdir(parents=True)
        place = Place.of(results)
        create(place.database)
        with duckdb.connect(str(place.database)) as con:
            con.execute(FILL.format(runs=arguments.runs))
        print(f"{arguments.runs} runs, {place.database.stat().st_size / 1e6:.0f} MB\n")
        print("| question | ms, median |\n|---|---|")
        with warehouse.connect(results) as con:
            for name, query in QUESTIONS.items():
                taken = []
                for _ in range(arguments.rounds):
                    begun = time.perf_counter()
                    con.execute(query).fetchall()
                    taken.append(1000 * (time.perf_counter() - begun))
                print(f"| {name} | {statistics.median(taken):.0f} |")
        print("\n| command | CPU, s | wall, s |\n|---|---|---|")
        for words in COMMANDS:
            print(f"| {' '.join(words)} | {_command(words, results, folder, arguments.rounds)} |")
        report = Path(folder) / "report.html"
        print(f"\nreport.html: {report.stat().st_size / 1e6:.2f} MB")


def _command(words: list[str], results: Path, folder: str, rounds: int) -> str:
    """CPU and wall of a command, the least of a few."""
    cpus, walls = [], []
    for _ in range(rounds):
        before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "warehouse", "--results", str(results), *words],
            cwd=folder, check=True, stdout=subprocess.DEVNULL, env=os.environ,
        )  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpus.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
        walls.append(time.perf_counter() - begun)
    return f"{min(cpus):.2f} | {min(walls):.2f}"


if __name__ == "__main__":
    main()
