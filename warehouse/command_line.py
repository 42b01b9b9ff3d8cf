"""The words of `python -m warehouse`: every command's, and what becomes of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import NoReturn

from runner.errors import WarehouseError
from runner.journal.results import ENVIRONMENT
from warehouse.commands import (
    alias,
    care,
    compare,
    curves,
    effects,
    failures,
    gc,
    plot,
    purge,
    queries,
    rebuild,
    report,
    runs,
    show,
    sql,
    sync,
    top,
    ui,
    verify,
)
from warehouse.commands.output import in_line
from warehouse.database import in_words
from warehouse.place import Place

SAME = f"the results folder (default: ${ENVIRONMENT}, else ./results)"
COMMANDS = (
    *(sql, queries, runs, top, show, curves, compare, effects, failures, plot, report),
    *(sync, rebuild, verify, care, alias, gc, purge, ui),
)


class _Parser(argparse.ArgumentParser):
    """One that shows a word's control characters escaped; so do those of its commands."""

    def error(self, message: str) -> NoReturn:
        super().error(in_line(message))


def parser() -> argparse.ArgumentParser:
    """The command line; each command adds its own words."""
    top = _Parser(
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


def run(words: Sequence[str]) -> int:
    """Run one command; its exit code. Raises RunnerError for what the user can mend."""
    if sys.stdout is None:
        raise WarehouseError(
            "standard output is closed, so nothing was done; open it, or send it to /dev/null"
        )
    for word in words:
        _refuse_odd_bytes(word)
    arguments = parser().parse_args(words)
    place = Place.of(arguments.results)
    with in_words(place):
        code: int = arguments.run(arguments)
    return code


def _refuse_odd_bytes(text: str) -> None:
    """Neither DuckDB nor a journal can hold what is no text."""
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise WarehouseError(f"the word {text} is not UTF-8; give it in UTF-8")
