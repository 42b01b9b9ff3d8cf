"""`python -m warehouse`: ask what happened, and take care of what is kept."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from runner.errors import RunnerError
from runner.results import ENVIRONMENT
from warehouse.commands import care, compare, curves, gc, rebuild, runs, show, sql, sync, verify
from warehouse.database import in_words
from warehouse.place import Place

SAME = f"the results folder (default: ${ENVIRONMENT}, else ./results)"
COMMANDS = (sql, runs, show, curves, compare, sync, rebuild, verify, care, gc)


def parser() -> argparse.ArgumentParser:
    """The command line; each command adds its own words."""
    top = argparse.ArgumentParser(
        prog="python -m warehouse",
        description="Ask what the runs came to, and take care of what is kept. Runs are named by "
        "their full id, or its head or tail where that is unique.",
    )
    top.add_argument(
        "--results",
        metavar="DIR",
        help=SAME,
    )
    words = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(words)
    for parser in words.choices.values():
        # After the command, too; absent there, it must not hide what stood before.
        parser.add_argument("--results", metavar="DIR", default=argparse.SUPPRESS, help=SAME)
    return top


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; 2 for what the user can mend, 1 for what is wrong with the warehouse."""
    arguments = parser().parse_args(words)
    try:
        with in_words(Place.of(arguments.results)):
            code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except RunnerError as error:
        print(str(error), file=sys.stderr)
        return 2
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


if __name__ == "__main__":
    sys.exit(main())
