"""What checkpoints cost: python benchmarks/checkpoint_cost.py [--units 1000].

Trains a dense network with and without a checkpoint in every epoch, in turns, in one process;
prints the milliseconds that a checkpoint adds to an epoch, and its bytes.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import statistics
import tempfile
import time
from pathlib import Path

from runner import run


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--units", type=int, default=128)
    asked.add_argument("--epochs", type=int, default=20)
    asked.add_argument("--rounds", type=int, default=3)
    words = asked.parse_args()
    with tempfile.TemporaryDirectory() as name:
        base = [
            "dataset=digits",
            f"architecture.units=[{words.units},{words.units}]",
            "regularizer=[]",
            f"epochs={words.epochs}",
            f"results={name}",
        ]
        took: dict[str, list[float]] = {"null": [], "1": []}
        for round_ in range(words.rounds + 1):
            for every, seconds in took.items():
                with contextlib.redirect_stdout(io.StringIO()):
                    began = time.perf_counter()
                    run([*base, f"checkpoint={every}", f"seed={round_}"])
                    if round_:  # the first round warms up
                        seconds.append(time.perf_counter() - began)
        added = [(b - a) / words.epochs for a, b in zip(*took.values(), strict=True)]
        files = [path.stat().st_size for path in Path(name).rglob("*.safetensors")]
        print(
            f"a checkpoint of {max(files):,} bytes adds {1e3 * statistics.median(added):.1f} ms "
            f"to an epoch (rounds: {', '.join(f'{1e3 * a:.1f}' for a in added)}); the whole run "
            f"without takes {statistics.median(took['null']):.2f} s for {words.epochs} epochs"
        )


if __name__ == "__main__":
    main()
