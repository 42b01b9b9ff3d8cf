"""Requests a second and how long each waits, with shared calls of the model and without.

    python benchmarks/serve.py [--threads 8] [--requests 400] [--rounds 3] [--rows 1]

A small table model is trained, and served twice on this machine: requests that arrive together
share a call, and each by itself (--batch 1). The two are asked in turns, by threads of this
process that keep one connection each, so that both have the same neighbours.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TABLE = """
    COPY (SELECT random() AS a, random() AS b, ['red', 'blue'][1 + i % 2] AS hue,
    random() > 0.5 AS y FROM range(500) AS t(i)) TO '{}'
"""
ROW = {"a": 0.2, "b": 0.7, "hue": "red"}


def train(folder: Path) -> None:
    """A run on a table of numbers and text, called @served."""
    import duckdb

    duckdb.execute(TABLE.format(folder / "rows.csv"))
    words = ["dataset=csv", "dataset.path=rows.csv", "dataset.label=y", "epochs=1"]
    command([*words, "preprocessing=[encode]"], folder)
    query = "SELECT run_id FROM runs"
    asked = [sys.executable, "-m", "warehouse", "sql", "--format", "csv", query]
    done = subprocess.run(asked, cwd=folder, check=True, capture_output=True, text=True)
    run = done.stdout.split()[-1]
    words = [sys.executable, "-m", "warehouse", "alias", "served", run]
    subprocess.run(words, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def command(words: Sequence[str], folder: Path) -> None:
    """Run a command of the runner."""
    whole = [sys.executable, "-m", "runner", *words]
    subprocess.run(whole, cwd=folder, check=True, stdout=subprocess.DEVNULL)


def serve(folder: Path, batch: int) -> tuple[subprocess.Popen[str], int]:
    """A server that has loaded its model, and its port."""
    words = ["serve", "@served", "--port", "0", "--batch", str(batch)]
    process = subprocess.Popen(
        [sys.executable, "-m", "runner", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    return process, int(process.stdout.readline().rpartition(":")[2])


def ask(port: int, threads: int, requests: int, body: bytes) -> tuple[float, list[float]]:
    """Requests a second, and the seconds that each took."""

    def some(number: int) -> list[float]:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        taken = []
        for _ in range(number):
            began = time.perf_counter()
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200
            taken.append(time.perf_counter() - began)
        connection.close()
        return taken

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        parts = pool.map(some, [requests // threads] * threads)
        taken = [seconds for part in parts for seconds in part]
    return len(taken) / (time.perf_counter() - began), taken


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=1)
    asked = parser.parse_args()
    body = json.dumps({"rows": [ROW] * asked.rows}).encode()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        train(folder)
        servers = {"shared": serve(folder, 64), "alone": serve(folder, 1)}
        rates: dict[str, list[float]] = {kind: [] for kind in servers}
        taken: dict[str, list[float]] = {kind: [] for kind in servers}
        try:
            for _, port in servers.values():
                ask(port, asked.threads, asked.threads * 4, body)
            for _ in range(asked.rounds):
                for kind, (_, port) in servers.items():
                    rate, seconds = ask(port, asked.threads, asked.requests, body)
                    rates[kind].append(rate)
                    taken[kind] += seconds
        finally:
            for process, _ in servers.values():
                process.terminate()
                process.wait()
    print(f"{asked.threads} threads, {asked.rows} rows a request, {asked.rounds} rounds")
    for kind in servers:
        cuts = statistics.quantiles([1000 * one for one in taken[kind]], n=100)
        print(
            f"{kind:<7} {statistics.median(rates[kind]):6.0f} requests/s   "
            f"{cuts[49]:6.1f} ms median  {cuts[94]:6.1f} ms p95  {cuts[98]:6.1f} ms p99"
        )


if __name__ == "__main__":
    main()
