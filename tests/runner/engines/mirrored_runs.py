"""What test_mirrored.py has trained, by a process whose processor is split."""

import sys

import runner
from runner import RunnerError

WORDS = ["dataset=iris", "architecture.units=[8]", "regularizer=l2", "epochs=2", "batch_size=35"]
"""Batches that two devices divide unevenly, and the last one shorter."""


def main(results: str) -> None:
    """On one device, on all, and on all by the reference with checkpoints; then one refused."""
    common = [*WORDS, f"results={results}", "skip=nothing"]
    runner.run([*common, "device=cpu", "engine=keras"])
    runner.run([*common, "device=all"])
    runner.run([*common, "device=all", "engine=keras", "checkpoint=1"])
    try:
        runner.run([*common, "device=all", "batch_size=1"])
    except RunnerError as error:
        print(error)


if __name__ == "__main__":
    main(sys.argv[1])
