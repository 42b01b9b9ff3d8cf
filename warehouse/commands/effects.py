"""`effects`: what mattered in a sweep, or between chosen runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from runner.system.terminal import say
from warehouse.commands.answer import with_values
from warehouse.commands.output import add_format, emit, short
from warehouse.commands.selection import add_selection, selected
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words

QUERY = """
SELECT monitor, param, effect, share_by_chance, rank_share, levels, runs, fewest, best_level,
    best_mean
FROM param_effects($ids::VARCHAR[])
"""
COUNTS = ("levels", "runs", "fewest", "best_level", "best_mean")
"""The last columns, whatever the method."""
FEW = 3
ADDITIVE = "effect: explained alone, less chance; share_by_chance: what noise gives as many levels"
PED_ANOVA = (
    "importance: how far the values of the best tenth lie from those of all (PED-ANOVA), as "
    "shares of one"
)


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
    parser.add_argument(
        "--method",
        choices=["additive", "ped-anova"],
        default="additive",
        help="additive: in SQL, param_effects; ped-anova: how far the values of the best tenth "
        "lie from those of all, by Optuna (extra `search`)",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table, and what not to read into it."""
    with connect(arguments.results) as con:
        ids = selected(con, arguments)
        answer = con.execute(with_values(QUERY, ids=ids))
        rows, columns = answer.fetchall(), [name for name, *_ in answer.description or ()]
        words = ADDITIVE
        if arguments.method == "ped-anova":
            columns, rows = _by_ped_anova(con, ids, rows)
            words = PED_ANOVA
    if arguments.format != "table":
        emit(columns, rows, arguments.format)
        return 0
    if not rows:
        say("no param varies between those of the runs that ended well")
        return 0
    counted = columns.index("levels")
    shown = [
        [*row[:2], *map(_share, row[2:counted]), *row[counted:-1], short(row[-1])] for row in rows
    ]
    emit(columns, shown, "table")
    print(words)
    if any(row[columns.index("fewest")] < FEW for row in rows):
        print(f"fewest below {FEW}: read nothing into those")
    return 0


def _by_ped_anova(
    con: DuckDBPyConnection, ids: list[str], rows: list[tuple[Any, ...]]
) -> tuple[list[str], list[tuple[Any, ...]]]:
    """The same table by another method, the most important first."""
    from warehouse.commands.ped_anova import importances

    varying: dict[str, list[str]] = {}
    for monitor, param, *_ in rows:
        varying.setdefault(monitor, []).append(param)
    shares = importances(con, ids, varying)
    columns = ["monitor", "param", "importance", *COUNTS]
    table = [(row[0], row[1], shares[row[0], row[1]], *row[5:]) for row in rows]
    return columns, sorted(table, key=lambda row: (row[0], -row[2], row[1]))


def _share(value: float | None) -> str:
    return "" if value is None else f"{value:.1%}"
