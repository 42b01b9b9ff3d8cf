"""Runs of ours as files of tables: of runs, of params, and so on, for any other program."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from runner.system.databases import CLOSED, identifier, literal, shut

TABLES = {
    "runs": "run_id",
    "params": "run_id, name",
    "epochs": "run_id, epoch",
    "metrics": "run_id, epoch, split, name",
    "evaluations": "run_id, judgement_id NULLS FIRST, split, name",
}
"""What is written, and the order of its rows."""
FORMS = {"parquet": "FORMAT parquet, COMPRESSION zstd", "csv": "FORMAT csv, HEADER"}


def write(database: Path, run_ids: Sequence[str], folder: Path, form: str) -> dict[str, int]:
    """Write the rows of the runs, a file a table; how many rows each has.

    database: a snapshot. folder: is there, and is empty. form: "parquet" or "csv".
    """
    import duckdb

    rows: dict[str, int] = {}
    with duckdb.connect(config=CLOSED) as con:
        con.execute(f"ATTACH {literal(str(database))} AS ours (READ_ONLY)")
        con.execute("CREATE TEMP TABLE chosen (run_id VARCHAR)")
        con.execute("INSERT INTO chosen SELECT unnest(?::VARCHAR[])", [list(run_ids)])
        con.execute("SET TimeZone = 'UTC'")
        shut(con, folders=[folder])
        for table, order in TABLES.items():
            file = literal(str(folder / f"{table}.{form}"))
            select = (
                f"SELECT * FROM ours.main.{identifier(table)} SEMI JOIN chosen USING (run_id) "
                f"ORDER BY {order}"
            )
            count = con.execute(f"COPY ({select}) TO {file} ({FORMS[form]})").fetchone()
            rows[table] = count[0] if count else 0
    return rows
