"""How memory grows over many runs in one process.

    python benchmarks/memory.py [--runs 1000]

A small MLP with another seed and learning rate each time, two epochs, by engine `fast` with its
shared program and by `packed`, after a tenth as many of the same that warm the process. Printed is
what a run adds to the process's resident memory.
"""

from __future__ import annotations

import argparse
import gc
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from engines import WORKLOADS, Workload, builtin
from sweeps import Sweep, by_engine, config_of, params

from runner.backend.devices import import_tensorflow


def resident() -> float:
    """This process's memory in MB."""
    gc.collect()
    for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise SystemExit("this needs /proc")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--runs", type=int, default=1000)
    runs = parser.parse_args().runs
    import_tensorflow()
    workload = Workload(WORKLOADS["digits_mlp"].model, lambda: builtin("digits"), 256, 2, 0)
    splits = workload.data()
    print("| engine | runs | MB a run | MB at the end |\n|---|---|---|---|")
    for name, engine in (("fast, shared", "fast"), ("packed", "packed")):
        by_engine(Sweep(workload, runs // 10, 0), splits, engine, runs // 10)
        for seed, rate in params(runs):
            config_of(workload, seed, rate)  # kept for all rounds of a benchmark: not the runs'
        before = resident()
        by_engine(Sweep(workload, runs, 0), splits, engine, runs)
        after = resident()
        print(f"| {name} | {runs} | {(after - before) / runs:.3f} | {after:.0f} |", flush=True)


if __name__ == "__main__":
    main()
