"""How far a lake goes: python benchmarks/lake.py ingest|scale [--runs N] [--epochs N].

ingest: runs a second by 1, 4 and 8 clients, each a process that writes journals and takes them in
pack by pack, and the files before and after `tidy`. scale: the runs are made in SQL, straight into
the lake's tables in commits of 5,000; then the leaderboard and the curves of 20 runs are asked of
`warehouse.connect()`, as everybody does. Needs a PostgreSQL server's binaries (Debian's package),
starts one of its own on loopback, and removes all again.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from journal_cost import journal, start

import warehouse
from warehouse.__main__ import main as command
from warehouse.lake.address import ENVIRONMENT, lake_of
from warehouse.lake.intake import writing

CLIENTS = (1, 4, 8)
CHUNK = 5_000
TIMES = 7
"""How often a question is asked; the median is told."""


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The URI of a PostgreSQL server of our own, which keeps its data below the folder."""
    tools = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda p: float(p.parent.name))
    owner: dict[str, Any] = {}
    if os.geteuid() == 0:  # it does not run as root
        shutil.chown(folder, "postgres")
        owner = {"user": "postgres", "group": folder.stat().st_gid, "extra_groups": []}
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    data = folder / "catalog"
    made = f"{tools[-1]}/initdb -D {data} -U team -A trust -E UTF8"
    subprocess.run(made.split(), check=True, cwd="/", stdout=subprocess.DEVNULL, **owner)
    words = f"{tools[-1]}/postgres -D {data} -p {port} -k {folder} -c listen_addresses=127.0.0.1"
    with (folder / "log").open("wb") as log:
        running = subprocess.Popen(words.split(), cwd="/", stdout=log, stderr=log, **owner)
    try:
        ready = f"{tools[-1]}/pg_isready -q -h 127.0.0.1 -p {port}"
        while subprocess.run(ready.split(), check=False).returncode:
            assert running.poll() is None, (folder / "log").read_text()
            time.sleep(0.1)
        yield f"postgres://team@127.0.0.1:{port}/postgres"
    finally:
        running.send_signal(signal.SIGINT)
        running.wait()


