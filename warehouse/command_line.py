"""The words of `python -m warehouse`: every command's, and what becomes of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from runner.errors import WarehouseError
from runner.journal.results import ENVIRONMENT
from runner.system import extensions
from runner.system.terminal import shortened
from warehouse.commands import (
    alias,
    care,
    compare,
    curves,
    effects,
    export,
    failures,
    gc,
    import_,
    plot,
    purge,
    push,
    queries,
    rebuild,
    report,
    runs,
    show,
    sql,
    sync,
    tidy,
    top,
    ui,
    verify,
)
from warehouse.commands.output import in_line
from warehouse.database import in_words
from warehouse.lake.address import ENVIRONMENT as LAKE_ENVIRONMENT
from warehouse.lake.address import FORM, in_environment
from warehouse.place import Place

SAME = f"the results folder (default: ${ENVIRONMENT}, else ./results)"
LAKE = f"the team's warehouse, {FORM} (default: ${LAKE_ENVIRONMENT}); none: only the folder"
AS_OF = "read the lake as it was then: a snapshot's number, or a moment such as 2026-11-29T12:00Z"
COMMANDS = (
    *(sql, queries, runs, top, show, curves, compare, effects, failures, plot, report),
    *(sync, push, rebuild, verify, care, alias, gc, purge, tidy, ui),
    *(import_, export),
)


class _Parser(argparse.ArgumentParser):
    """One that shows a word's control characters escaped; so do those of its commands."""

    def error(self, message: str) -> NoReturn:
        super().error(shortened(in_line(message)))


def parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """The command line; each command adds its own words.

    words: those that are typed; the command of a package that is among them is imported.
    """
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
    top.add_argument("--lake", metavar="URI", help=LAKE)
    top.add_argument("--as-of", metavar="WHEN", help=AS_OF)
    commands = top.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    if not set(words) & set(commands.choices):  # else none of a package is asked for
        _of_packages(top, commands, words)
    for parser in commands.choices.values():
        # After the command, too; absent there, it must not hide what stood before.
        parser.add_argument("--results", metavar="DIR", default=argparse.SUPPRESS, help=SAME)
        parser.add_argument("--lake", metavar="URI", default=argparse.SUPPRESS, help=LAKE)
        parser.add_argument("--as-of", metavar="WHEN", default=argparse.SUPPRESS, help=AS_OF)
    return top


def _of_packages(top: argparse.ArgumentParser, commands: Any, words: Sequence[str]) -> None:
    """Add the commands of packages that are typed, and say of all which there are."""
    ours = list(commands.choices)
    named = extensions.extensions(extensions.OF_WAREHOUSE, ours)
    for word in words:
        if (command := extensions.find(extensions.OF_WAREHOUSE, word, ours)) is None:
            continue
        commands.choices[word] = command.parser(_Parser(prog="python -m warehouse"))
    if named:
        listed = (f"{name} (of {one.distribution} {one.version})" for name, one in named.items())
        top.epilog = f"commands of packages: {', '.join(listed)}"


def run(words: Sequence[str]) -> int:
    """Run one command; its exit code. Raises RunnerError for what the user can mend."""
    if sys.stdout is None:
        raise WarehouseError(
            "standard output is closed, so nothing was done; open it, or send it to /dev/null"
        )
    for word in words:
        _refuse_odd_bytes(word)
    arguments = parser(words).parse_args(words)
    # Where all look who open the warehouse, processes of our own among them.
    with in_environment(arguments.lake, arguments.as_of):
        place = Place.of(arguments.results)
        with in_words(place):
            code: int = arguments.run(arguments)
    return code


def _refuse_odd_bytes(text: str) -> None:
    """Neither DuckDB nor a journal can hold what is no text."""
    if not text.isprintable() and any("\ud800" <= character <= "\udfff" for character in text):
        raise WarehouseError(f"the word {text} is not UTF-8; give it in UTF-8")
