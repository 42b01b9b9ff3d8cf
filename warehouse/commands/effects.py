"""`effects`: what mattered in a sweep, or between chosen runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import say
from warehouse.commands.output import add_format, emit, short
from warehouse.commands.selection import add_selection, selected
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words

QUERY = """
SELECT monitor, param, effect, share_by_chance, rank_share, levels, runs, fewest, best_level,
    best_mean
FROM param_effects($ids::VARCHAR[])
"""
FEW = 3


def add(words: Words) -> None:
    """`effects --sweep ID`."""
    parser = words.add_parser(
        "effects",
        help="what mattered in a sweep",
        description="The share of the variance of what the runs monitor that each varying param "
        "explains alone, less what chance would (analysis of variance of main effects: "
        "docs/sql.md, param_effects).",
    )
    add_selection(parser)
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and what not to read into it."""
    with connect(arguments.results) as con:
        rows = con.execute(QUERY, {"ids": selected(con, arguments)}).fetchall()
        columns = [name for name, *_ in con.description or ()]
    if arguments.format != "table":
        emit(columns, rows, arguments.format)
        return 0
    if not rows:
        say("no param varies between those of the runs that ended well")
        return 0
    emit(columns, [[*row[:2], *map(_share, row[2:5]), *row[5:8], row[8], short(row[9])]
                   for row in rows], "table")  # fmt: skip
    print("effect: explained alone, less chance; share_by_chance: what noise gives as many levels")
    if any(row[7] < FEW for row in rows):
        print(f"fewest below {FEW}: read nothing into those")
    return 0


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
