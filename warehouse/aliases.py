"""Names in use for runs, such as production: each names one run at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from warehouse.care import entry, record
from warehouse.lookup import SHORT, find_run
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def check_alias(name: str) -> None:
    """Raise WarehouseError for what can be no alias."""
    if not NAME.fullmatch(name):
        raise WarehouseError(
            f"the alias {name!r:.80} is not valid: give up to 64 letters, digits, '.', '_' or '-'"
        )


def named_by(con: DuckDBPyConnection, name: str) -> str | None:
    """The run that an alias names now."""
    row = con.execute("SELECT run_id FROM aliases WHERE alias = $1", [name]).fetchone()
    return None if row is None else str(row[0])


def aliases_of(con: DuckDBPyConnection, runs: Sequence[str]) -> list[tuple[str, str]]:
    """The aliases of some runs, as (alias, run id)."""
    query = "SELECT alias, run_id FROM aliases WHERE run_id IN (SELECT unnest($1::VARCHAR[]))"
    return con.execute(query, [list(runs)]).fetchall()


def name_runs(place: Place, runs: Mapping[str, str], move: bool, how: str = "add --move") -> None:
    """Give aliases to runs: all of them, or none.

    runs: alias -> run id. move: whether they may be taken from the runs that have them.
    how: what allows that, for the sentence that says so.

    Raises WarehouseError for what can be no alias, a run that is deleted or purged, and an alias
    that names another.
    """
    entries = []
    with connect(place.folder) as con:
        for name, run_id in runs.items():
            check_alias(name)
            find_run(con, run_id)  # raises for one that was purged
            now = named_by(con, name)
            if now not in (None, run_id) and not move:
                raise WarehouseError(
                    f"@{name} is run {str(now)[-SHORT:]} already: {how} to give the name to "
                    f"run {run_id[-SHORT:]}"
                )
            if con.execute("SELECT 1 FROM deleted WHERE run_id = $1", [run_id]).fetchone():
                raise WarehouseError(f"run {run_id[-SHORT:]} is deleted: `undelete` it first")
            if now != run_id:
                entries.append(entry("alias", run_id, name))
    if entries:
        record(place, entries)


def in_turn(name: str, runs: list[str]) -> dict[str, str]:
    """An alias for each of the runs: the name itself for one, name-1, name-2, ... for several."""
    if len(runs) == 1:
        return {name: runs[0]}
    return {f"{name}-{number}": run_id for number, run_id in enumerate(runs, 1)}