def client(folder: Path, runs: int, pack: int, epochs: int, ready: Any) -> None:
    """Write runs and take them in, a pack at a time."""
    first = start()
    ready.wait()
    for _ in range(runs // pack):
        for _ in range(pack):
            journal(folder, first, epochs)
        result = warehouse.sync(folder, wait=600)
        assert (len(result.ingested), result.reason) == (pack, None), result


def ingest(uri: str, base: Path, runs: int, pack: int, epochs: int) -> None:
    """Measure runs a second by several clients at once, and the files that they leave."""
    fresh = multiprocessing.get_context("spawn")
    for clients in CLIENTS:
        data = base / f"data-{clients}"
        os.environ[ENVIRONMENT] = f"{uri}?schema=clients_{clients}&data={data}"
        journal(base / "first", start(), 1)
        assert len(warehouse.sync(base / "first").ingested) == 1  # makes the lake
        ready = fresh.Barrier(clients + 1)
        each = [
            fresh.Process(target=client, args=(base / f"{clients}-{n}", runs, pack, epochs, ready))
            for n in range(clients)
        ]
        for one in each:
            one.start()
        ready.wait()
        began = time.perf_counter()
        for one in each:
            one.join()
            assert one.exitcode == 0
        took = time.perf_counter() - began
        with warehouse.connect(base / "first") as con:
            ((there,),) = con.execute("SELECT count(DISTINCT run_id) FROM runs").fetchall()
        assert there == clients * runs + 1
        print(
            f"{clients} clients: {clients * runs / took:.1f} runs/s of {epochs} epochs, in packs "
            f"of {pack} ({took:.1f} s, {_load()})",
            flush=True,
        )
    ids = _some_runs(base / "first")
    print(f"before tidy: {_files(data)}; curves of 20 runs {_asked(base / 'first', ids)}")
    assert command(["--results", str(base / "first"), "tidy"]) == 0
    print(f"after tidy: {_files(data)}; curves of 20 runs {_asked(base / 'first', ids)}")


def scale(uri: str, base: Path, runs: int, epochs: int) -> None:
    """Fill a lake in SQL, and ask it what people ask."""
    data, results = base / "data", base / "results"
    os.environ[ENVIRONMENT] = f"{uri}?data={data}"
    began = time.perf_counter()
    lake = lake_of()
    assert lake is not None
    with writing(lake) as writer:
        for first in range(0, runs, CHUNK):
            writer.con.execute("BEGIN")
            for sql in FILL:
                for name, value in (
                    ("$a", first),
                    ("$z", min(first + CHUNK, runs)),
                    ("$n", epochs),
                ):
                    sql = sql.replace(name, str(value))
                writer.con.execute(sql)
            writer.con.execute("COMMIT")
    took = time.perf_counter() - began
    print(
        f"{runs:,} runs, {runs * epochs:,} epochs made in {took:.0f} s ({_load()}); "
        f"{_files(data)}",
        flush=True,
    )
    for name in ("before tidy", "after tidy"):
        ids = _some_runs(results)
        print(f"{name}: {_files(data)}")
        print(f"connect {_median(lambda: warehouse.connect(results).close())}")
        with warehouse.connect(results) as con:
            for label, query in (("leaderboard", BEST), ("runs of a sweep", OF_SWEEP)):
                print(f"{label} {_median(lambda query=query: con.execute(query).fetchall())}")
        print(f"curves of 20 runs {_asked(results, ids)} ({_load()})", flush=True)
        if name == "before tidy":
            began = time.perf_counter()
            assert command(["--results", str(results), "tidy"]) == 0
            print(f"tidy took {time.perf_counter() - began:.0f} s", flush=True)


def _some_runs(results: Path) -> list[str]:
    with warehouse.connect(results) as con:
        rows = con.execute("SELECT run_id FROM runs ORDER BY hash(run_id) LIMIT 20").fetchall()
    return [run_id for (run_id,) in rows]


def _asked(results: Path, ids: list[str]) -> str:
    """How long the curves of some runs take, all metrics and epochs fetched."""
    with warehouse.connect(results) as con:
        return _median(lambda: con.execute(CURVES, [ids]).fetchall())


def _median(ask: Callable[[], object]) -> str:
    """`0.12 s (0.09 s of CPU)`: the median of several, after one that does not count."""
    ask()
    walls, cpus = [], []
    for _ in range(TIMES):
        wall, cpu = time.perf_counter(), time.process_time()
        ask()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return f"{statistics.median(walls):.2f} s ({statistics.median(cpus):.2f} s of CPU)"


def _files(data: Path) -> str:
    files = list(data.rglob("*.parquet"))
    return f"{len(files)} files, {sum(file.stat().st_size for file in files) / 1e6:,.0f} MB"


def _load() -> str:
    return f"load {os.getloadavg()[0]:.0f} on {len(os.sched_getaffinity(0))} cores"


_ID = (
    "printf('%08x-%04x-7%03x-8%03x-%012x', 26000000 + i // 16, (i % 16) * 4096 + 77, i % 4096, "
    "(i * 7919) % 4096, (hash(i) % 281474976710656)::BIGINT)"
)
"""An id whose order is that of the runs, as a UUIDv7's is."""
FILL = (
    f"""
INSERT INTO lake.main.runs (
    run_id, sweep_id, experiment, status, fingerprint, seed, engine, device, host, started_at,
    ended_at, seconds, wall_seconds, epochs, best_epoch, overrides, config, monitor, mode, dataset,
    journal_bytes, journal_sha256
)
SELECT
    {_ID}, 'sweep-' || i // 100, 'digits_mlp', 'finished', sha256('f' || i), i, 'packed', 'cpu',
    'host-' || i % 8, TIMESTAMP '2026-01-01' + to_seconds(i),
    TIMESTAMP '2026-01-01' + to_seconds(i + 9), 9.0, 9.0, $n, $n,
    ['optimizer.learning_rate=' || i % 100 / 1e4, 'seed=' || i], '{{"epochs": ' || $n || '}}',
    'val_loss', 'min', 'digits', 90000, sha256('j' || i)
FROM range($a, $z) AS r(i)
""",
    f"""
INSERT INTO lake.main.run_metrics (
    run_id, split, name, first, last, min, max, best_epoch, mode, at_best
)
SELECT {_ID}, split, 'loss', 2.3, m, m, 2.3, $n, 'min', m
FROM (
    SELECT i, split, 0.1 + (hash(i, split) % 1000003) / 1e7 AS m
    FROM range($a, $z) AS r(i), (VALUES ('train'), ('val')) AS s(split)
)
""",
    f"""
INSERT INTO lake.main.params (run_id, name, value, number)
SELECT {_ID}, 'param.' || k, (i % (k * 10)) :: VARCHAR, i % (k * 10)
FROM (SELECT i, unnest(range(1, 11)) AS k FROM range($a, $z) AS r(i))
""",
    f"""
INSERT INTO lake.main.epochs (
    run_id, epoch, loss, val_loss, learning_rate, seconds, wall_seconds
)
SELECT
    id, e, 2.3 / e + (hash(id, e) % 1000003) / 1e7, 2.4 / e + (hash(e, id) % 1000003) / 1e7, 0.001,
    0.015, 0.015
FROM (SELECT {_ID} AS id, unnest(range(1, $n + 1)) AS e FROM range($a, $z) AS r(i))
""",
)
BEST = "FROM leaderboard ORDER BY rank LIMIT 20"
OF_SWEEP = "FROM leaderboard WHERE sweep_id = 'sweep-7' ORDER BY rank"
CURVES = """
SELECT run_id, split, name, epoch, value FROM curves
WHERE run_id IN (SELECT unnest($1::VARCHAR[])) ORDER BY ALL
"""


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("what", choices=["ingest", "scale"])
    asked.add_argument("--runs", type=int, help="of each client (100), or of the lake (100,000)")
    asked.add_argument("--epochs", type=int, help="of a run: 100, or 600")
    asked.add_argument("--pack", type=int, default=25, help="runs that a client takes in at once")
    words = asked.parse_args()
    with tempfile.TemporaryDirectory(prefix="sweephouse-") as name:
        place = Path(name)
        place.chmod(0o755)
        (place / "server").mkdir()
        (place / "base").mkdir()
        with server(place / "server") as uri:
            if words.what == "ingest":
                ingest(uri, place / "base", words.runs or 100, words.pack, words.epochs or 100)
            else:
                scale(uri, place / "base", words.runs or 100_000, words.epochs or 600)


if __name__ == "__main__":
    main()
