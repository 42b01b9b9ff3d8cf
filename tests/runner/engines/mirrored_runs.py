"""What test_mirrored.py has trained, by a process whose processor is split."""

import sys

import runner
from runner import RunnerError
from runner.__main__ import command

WORDS = ["dataset=iris", "architecture.units=[8]", "regularizer=l2", "epochs=3", "batch_size=35"]
"""Batches that two devices divide unevenly, and the last one shorter."""


def main(results: str) -> None:
    """On one device, on all, and on all in two goes; one that is refused comes in between."""
    common = [*WORDS, f"results={results}", "skip=nothing"]
    runner.run([*common, "device=cpu", "engine=keras"])
    runner.run([*common, "device=all"])
    first = runner.run([*common, "device=all", "engine=keras", "epochs=2", "checkpoint=1"])
    try:
        runner.run([*common, "device=all", "batch_size=1"])
    except RunnerError as error:
        print(error)
    sys.argv[1:] = ["extend", first.run_id, "epochs=3", "--results", results]
    command()


if __name__ == "__main__":
    main(sys.argv[1])
