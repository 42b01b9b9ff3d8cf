"""The page over many runs: ready, filtered, sorted, curves of twenty, memory of the server.

python benchmarks/page.py --runs 10000 --epochs 100

It makes a warehouse of such runs, serves it with `python -m warehouse ui`, and looks at it with
the system's Chromium (extra `test`). Each figure is the median of --rounds.
"""

from __future__ import annotations

import argparse
import dataclasses
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import duckdb
import psutil
from journal_cost import start
from playwright.sync_api import sync_playwright

from runner.journal.file import Journal
from runner.journal.ids import new_run_id
from runner.journal.records import EpochEnd
from runner.journal.results import mark_results
from warehouse.database import create
from warehouse.place import Place

TOKEN = "benchmark"
VISITORS = 5
MAKE = """
CREATE TEMP TABLE made AS
SELECT
    i,
    format('0193{:04x}-{:04x}-7000-8000-{:012x}', i // 65536, i % 65536, i * 7919) AS run_id,
    'sweep-' || (i // 64) AS sweep_id,
    CASE WHEN i % 97 = 0 THEN 'failed' ELSE 'finished' END AS status,
    i % 5 AS seed,
    [0.1, 0.03, 0.01, 0.003, 0.001, 0.0003][1 + (i // 5) % 6] AS rate,
    [16, 32, 64, 128, 256][1 + (i // 30) % 5] AS width,
    (i // 150) % 4 + 1 AS depth,
    [0.0, 0.1, 0.3, 0.5][1 + (i // 600) % 4] AS dropout
FROM range($runs) AS numbers(i);

INSERT INTO runs BY NAME
SELECT
    run_id, sweep_id, 'digits_mlp' AS experiment, status, 'f' || i AS fingerprint, seed,
    'packed' AS engine, 'cpu' AS device, 'here' AS host, 25.0 + i % 7 AS seconds,
    TIMESTAMP '2026-11-01' + to_seconds(i * 30) AS started_at,
    TIMESTAMP '2026-11-01' + to_seconds(i * 30 + 25) AS ended_at,
    $epochs AS epochs, 1 + i % $epochs AS best_epoch, 'val_loss' AS monitor, 'min' AS mode,
    ['optimizer.learning_rate=' || rate, 'architecture.width=' || width] AS overrides,
    '{}' AS config, 1 AS pid, 1 AS format, 1000 + i AS journal_bytes, 'x' || i AS journal_sha256
FROM made;

INSERT INTO params
SELECT run_id, u.name, u.value, TRY_CAST(u.value AS DOUBLE)
FROM made, LATERAL (
    SELECT
        unnest([
            'optimizer.learning_rate', 'architecture.width', 'architecture.depth', 'seed',
            'regularizer.dropout.rate', 'epochs', 'architecture.name', 'dataset.name'
        ]) AS name,
        unnest([
            rate::VARCHAR, width::VARCHAR, depth::VARCHAR, seed::VARCHAR, dropout::VARCHAR,
            $epochs::VARCHAR, 'mlp', 'digits'
        ]) AS value
) AS u;

INSERT INTO epochs BY NAME
SELECT
    run_id,
    epoch,
    0.05 + exp(-epoch * rate * width / 64.0) + 0.02 * hash(i * 1000 + epoch) / 1.8e19 AS loss,
    0.1 + dropout / 10 + exp(-epoch * rate * width / 64.0) + 0.03 * hash(i * 7 + epoch) / 1.8e19
        AS val_loss,
    rate AS learning_rate,
    0.25 AS seconds,
    0.25 AS wall_seconds
FROM made, range(1, $epochs + 1) AS numbers(epoch);

INSERT INTO metrics
SELECT run_id, epoch, 'train', 'accuracy', 1 / (1 + loss) FROM epochs
UNION ALL
SELECT run_id, epoch, 'val', 'accuracy', 1 / (1 + val_loss) FROM epochs;

INSERT INTO run_metrics BY NAME
SELECT
    run_id, split, name, arg_min(value, epoch) AS first, arg_max(value, epoch) AS last,
    min(value) AS min, max(value) AS max,
    CASE WHEN name = 'loss' THEN arg_min(epoch, value) ELSE arg_max(epoch, value) END
        AS best_epoch,
    CASE WHEN name = 'loss' THEN 'min' ELSE 'max' END AS mode,
    any_value(value) FILTER (epoch = 1 + i % $epochs) AS at_best
FROM curves JOIN made USING (run_id)
GROUP BY run_id, split, name;

INSERT INTO evaluations BY NAME
SELECT run_id, 'test' AS split, name, last AS value FROM run_metrics WHERE split = 'val';
CHECKPOINT;
"""
PAINTED = "await new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)));"
CHART = "getElement(document.querySelector('.sh-curves').id.slice(1)).chart"


def make(folder: Path, runs: int, epochs: int) -> Place:
    """A results folder with that many runs, written straight into the tables."""
    folder.mkdir(parents=True)
    place = Place.of(folder)
    create(place.database)
    mark_results(folder)
    with duckdb.connect(str(place.database)) as con:
        for statement in (
            MAKE.replace("$runs", str(runs)).replace("$epochs", str(epochs)).split(";")
        ):
            if statement.strip():
                con.execute(statement)
    return place


