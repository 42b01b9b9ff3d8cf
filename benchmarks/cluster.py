"""What a cluster costs: many tiny runs by `hydra/launcher=ray` on nodes of this machine.

    python benchmarks/cluster.py [--runs 2000] [--nodes 3] [--epochs 2] [--only ray]

The same runs by the packed launcher and by Ray: seconds a run, and the memory of the head's
process while it trains. Nodes of one machine share its processors: what differs is the overhead.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
WORDS = ["experiment=digits_mlp", "architecture.units=[8]", "limit_batches=2", "skip=nothing"]


def main() -> None:
    """Measure both, and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=2)
    parser.add_argument("--only", choices=["packed", "ray"])
    asked = parser.parse_args()
    words = [*WORDS, f"epochs={asked.epochs}", f"seed=range({asked.runs})"]
    with tempfile.TemporaryDirectory() as folder:
        found: dict[str, tuple[float, list[int]]] = {}
        if asked.only != "ray":
            found["packed"] = _measured(words, Path(folder, "packed"))
        if asked.only != "packed":
            cluster = _cluster(asked.nodes)
            address = f"hydra.launcher.address={cluster.address}"
            ray = _measured(["hydra/launcher=ray", address, *words], Path(folder, "ray"))
            found[f"{asked.nodes} nodes"] = ray
            cluster.shutdown()
    print(f"{asked.runs} runs of {asked.epochs} epochs")
    for name, (seconds, memory) in found.items():
        at = [memory[len(memory) * part // 4] for part in (1, 2, 3)] + [memory[-1]]
        said = ", ".join(f"{value / 1e6:.0f}" for value in at)
        print(
            f"{name:8}  {seconds:7.1f} s  {1000 * seconds / asked.runs:6.1f} ms a run  "
            f"head's memory at 1/4, 1/2, 3/4 and the end: {said} MB"
        )


def _measured(words: list[str], folder: Path) -> tuple[float, list[int]]:
    """The seconds that a sweep took, and the memory of its process, every half second."""
    folder.mkdir()
    began = time.monotonic()
    sweep = subprocess.Popen(
        [sys.executable, "-m", "runner", "--multirun", *words],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    memory: list[int] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.5):
            status = Path(f"/proc/{sweep.pid}/status").read_text()
            if (found := re.search(r"VmRSS:\s+(\d+) kB", status)) is not None:
                memory.append(1024 * int(found[1]))

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    out, _ = sweep.communicate()
    over.set()
    if sweep.returncode:
        raise SystemExit(out[-3000:])
    return time.monotonic() - began, memory


def _cluster(nodes: int) -> Any:
    from ray.cluster_utils import Cluster

    args = {"num_cpus": 1, "object_store_memory": 80_000_000, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args=args)
    for _ in range(nodes - 1):
        cluster.add_node(**args)
    return cluster


if __name__ == "__main__":
    main()
