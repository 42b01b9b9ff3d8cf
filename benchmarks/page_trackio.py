"""The page beside trackio's on the same runs: from the address until all runs stand there.

    python benchmarks/page_trackio.py --trackio PYTHON [--runs 1000] [--epochs 100] [--rounds 2]

PYTHON is that of an environment that has trackio. It makes a store with one run; the runs of
`page.py` are copied into the store's tables. Both pages are looked at by the system's Chromium, in
turns.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import socket
import sqlite3
import statistics
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import duckdb
from page import Server, make
from pages import PATIENCE, seconds
from playwright.sync_api import sync_playwright

from warehouse.place import Place

PROJECT = "digits"
FIRST = f"""
import trackio
trackio.init(project="{PROJECT}", name="first", config={{}})
trackio.log({{"val_loss": 1.0}}, step=0)
trackio.finish()
"""


def copy(place: Place, folder: Path, python: str) -> dict[str, str]:
    """A store of trackio's with the same runs; the environment that names it."""
    environment = os.environ | {"TRACKIO_DIR": str(folder / "store"), "HF_HUB_OFFLINE": "1"}
    subprocess.run([python, "-c", FIRST], env=environment, check=True, stdout=subprocess.DEVNULL)
    with duckdb.connect(str(place.database), read_only=True) as con:
        runs = con.execute(
            "SELECT run_id, started_at::VARCHAR, map_from_entries(list((p.name, p.value))) "
            "FROM runs JOIN params AS p USING (run_id) GROUP BY ALL"
        ).fetchall()
        points = con.execute(
            "SELECT run_id, 'run-' || right(run_id, 8), epoch, "
            "json_group_object(split || '_' || name, value) FROM curves GROUP BY ALL ORDER BY ALL"
        ).fetchall()
    with sqlite3.connect(folder / "store" / f"{PROJECT}.db") as store:
        store.execute("DELETE FROM metrics")
        store.execute("DELETE FROM configs")
        store.executemany(
            "INSERT INTO configs (run_id, run_name, config, created_at) VALUES (?, ?, ?, ?)",
            [(run, f"run-{run[-8:]}", json.dumps(params), at) for run, at, params in runs],
        )
        store.executemany(
            "INSERT INTO metrics (run_id, run_name, step, metrics, timestamp, log_id) "
            "VALUES (?, ?, ?, ?, '2026-11-29T09:00:00+00:00', ?)",
            [(*point, f"{number:032x}") for number, point in enumerate(points)],
        )
    return environment


class Theirs:
    """`trackio show`, and how long it took until it answered."""

    def __init__(self, python: str, environment: dict[str, str]) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        begin = time.perf_counter()
        self.process = subprocess.Popen(
            [str(Path(python).with_name("trackio")), "show", "--project", PROJECT],
            env=environment | {"GRADIO_SERVER_PORT": str(port), "BROWSER": "true"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self.link = f"http://127.0.0.1:{port}/runs?project={PROJECT}"
        while True:
            try:
                urllib.request.urlopen(self.link, timeout=5).close()
                break
            except (urllib.error.URLError, TimeoutError):
                time.sleep(0.1)
        self.start = time.perf_counter() - begin


def opened(browser: Any, link: str, shown: str) -> float:
    """Seconds until a new visitor sees the runs."""
    page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
    page.set_default_timeout(PATIENCE)
    took = seconds(page, lambda: page.goto(link, wait_until="commit"), shown)
    page.context.close()
    return took


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trackio", required=True, metavar="PYTHON")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=2)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        place = make(Path(name) / "results", arguments.runs, arguments.epochs)
        environment = copy(place, Path(name), arguments.trackio)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        ours, theirs = Server(place), Theirs(arguments.trackio, environment)
        all_there = f"document.querySelectorAll('tr').length > {arguments.runs}"
        try:
            rounds = [
                (
                    opened(browser, ours.link, "document.body?.dataset.ready === 'grid'"),
                    opened(browser, theirs.link, all_there),
                )
                for _ in range(arguments.rounds)
            ]
        finally:
            for server in (ours, theirs):
                server.process.terminate()
                server.process.wait(20)
        mine, other = (statistics.median(one) for one in zip(*rounds, strict=True))
        print(
            f"| {arguments.runs} runs x {arguments.epochs} epochs | ours | trackio | times |\n"
            "|---|---|---|---|\n"
            f"| start of the server, s | {ours.start:.1f} | {theirs.start:.1f} | |\n"
            f"| open, until all runs stand there, s | {mine:.2f} | {other:.2f} | "
            f"{other / mine:.0f} |"
        )
        browser.close()


if __name__ == "__main__":
    main()