class Server:
    """`python -m warehouse ui`, and how long it took to start."""

    def __init__(self, place: Place) -> None:
        words = ["--results", str(place.folder), "ui", "--port", "0", "--token", TOKEN]
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "warehouse", *words, "--no-browser"],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if link := re.search(r"http://\S+", line):
                self.link = link[0]
                break
        self.start = time.perf_counter() - begin

    @property
    def cpu(self) -> float:
        """Seconds of CPU that it and its children have taken."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system + times.children_user + times.children_system)

    @property
    def megabytes(self) -> float:
        """Its resident memory."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 1e6


def timed(page: Any, script: str) -> float:
    """Seconds that a script takes in the browser, what it changes painted."""
    clock = "performance.now()"
    code = f"const begin = {clock}; {script}; {PAINTED} return {clock} - begin;"
    return float(page.evaluate(f"async () => {{ {code} }}")) / 1000


def look(browser: Any, link: str) -> dict[str, float]:
    """One visitor: opens the page, filters, sorts, chooses twenty runs."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    begin = time.perf_counter()
    page.goto(link)
    page.wait_for_function("document.body.dataset.ready === 'grid'", timeout=120_000)
    page.evaluate(f"async () => {{ {PAINTED} }}")
    seen = {"ready": time.perf_counter() - begin}
    api = "sweephouse.state.api"
    page.wait_for_timeout(1500)
    seen["search"] = timed(page, f"{api}.setGridOption('quickFilterText', '0.0003')")
    seen["search again"] = timed(page, f"{api}.setGridOption('quickFilterText', '256')")
    page.evaluate(f"{api}.setGridOption('quickFilterText', '')")
    wide = "{'param:architecture.width': {filterType: 'number', type: 'equals', filter: 64}}"
    seen["filter"] = timed(page, f"{api}.setFilterModel({wide})")
    page.evaluate(f"{api}.setFilterModel(null)")
    seen["sort"] = timed(
        page, f"{api}.applyColumnState({{state: [{{colId: 'best', sort: 'asc'}}]}})"
    )
    drawn = f"({CHART}.getOption()?.series || []).length === 20"
    seen["curves of 20"] = timed(
        page,
        "const nodes = []; for (let place = 0; place < 20; place++) "
        f"nodes.push({api}.getDisplayedRowAtIndex(place * 7)); "
        f"{api}.setNodesSelected({{nodes, newValue: true}}); "
        f"while (!({drawn})) await new Promise(done => setTimeout(done, 5))",
    )
    return seen | {"_context": context}  # type: ignore[dict-item]


def live(page: Any, server: Server, place: Place, epochs: int = 8) -> dict[str, float]:
    """Seconds from an epoch to the page, one a second; and what the server takes of a core."""
    first = dataclasses.replace(start(), run_id=new_run_id())
    node = f"sweephouse.state.api.getRowNode('{first.run_id}')"
    place_of_epochs = page.evaluate("sweephouse.state.columns.indexOf('epochs') + 1")
    waits = []
    with Journal(place.journals, first.run_id) as journal:
        journal.append(first)
        page.wait_for_function(f"{node} !== undefined", timeout=60_000)
        spent, begin = server.cpu, time.perf_counter()
        for epoch in range(1, epochs + 1):
            journal.append(
                EpochEnd(
                    run_id=first.run_id,
                    epoch=epoch,
                    loss=1 / epoch,
                    val_loss=1 / epoch,
                    learning_rate=0.001,
                    seconds=1.0,
                    metrics={},
                )
            )
            moment = time.perf_counter()
            page.wait_for_function(f"{node}?.data.c{place_of_epochs} === {epoch}", timeout=60_000)
            waits.append(time.perf_counter() - moment)
            time.sleep(max(0.0, 1 - waits[-1]))
        share = (server.cpu - spent) / (time.perf_counter() - begin)
    return {"epoch to page": statistics.median(waits), "server's share of a core": share}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    chromium = shutil.which("chromium")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        place = make(Path(folder) / "results", arguments.runs, arguments.epochs)
        server = Server(place)
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        rounds: list[dict[str, float]] = []
        open_contexts = []
        for number in range(max(arguments.rounds, VISITORS)):
            seen = look(browser, server.link)
            open_contexts.append(seen.pop("_context"))
            if number < arguments.rounds:
                rounds.append(seen)
        moving = live(open_contexts[-1].pages[0], server, place)
        print(f"| over {arguments.runs} runs x {arguments.epochs} epochs | |\n|---|---|")
        print(f"| start of `warehouse ui` (s) | {server.start:.1f} |")
        for name in rounds[0]:
            print(f"| {name} (s) | {statistics.median(r[name] for r in rounds):.2f} |")
        for name, value in moving.items():
            print(f"| {name}{' (s)' if 'page' in name else ''} | {value:.2f} |")
        print(f"| server, {len(open_contexts)} visitors (MB) | {server.megabytes:.0f} |")
        browser.close()
        server.process.terminate()
        server.process.wait(20)


if __name__ == "__main__":
    main()
