"""`compare`: what differs between runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import say
from warehouse.code import packages_between
from warehouse.commands.output import add_format, emit, short
from warehouse.lookup import SHORT, find_run
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words


def add(words: Words) -> None:
    """`compare A B ...`."""
    parser = words.add_parser(
        "compare",
        help="what differs between runs",
        description="What differs between two runs: params, components and what they are made of, "
        "data, versions and packages, and then outcomes; of more, a column each, the commit and "
        "the place, too.",
    )
    parser.add_argument("a", metavar="A")
    parser.add_argument("b", metavar="B")
    parser.add_argument("others", metavar="RUN", nargs="*")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the differences."""
    with connect(arguments.results) as con:
        a, b = find_run(con, arguments.a), find_run(con, arguments.b)
        if arguments.others:
            ids = [a, b, *(find_run(con, text) for text in arguments.others)]
            return _many(con, list(dict.fromkeys(ids)), arguments.format)
        rows = con.execute("FROM compare($1, $2)", [a, b]).fetchall()
        packages = list(packages_between(con, a, b, arguments.results))
    # What may have made the outcomes differ comes before them.
    said = {name for what, name, *_ in rows if what == "version"}
    at = next((i for i, row in enumerate(rows) if row[0] == "outcome"), len(rows))
    rows[at:at] = [("package", *one, None) for one in packages if one[0] not in said]
    columns = ("what", "name", a, b, "difference")
    if arguments.format == "table":
        if not rows:
            say(f"{a[-SHORT:]} and {b[-SHORT:]} do not differ")
            return 0
        columns = ("what", "name", a[-SHORT:], b[-SHORT:], "difference")
        rows = [(what, name, x, y, short(gap)) for what, name, x, y, gap in rows]
    emit(columns, rows, arguments.format)
    return 0


def _many(con: DuckDBPyConnection, ids: list[str], form: str) -> int:
    """Print what differs between several, a column each."""
    rows = con.execute("FROM compare_runs($1::VARCHAR[])", [ids]).fetchall()
    if form == "table" and not rows:
        say(f"those {len(ids)} runs do not differ")
        return 0
    names = [run_id[-SHORT:] for run_id in ids] if form == "table" else ids
    emit(("kind", "name", *names), [(kind, name, *values) for kind, name, values in rows], form)
    return 0
