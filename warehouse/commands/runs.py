"""`runs`: which runs there are, the best first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, get_args

from runner.errors import WarehouseError
from runner.journal.records import Status
from runner.system.terminal import say
from warehouse.commands import within
from warehouse.commands.output import add_format, emit, short
from warehouse.lookup import SHORT
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words

ORDERS = {
    "best": "dataset, monitor, rank, run_id",
    "started": "started_at DESC, run_id DESC",
    "seconds": "seconds DESC NULLS LAST",
    "epochs": "epochs DESC",
}
MOST = 2**63 - 2
"""Rows that can be asked for: one more is, and DuckDB counts them in 64 bits."""
COLUMNS = (
    "run",
    "experiment",
    "dataset",
    "status",
    "monitor",
    "best",
    "epoch",
    "epochs",
    "seconds",
    "started",
    "tags",
    "overrides",
)


def add(words: Words) -> None:
    """`runs` and its filters."""
    parser = words.add_parser(
        "runs",
        help="list runs, the best first",
        description="List runs that are not deleted, the best first. Each filter narrows.",
    )
    parser.add_argument("--experiment", metavar="NAME", help="of this preset")
    parser.add_argument("--status", choices=get_args(Status), help="with this status")
    parser.add_argument("--sweep", metavar="ID", help="of this sweep (head or tail of its id)")
    parser.add_argument("--tag", help="with this tag")
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="with this value in the config, e.g. optimizer.learning_rate=0.001; repeatable",
    )
    parser.add_argument("--sort", choices=ORDERS, default="best", help="(default: best)")
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="at most N (default: 50)"
    )
    parser.add_argument("--deleted", action="store_true", help="the deleted ones instead")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table of runs."""
    within("--limit", arguments.limit, 1, MOST)
    where, values = _filters(arguments)
    source = "leaderboard"
    if arguments.deleted:
        source = (
            "(SELECT r.*, NULL::DOUBLE AS best, 0 AS rank FROM runs AS r "
            "SEMI JOIN deleted USING (run_id))"
        )
    query = f"""
        SELECT run_id, experiment, dataset, status, monitor, best, best_epoch, epochs, seconds,
            started_at,
            (SELECT list(tag ORDER BY tag) FROM tags WHERE tags.run_id = b.run_id), overrides
        FROM {source} AS b
        WHERE {" AND ".join(where) or "true"}
        ORDER BY {ORDERS[arguments.sort]}
        LIMIT {arguments.limit + 1}"""
    with connect(arguments.results) as con:
        rows = con.execute(query, values).fetchall()
    if not rows and arguments.format == "table":
        asked = "such run" if where else "run"
        say(f"no {asked} in {Place.of(arguments.results).folder} yet")
        return 0
    more = len(rows) > arguments.limit
    rows = rows[: arguments.limit]
    if arguments.format == "table":
        rows = [(row[0][-SHORT:], *map(short, row[1:])) for row in rows]
    emit(COLUMNS, rows, arguments.format)
    if more and arguments.format == "table":
        print(f"the first {arguments.limit} of them; --limit shows more")
    return 0


def _filters(arguments: argparse.Namespace) -> tuple[list[str], dict[str, Any]]:
    where: list[str] = []
    values: dict[str, Any] = {}

    def narrow(condition: str, **more: Any) -> None:
        where.append(condition)
        values.update(more)

    if arguments.experiment:
        narrow("experiment = $experiment", experiment=arguments.experiment)
    if arguments.status:
        narrow("status = $status", status=arguments.status)
    if arguments.sweep:
        narrow(
            "(starts_with(sweep_id, $sweep) OR ends_with(sweep_id, $sweep))", sweep=arguments.sweep
        )
    if arguments.tag:
        narrow("run_id IN (SELECT run_id FROM tags WHERE tag = $tag)", tag=arguments.tag)
    for index, param in enumerate(arguments.param):
        name, equals, value = param.partition("=")
        if not equals:
            raise WarehouseError(f"--param {param!r} needs the form name=value")
        narrow(
            f"run_id IN (SELECT run_id FROM params WHERE name = $name{index} AND "
            f"(value = $value{index} OR number = TRY_CAST($value{index} AS DOUBLE)))",
            **{f"name{index}": name, f"value{index}": value},
        )
    return where, values
