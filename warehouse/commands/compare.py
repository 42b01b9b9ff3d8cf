"""`compare`: what differs between two runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import say
from warehouse.commands.output import add_format, emit, short
from warehouse.lookup import SHORT, find_run
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`compare A B`."""
    parser = words.add_parser(
        "compare",
        help="what differs between two runs",
        description="The params, components and outcomes that differ between two runs.",
    )
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the differences."""
    with connect(arguments.results) as con:
        a, b = find_run(con, arguments.a), find_run(con, arguments.b)
        rows = con.execute("FROM compare($1, $2)", [a, b]).fetchall()
    columns = ("what", "name", a, b, "difference")
    if arguments.format == "table":
        if not rows:
            say(f"{a[-SHORT:]} and {b[-SHORT:]} do not differ")
            return 0
        columns = ("what", "name", a[-SHORT:], b[-SHORT:], "difference")
        rows = [(what, name, x, y, short(gap)) for what, name, x, y, gap in rows]
    emit(columns, rows, arguments.format)
    return 0
