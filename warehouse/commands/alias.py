"""`alias`: names in use for runs, such as production, and which runs they named before."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.aliases import check_alias, name_runs, named_by
from warehouse.care import entry, record
from warehouse.commands.output import add_format, emit
from warehouse.lookup import SHORT, find_run
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words


def add(words: Words) -> None:
    """The words of the command."""
    parser = words.add_parser(
        "alias",
        help="name the run in use: @production",
        description="Give a run a name of its own, which every command takes as @NAME where it "
        "takes a run; without a run, say which one it names; without a name, list all.",
    )
    parser.add_argument("name", metavar="NAME", nargs="?")
    parser.add_argument("run_id", metavar="RUN", nargs="?")
    does = parser.add_mutually_exclusive_group()
    does.add_argument("--move", action="store_true", help="take the name from the run that has it")
    does.add_argument("--rollback", action="store_true", help="give it back to the run before")
    does.add_argument("--remove", action="store_true", help="take the name away")
    does.add_argument("--history", action="store_true", help="list the runs that have had it")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the words say."""
    place = Place.of(arguments.results)
    name = (arguments.name or "").removeprefix("@")
    changes = arguments.rollback or arguments.remove or arguments.run_id is not None
    if changes:
        check_alias(name)
    if arguments.run_id is not None and (arguments.rollback or arguments.remove):
        raise WarehouseError("--rollback and --remove take no run: give the alias alone")
    with connect(place.folder) as con:
        if not changes:
            view = "alias_history" if arguments.history else "aliases"
            columns, rows = _listed(con, view, name)
            if name and not rows:
                find_run(con, f"@{name}")  # raises, with the names that there are
            emit(columns, rows, arguments.format)
            return 0
        now = named_by(con, name)
        if arguments.run_id is not None:
            wanted = find_run(con, arguments.run_id)
        elif now is None:
            raise WarehouseError(f"there is no alias '{name}' now")
        elif arguments.rollback:
            wanted = _before(con, name, now)
        else:
            wanted = None
    if wanted == now:
        say(f"@{name} is run {str(now)[-SHORT:]} already")
        return 0
    if wanted is None:
        record(place, [entry("unalias", now, name)])
    else:
        name_runs(place, {name: wanted}, move=arguments.move or arguments.rollback)
    was = f", before that run {now[-SHORT:]}" if now else ""
    say(f"@{name} is {f'run {wanted[-SHORT:]}' if wanted else 'no run'} now{was}")
    return 0


def _listed(con: DuckDBPyConnection, view: str, name: str) -> tuple[list[str], list[list[str]]]:
    """The aliases, or all that were: columns, and rows as text."""
    query = f"SELECT * FROM {view} WHERE $1 IN ('', alias) ORDER BY alias, since"
    answer = con.execute(query, [name])
    columns = [column for column, *_ in answer.description]
    rows = [["" if v is None else str(v) for v in row] for row in answer.fetchall()]
    return columns, rows


def _before(con: DuckDBPyConnection, name: str, now: str | None) -> str:
    """The run that had the name before the one that has it now.

    One roll back after the other goes further back: a run that the name was taken from by a
    rollback is passed over.
    """
    runs: list[str] = []
    query = (
        "SELECT run_id FROM alias_history WHERE alias = $1 AND run_id IS NOT NULL ORDER BY since"
    )
    for (run_id,) in con.execute(query, [name]).fetchall():
        if len(runs) > 1 and run_id == runs[-2]:
            runs.pop()
        else:
            runs.append(run_id)
    if len(runs) < 2:
        raise WarehouseError(f"@{name} has named no run before {str(now)[-SHORT:]}")
    return runs[-2]
