"""What test_mirrored.py has trained, by a process whose processor is split."""

import sys

import runner

WORDS = ["dataset=iris", "architecture.units=[8]", "regularizer=l2", "epochs=2", "batch_size=35"]
"""Batches that two devices divide unevenly, and the last one shorter."""


def main(results: str) -> None:
    common = [*WORDS, f"results={results}", "skip=nothing"]
    for device, engine in (("cpu", "keras"), ("all", "auto")):
        runner.run([*common, "batch_size=40", f"device={device}", f"engine={engine}"])
    runner.run([*common, "device=all", "checkpoint=1", "engine=keras"])


if __name__ == "__main__":
    main(sys.argv[1])
