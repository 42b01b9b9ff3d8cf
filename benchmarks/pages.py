"""The page beside MLflow's on the same runs: open, sort by a metric, curves of twenty.

    python benchmarks/pages.py --mlflow PYTHON [--runs 1000] [--epochs 100] [--rounds 3]

PYTHON is that of an environment that has MLflow. The runs of `page.py` are copied into an SQLite
store of MLflow's: a few by its own `log_batch`, which says what that takes, the others as such
rows straight into its tables. Both pages are looked at by the system's Chromium, in turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import quote

import duckdb
from page import CHART, Server, make
from playwright.sync_api import sync_playwright

from warehouse.place import Place

CHOSEN = 20
PATIENCE = 120_000
"""Milliseconds for a page to show what it was asked for."""
FILL = r"""
import csv, os, sqlite3, sys, time
from mlflow.entities import Metric, Param
from mlflow.tracking import MlflowClient

store, runs, params, curves, logged = sys.argv[1], *sys.argv[2:5], int(sys.argv[5])
client = MlflowClient(f"sqlite:///{store}")
experiment = client.create_experiment("digits")

def read(path):
    with open(path, newline="") as file:
        return list(csv.reader(file))[1:]

begin = time.perf_counter()
for number in range(logged):
    run = client.create_run(experiment).info.run_id
    points = [Metric(f"m{k}", 1 / (1 + step), step, step) for k in range(4) for step in range(100)]
    client.log_batch(run, points, [Param(f"p{place}", "1") for place in range(8)])
    client.set_terminated(run)
    client.delete_run(run)
print((time.perf_counter() - begin) / logged)
con = sqlite3.connect(store)
con.executemany(
    "INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id,"
    " status, start_time, end_time, source_version, lifecycle_stage, artifact_uri, experiment_id)"
    " VALUES (?, ?, 'UNKNOWN', '', '', 'unknown', 'FINISHED', ?, ?, '', 'active', '', "
    f"{experiment})",
    read(runs),
)
con.execute(
    "INSERT INTO tags (key, value, run_uuid) SELECT 'mlflow.runName', name, run_uuid FROM runs"
    " WHERE lifecycle_stage = 'active'"
)
con.executemany("INSERT INTO params (run_uuid, key, value) VALUES (?, ?, ?)", read(params))
con.executemany(
    "INSERT INTO metrics (run_uuid, key, step, value, timestamp, is_nan)"
    " VALUES (?, ?, ?, ?, ?, 0)",
    read(curves),
)
con.execute(
    "INSERT INTO latest_metrics (key, value, timestamp, step, is_nan, run_uuid)"
    " SELECT key, value, max(timestamp), step, 0, run_uuid FROM metrics"
    " WHERE run_uuid IN (SELECT run_uuid FROM runs WHERE lifecycle_stage = 'active')"
    " GROUP BY run_uuid, key"
)
con.commit()
"""
RUN = "replace(run_id, '-', '')"


def copy(place: Place, folder: Path, python: str, logged: int) -> tuple[Path, list[str], float]:
    """MLflow's store with the same runs; some of their ids, and its own seconds a run."""
    files = {name: folder / f"{name}.csv" for name in ("runs", "params", "curves")}
    queries = {
        "runs": f"SELECT {RUN}, 'run-' || right(run_id, 8), epoch_ms(started_at), "
        "epoch_ms(ended_at) FROM runs",
        "params": f"SELECT {RUN}, name, value FROM params",
        "curves": f"SELECT {RUN}, split || '_' || name, epoch, value, epoch * 1000 FROM curves",
    }
    with duckdb.connect(str(place.database), read_only=True) as con:
        for name, query in queries.items():
            con.execute(f"COPY ({query}) TO '{files[name]}'")
        # MLflow sorts by the last value.
        chosen = con.execute(
            f"SELECT {RUN} FROM run_metrics WHERE split = 'val' AND name = 'loss' "
            f"ORDER BY last LIMIT {CHOSEN}"
        ).fetchall()
    store = folder / "mlflow.db"
    words = [python, "-c", FILL, str(store), *map(str, files.values()), str(logged)]
    done = subprocess.run(
        words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
    )
    return store, [run for (run,) in chosen], float(done.stdout.split()[-1])


class Theirs:
    """`mlflow ui` with one worker, and how long it took until it answered."""

    def __init__(self, store: Path, python: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        words = [
            "ui",
            "--workers",
            "1",
            "--backend-store-uri",
            f"sqlite:///{store}",
            "--port",
            str(port),
        ]
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [str(Path(python).with_name("mlflow")), *words],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            start_new_session=True,
        )
        self.link = f"http://127.0.0.1:{port}/"
        while True:
            try:
                urllib.request.urlopen(self.link, timeout=5).close()
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        self.start = time.perf_counter() - begin

    def stop(self) -> None:
        """End it and its worker."""
        os.killpg(self.process.pid, 15)
        self.process.wait(30)


