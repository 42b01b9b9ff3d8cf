"""What a record costs the training thread: python benchmarks/journal_cost.py [--epochs N].

Appends epochs as the recorder does, and prints microseconds an epoch and bytes a run, in the
journal, in the archive and in the database.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import warehouse
from runner.config.compose import compose
from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.sweep.plan import plan
from runner.sweep.provenance import start_of


def start() -> RunStart:
    """The first record of the default experiment."""
    config, experiment = compose([])
    return start_of(plan(config, experiment, []), "cpu")


def journal(folder: Path, first: RunStart, epochs: int) -> list[float]:
    """Write one run; seconds of each epoch's append."""
    run_id, took = new_run_id(), []
    with Journal(folder / "journals", run_id) as opened:
        opened.append(RunStart(**vars(first) | {"run_id": run_id}))
        for epoch in range(1, epochs + 1):
            metrics = {part: {"accuracy": 0.9 + epoch / 1e6} for part in ("train", "val")}
            event = EpochEnd(run_id, epoch, 1.2345 / epoch, 1.3456 / epoch, 1e-3, 0.25, metrics)
            began = time.perf_counter()
            opened.append(event)
            took.append(time.perf_counter() - began)
        opened.append(RunEnd.finished(run_id, 1.0, epochs, epochs))
        opened.finish()
    return took


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--epochs", type=int, default=100)
    asked.add_argument("--runs", type=int, default=200)
    words = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, first = Path(name), start()
        took = [t for _ in range(words.runs) for t in journal(folder, first, words.epochs)]
        micro = sorted(1e6 * t for t in took)
        print(
            f"an epoch in the journal: median {statistics.median(micro):.0f} us, "
            f"mean {statistics.mean(micro):.0f} us, "
            f"99 % within {micro[len(micro) * 99 // 100]:.0f} us"
        )
        size = sum(path.stat().st_size for path in (folder / "journals").glob("*.jsonl"))
        print(f"a run of {words.epochs} epochs: {size / words.runs:,.0f} bytes of journal")
        began = time.perf_counter()
        result = warehouse.sync(folder)
        seconds = time.perf_counter() - began
        assert (len(result.ingested), result.reason) == (words.runs, None)
        with warehouse.connect(folder) as con:
            tables = ("runs", "params", "epochs", "metrics", "run_metrics", "components")
            query = " + ".join(f"(SELECT count(*) FROM {table})" for table in tables)
            ((rows,),) = con.execute(f"SELECT {query}").fetchall()
        print(
            f"ingest of {words.runs} runs: {seconds:.2f} s, {words.runs / seconds:,.0f} runs/s, "
            f"{rows / seconds:,.0f} rows/s ({rows:,} rows)"
        )
        kept = sum(path.stat().st_size for path in (folder / "journals/archive").iterdir())
        print(f"a run in the archive: {kept / words.runs:,.0f} bytes")
        database = (folder / "warehouse.duckdb").stat().st_size
        print(f"a run in the database: {database / words.runs:,.0f} bytes")


if __name__ == "__main__":
    main()
