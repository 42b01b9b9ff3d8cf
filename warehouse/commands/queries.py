"""`queries`: the worked questions, listed or asked."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.errors import WarehouseError, choices
from runner.system.terminal import say
from warehouse.commands.answer import ask
from warehouse.commands.output import add_format, emit
from warehouse.snapshot import connect
from warehouse.worked import questions

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`queries NAME`."""
    parser = words.add_parser(
        "queries",
        help="the worked questions",
        description="List the worked questions, or ask one by its name.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?", help="without one, all are listed")
    parser.add_argument("--print", action="store_true", help="print its SQL and do not ask")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them, or print one's answer."""
    asked = questions()
    if arguments.name is None:
        listed = [(name, one.sentence, one.package) for name, one in asked.items()]
        emit(("name", "question", "package"), listed, arguments.format)
        return 0
    name = arguments.name.removesuffix(".sql")
    if name not in asked:
        raise WarehouseError(f"there is no worked question {name!r}; {choices(name, asked)}")
    if arguments.print:
        say(asked[name].sql.rstrip())
        return 0
    with connect(arguments.results) as con:
        answer = ask(con, asked[name].sql)
        rows = map(answer.iso, answer.rows) if arguments.format == "json" else answer.rows
        emit(answer.columns, rows, arguments.format, fitting=True)
    return 0