def seconds(page: Any, act: Any, until: str) -> float:
    """Seconds from an act until a script says that it shows."""
    begin = time.perf_counter()
    act()
    page.wait_for_function(until, timeout=PATIENCE, polling=20)
    return time.perf_counter() - begin


def look_at_theirs(browser: Any, link: str, chosen: list[str]) -> dict[str, float]:
    """One visitor of MLflow's page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    where = "#/experiments/1/runs?workflowType=machine_learning"
    shown = "document.querySelectorAll('.ag-center-cols-container .ag-row').length > 5"
    seen = {"open": seconds(page, lambda: page.goto(link + where), shown)}
    best = f"run-{chosen[0][-8:]}"
    order = f"{where}&orderByKey={quote('metrics.`val_loss`')}&orderByAsc=true"
    first = (
        f"(document.querySelector('.ag-row[row-index=\"0\"]')?.innerText || '').includes('{best}')"
    )
    seen["sort by a metric"] = seconds(
        page, lambda: page.evaluate(f"location.hash = {json.dumps(order)}"), first
    )
    words = {"runs": chosen, "metric": "val_loss", "experiments": ["1"]}
    words["plot_metric_keys"] = ["val_loss"]
    query = "&".join(f"{name}={quote(json.dumps(value))}" for name, value in words.items())
    curves = f"#/metric?{query}"
    # Drawn on a canvas: what the chart says that it holds.
    drawn = f"(document.querySelector('.js-plotly-plot')?._fullData || []).length >= {CHOSEN}"
    seen["curves of 20"] = seconds(
        page, lambda: page.evaluate(f"location.hash = {json.dumps(curves)}"), drawn
    )
    page.context.close()
    return seen


def look_at_ours(browser: Any, link: str) -> dict[str, float]:
    """One visitor of our page."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    api = "sweephouse.state.api"
    seen = {
        "open": seconds(page, lambda: page.goto(link), "document.body.dataset.ready === 'grid'")
    }
    page.wait_for_timeout(1500)
    sort = f"{api}.applyColumnState({{state: [{{colId: 'best', sort: 'asc'}}]}})"
    first = f"{api}.getDisplayedRowAtIndex(0).data[{api}.getColumn('best').getColDef().field]"
    least = page.evaluate(
        f"(() => {{ let least = Infinity; {api}.forEachNode(node => {{ const value = "
        f"node.data[{api}.getColumn('best').getColDef().field]; if (typeof value === 'number') "
        "least = Math.min(least, value); }); return least; })()"
    )
    seen["sort by a metric"] = seconds(page, lambda: page.evaluate(sort), f"{first} === {least}")
    drawn = f"({CHART}.getOption()?.series || []).length === {CHOSEN}"
    choose = (
        f"{api}.setNodesSelected({{nodes: [...Array({CHOSEN}).keys()].map(place => "
        f"{api}.getDisplayedRowAtIndex(place)), newValue: true}})"
    )
    seen["curves of 20"] = seconds(page, lambda: page.evaluate(choose), drawn)
    page.context.close()
    return seen


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mlflow", required=True, metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logged", type=int, default=5, help="runs by MLflow's own log_batch")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        place = make(Path(name) / "results", arguments.runs, arguments.epochs)
        store, chosen, each = copy(place, Path(name), arguments.mlflow, arguments.logged)
        print(f"MLflow's log_batch: {each:.2f} s a run", flush=True)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        ours, theirs = Server(place), Theirs(store, arguments.mlflow)
        try:
            rounds = []
            for _ in range(arguments.rounds):
                rounds.append(
                    (
                        look_at_ours(browser, ours.link),
                        look_at_theirs(browser, theirs.link, chosen),
                    )
                )
        finally:
            theirs.stop()
            ours.process.terminate()
            ours.process.wait(20)
        print(
            f"| {arguments.runs} runs x {arguments.epochs} epochs | ours | MLflow | times |\n"
            "|---|---|---|---|"
        )
        print(f"| start of the server, s | {ours.start:.1f} | {theirs.start:.1f} | |")
        for what in rounds[0][0]:
            mine = statistics.median(one[what] for one, _ in rounds)
            other = statistics.median(one[what] for _, one in rounds)
            print(f"| {what}, s | {mine:.2f} | {other:.2f} | {other / mine:.1f} |")
        browser.close()


if __name__ == "__main__":
    main()
