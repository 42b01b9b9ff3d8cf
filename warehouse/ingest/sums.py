"""The sum over all rows of a run: made when its journal goes in, and again by `verify`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from runner.system.databases import identifier, literal
from warehouse.database import table_names

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

OF_OTHERS = frozenset(
    {"care", "judgements", "row_sums", "searches", "skipped_runs", "suggestions"}
)
"""Tables whose rows come from other journals than the run's own, and that of the sums."""


def keep_sums(con: DuckDBPyConnection, but: Sequence[str]) -> None:
    """Put down the sums of the runs in `fresh`, which have just gone in.

    but: runs that went in without their predictions: `verify` is to compare those.
    """
    con.execute(
        f"INSERT INTO row_sums SELECT run_id, rows, sum, version() "
        f"FROM ({_sums(con, 'SEMI JOIN fresh USING (run_id)')}) "
        "WHERE NOT list_contains($1::VARCHAR[], run_id)",
        [but],
    )


def unchanged(con: DuckDBPyConnection) -> dict[str, str]:
    """The runs whose rows are those that went in: run -> sha256 of the journal they came from."""
    rows = con.execute(
        "SELECT r.run_id, any_value(r.journal_sha256) FROM runs AS r "
        f"JOIN row_sums AS k USING (run_id) JOIN ({_sums(con)}) AS s USING (run_id) "
        "WHERE k.duckdb = version() "
        "GROUP BY r.run_id HAVING count(*) = 1 AND bool_and((k.rows, k.sum) = (s.rows, s.sum))"
    ).fetchall()
    return dict(rows)


def _sums(con: DuckDBPyConnection, narrowed: str = "") -> str:
    """The query for run_id, rows and sum."""
    columns = con.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' "
        "AND database_name = current_database() AND column_name IN ('run_id', 'judgement_id')"
    ).fetchall()
    parts = []
    for table in table_names():
        if table in OF_OTHERS or (table, "run_id") not in columns:
            continue
        of_run = "WHERE judgement_id IS NULL" if (table, "judgement_id") in columns else ""
        parts.append(
            f"SELECT run_id, count(*) AS rows, sum(hash({literal(table)}, t)) AS sum "
            f"FROM {identifier(table)} AS t {narrowed} {of_run} GROUP BY run_id"
        )
    return (
        "SELECT run_id, sum(rows)::BIGINT AS rows, sum(sum)::HUGEINT AS sum "
        f"FROM ({' UNION ALL '.join(parts)}) GROUP BY run_id"
    )
