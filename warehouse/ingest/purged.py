"""Runs that are gone for good: what takes their rows away, and keeps them from coming back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.journal.records import KINDS
from runner.system.databases import identifier
from warehouse.database import table_names

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEPT = ("purge", "alias", "unalias")
"""What stays of the care of such a run: that it is purged, and which names it had."""


def purged_runs(con: DuckDBPyConnection) -> set[str]:
    """The runs that are purged."""
    rows = con.execute("SELECT DISTINCT run_id FROM care WHERE action = 'purge'").fetchall()
    return {run_id for (run_id,) in rows}


def remove_rows(con: DuckDBPyConnection, runs: Sequence[str]) -> None:
    """Delete all rows of the runs, of every table; of care those that are not KEPT."""
    having = con.execute(
        "SELECT table_name FROM duckdb_columns() WHERE schema_name = 'main' "
        "AND database_name = current_database() AND column_name = 'run_id'"
    ).fetchall()
    for (table,) in having:
        if table in table_names():
            _remove(con, table, runs)


def remove_staged(con: DuckDBPyConnection, runs: Sequence[str]) -> None:
    """The same for what is staged of them, such as a journal that was left behind."""
    for kind in ("journal", "prediction", *KINDS):
        if kind == "skipped_runs":
            # Its lists name runs side by side with their jobs.
            con.execute(
                "UPDATE staged_skipped_runs SET "
                "job = [j FOR j, i IN job IF NOT list_contains($1, run_id[i])], "
                "run_id = list_filter(run_id, lambda r: NOT list_contains($1, r)) "
                "WHERE len(job) = len(run_id)",
                [list(runs)],
            )
        elif "run_id" in {row[0] for row in con.execute(f"DESCRIBE staged_{kind}").fetchall()}:
            _remove(con, f"staged_{kind}", runs)


def _remove(con: DuckDBPyConnection, table: str, runs: Sequence[str]) -> None:
    but = " AND action NOT IN (SELECT unnest($2::VARCHAR[]))" if table.endswith("care") else ""
    con.execute(
        f"DELETE FROM {identifier(table)} WHERE run_id IN (SELECT unnest($1::VARCHAR[])){but}",
        [list(runs), *([list(KEPT)] if but else [])],
    )
