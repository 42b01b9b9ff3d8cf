"""`runs`: which runs there are, the best first."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any, get_args

from runner.errors import WarehouseError, choices
from runner.journal.records import Status
from runner.system.terminal import say
from warehouse.commands import within
from warehouse.commands.answer import with_values
from warehouse.commands.output import add_format, emit, short
from warehouse.lookup import SHORT
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

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
    parser.add_argument(
        "--sort",
        metavar="ORDER",
        default="best",
        help=f"{', '.join(ORDERS)}, or a metric such as val_accuracy, the best first "
        "(default: best)",
    )
    parser.add_argument(
        "--group-by",
        metavar="PARAM",
        help="a row for each value of this param instead, over the runs that have it",
    )
    parser.add_argument(
        "--limit", type=int, default=50, metavar="N", help="at most N (default: 50)"
    )
    parser.add_argument("--deleted", action="store_true", help="the deleted ones instead")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print the table of runs, or of groups of them."""
    within("--limit", arguments.limit, 1, MOST)
    where, values = _filters(arguments)
    if arguments.group_by is not None:
        return _print_groups(arguments, where, values)
    columns, order, metric = list(COLUMNS), ORDERS.get(arguments.sort), ""
    source = "leaderboard"
    if arguments.deleted:
        source = (
            "(SELECT r.*, NULL::DOUBLE AS best, 0 AS rank FROM runs AS r "
            "SEMI JOIN deleted USING (run_id))"
        )
    if order is None:
        source = (
            f"(SELECT s.*, o.value AS sort_value, o.mode AS sort_mode FROM {source} AS s "
            "LEFT JOIN (SELECT run_id, any_value(value) AS value, any_value(mode) AS mode "
            "FROM outcomes WHERE metric = $sort GROUP BY run_id) AS o ON o.run_id = s.run_id)"
        )
        metric = ", sort_value"
        order = (
            "CASE WHEN NOT isnan(sort_value) THEN "
            "CASE sort_mode WHEN 'max' THEN -sort_value ELSE sort_value END END NULLS LAST, run_id"
        )
        columns.append(arguments.sort)
        values["sort"] = arguments.sort
    query = f"""
        SELECT run_id, experiment, dataset, status, monitor, best, best_epoch, epochs, seconds,
            started_at,
            (SELECT list(tag ORDER BY tag) FROM tags WHERE tags.run_id = b.run_id), overrides
            {metric}
        FROM {source} AS b
        WHERE {" AND ".join(where) or "true"}
        ORDER BY {order}
        LIMIT {arguments.limit + 1}"""
    with connect(arguments.results) as con:
        if metric:
            _check_metric(con, arguments.sort)
        rows = con.execute(with_values(query, **values)).fetchall()
    if not rows and arguments.format == "table":
        asked = "such run" if where else "run"
        say(f"no {asked} in {Place.of(arguments.results).folder} yet")
        return 0
    more = len(rows) > arguments.limit
    rows = rows[: arguments.limit]
    if arguments.format == "table":
        rows = [(row[0][-SHORT:], *map(short, row[1:])) for row in rows]
    emit(columns, rows, arguments.format)
    if more and arguments.format == "table":
        print(f"the first {arguments.limit} of them; --limit shows more")
    return 0


def _check_metric(con: DuckDBPyConnection, name: str) -> None:
    """Raise WarehouseError unless some run has the metric, or there is none at all."""
    names = [n for (n,) in con.execute("SELECT DISTINCT metric FROM outcomes").fetchall()]
    if names and name not in names:
        raise WarehouseError(
            f"--sort {name!r} is neither {', '.join(ORDERS)} nor a metric; "
            f"{choices(name, [*ORDERS, *names])}"
        )


def _print_groups(arguments: argparse.Namespace, where: list[str], values: dict[str, Any]) -> int:
    """Print how runs did by each value of a param: what they monitor, or the metric of --sort."""
    metric = None if arguments.sort in ORDERS else arguments.sort
    query = f"""
        SELECT
            p.value, o.metric, count(*) AS runs, count(*) FILTER (isfinite(o.value)) AS usable,
            avg(o.value) FILTER (isfinite(o.value)) AS mean,
            stddev_samp(o.value) FILTER (abs(o.value) < 1e150) AS deviation,
            median(o.value) FILTER (isfinite(o.value)) AS median,
            min(o.value) FILTER (isfinite(o.value)) AS min,
            max(o.value) FILTER (isfinite(o.value)) AS max
        FROM (SELECT * FROM leaderboard AS b WHERE {" AND ".join(where) or "true"}) AS b
        JOIN params AS p ON p.run_id = b.run_id AND p.name = $param
        JOIN outcomes AS o ON o.run_id = b.run_id AND o.metric = coalesce($metric, b.monitor)
        GROUP BY p.value, o.metric
        ORDER BY o.metric, CASE any_value(o.mode) WHEN 'max' THEN -mean ELSE mean END NULLS LAST,
            p.value
        LIMIT {arguments.limit}"""
    with connect(arguments.results) as con:
        if metric is not None:
            _check_metric(con, metric)
        names = [n for (n,) in con.execute("SELECT DISTINCT name FROM params").fetchall()]
        if names and arguments.group_by not in names:
            raise WarehouseError(
                f"no run has a param {arguments.group_by!r}; {choices(arguments.group_by, names)}"
            )
        values |= {"param": arguments.group_by, "metric": metric}
        rows = con.execute(with_values(query, **values))
        columns = [arguments.group_by, *(name for name, *_ in rows.description[1:])]
        groups = rows.fetchall()
    if arguments.format == "table":
        groups = [tuple(map(short, row)) for row in groups]
    emit(columns, groups, arguments.format)
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
