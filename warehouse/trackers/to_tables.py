"""Runs of ours as files of tables: of runs, of params, and so on, for any other program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.system.databases import CLOSED, identifier, literal, shut

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TABLES = {
    "runs": "run_id",
    "params": "run_id, name",
    "epochs": "run_id, epoch",
    "metrics": "run_id, epoch, split, name",
    "evaluations": "run_id, judgement_id NULLS FIRST, split, name",
}
"""What is written, and the order of its rows."""
FORMS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}


def write(
    attach: Callable[[DuckDBPyConnection], Sequence[str]],
    run_ids: Sequence[str],
    folder: Path,
    form: str,
) -> dict[str, int]:
    """Write the rows of the runs, a file a table; how many rows each has.

    attach: attaches a snapshot as `warehouse`, and says which folders it needs.
    folder: is there, and is empty. form: "parquet" or "csv".
    """
    import duckdb

    rows: dict[str, int] = {}
    with duckdb.connect(config=CLOSED) as con:
        needed = attach(con)
        con.execute("CREATE TEMP TABLE chosen (run_id VARCHAR)")
        con.execute("INSERT INTO chosen SELECT unnest(?::VARCHAR[])", [list(run_ids)])
        con.execute("SET TimeZone = 'UTC'")
        shut(con, folders=[folder, *needed])
        for table, order in TABLES.items():
            file = literal(str(folder / f"{table}.{form}"))
            select = (
                f"SELECT * FROM warehouse.main.{identifier(table)} "
                f"SEMI JOIN chosen USING (run_id) ORDER BY {order}"
            )
            count = con.execute(f"COPY ({select}) TO {file} ({FORMS[form]})").fetchone()
            rows[table] = count[0] if count else 0
    return rows
