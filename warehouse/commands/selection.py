"""Which runs a command is about: by id, of a sweep, by a query, or the best."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.databases import refuse_effects_in
from warehouse.commands import within
from warehouse.lookup import find_run, find_sweep

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection


def add_selection(parser: argparse.ArgumentParser) -> None:
    """The words that choose runs."""
    parser.add_argument("run_ids", metavar="RUN", nargs="*")
    parser.add_argument("--sweep", metavar="ID", help="all runs of this sweep (head or tail)")
    parser.add_argument(
        "--query", metavar="FILE", type=Path, help="an SQL file that gives a column run_id"
    )
    parser.add_argument("--best", metavar="N", type=int, help="the N best runs of all")


def selected(con: DuckDBPyConnection, arguments: argparse.Namespace) -> list[str]:
    """The ids of the runs that the words choose; WarehouseError where they choose in two ways."""
    ways = {
        "RUN": bool(arguments.run_ids),
        "--sweep": arguments.sweep is not None,
        "--query": arguments.query is not None,
        "--best": arguments.best is not None,
    }
    used = [way for way, is_used in ways.items() if is_used]
    if len(used) != 1:
        raise WarehouseError(
            f"choose runs in one way: RUN..., --sweep ID, --query FILE or --best N"
            f"{f'; here are {chr(32).join(used)}' if used else ''}"
        )
    if arguments.run_ids:
        return [find_run(con, text) for text in arguments.run_ids]
    if arguments.sweep is not None:
        sweep = find_sweep(con, arguments.sweep)
        rows = con.execute(
            "SELECT run_id FROM leaderboard WHERE run_id IN (FROM members(?))", [sweep]
        )
    elif arguments.best is not None:
        within("--best", arguments.best, 1, 1_000_000)
        rows = con.execute(
            "SELECT run_id FROM leaderboard WHERE rank IS NOT NULL AND "
            "(monitor, coalesce(dataset, '')) = (SELECT "
            "mode((monitor, coalesce(dataset, ''))) FROM leaderboard) "
            "ORDER BY rank, run_id LIMIT ?",
            [arguments.best],
        )
    else:
        return _queried(con, arguments.query)
    if not (ids := [run_id for (run_id,) in rows.fetchall()]):
        raise WarehouseError(
            f"{' '.join(used)} chooses no run; `python -m warehouse runs` lists them"
        )
    return ids


def _queried(con: DuckDBPyConnection, file: Path) -> list[str]:
    """The column run_id of what the file asks."""
    import duckdb

    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise WarehouseError(f"--query {file} cannot be read ({reason})") from error
    try:
        refuse_effects_in(con, text)
        answer = con.execute(text)
        columns = [column[0] for column in con.description or ()]
        if "run_id" not in columns:
            raise WarehouseError(
                f"--query {file} gives no column run_id; it gives {', '.join(columns) or 'none'}"
            )
        place = columns.index("run_id")
        ids = list(dict.fromkeys(str(row[place]) for row in answer.fetchall()))
    except duckdb.Error as error:
        raise WarehouseError(f"--query {file} does not work: {error}") from error
    if not ids:
        raise WarehouseError(f"--query {file} gives no run")
    return ids
