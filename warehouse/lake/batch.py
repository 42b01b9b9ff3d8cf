"""A batch on its way into a lake: what it asks of it, and the rows that it makes.

The lake's own rows that a batch asks about are laid beside it into tables in memory, so that the
same SQL as in a file decides what is new.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING

from runner.journal.records import Artifact, Dataset, EvaluationAdded
from runner.system.databases import literal
from warehouse.database import transaction
from warehouse.ingest.batch import OUTLIVE
from warehouse.ingest.sift import ReadJournal
from warehouse.lake.opening import NAME
from warehouse.lake.schema import Table, described

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HERE = "memory"
"""The database in memory."""
BY_ENTRY = ("searches", "skipped_runs", "suggestions", "care")
"""Tables whose rows are known by the entry that they come from."""
Conditions = dict[str, str]
"""Table -> what the rows of the lake fulfil that a batch asks about."""


def tables() -> list[Table]:
    """The tables that journals fill."""
    return [table for table in described() if table.name != "migrations"]


def asked(journals: Iterable[ReadJournal]) -> Conditions:
    """Table -> the condition for the rows of the lake that the batch asks about."""
    runs, entries, identities, uris = set(), set(), set(), set()
    for journal, reading in journals:
        runs.add(journal.run_id)
        for kind, fields, _ in reading.rows:
            if kind == Dataset.record:
                identities.add(fields["identity"])
                runs.add(fields["run_id"])
            elif kind == Artifact.record and fields["kind"] == "predictions":
                uris.add(fields["uri"])
            elif kind == EvaluationAdded.record or "entry_id" in fields:
                entries.add(fields["entry_id"])
    conditions = {
        "runs": among("run_id", runs),
        "judgements": among("judgement_id", entries),
        "datasets": among("identity", identities),
        "dataset_columns": among("identity", identities),
        **{table: among("entry_id", entries) for table in BY_ENTRY},
    }
    collected = f" OR (action = 'collect' AND {among('text', uris)})" if uris else ""
    conditions["care"] = f"action = 'purge' OR {conditions['care'] or 'false'}{collected}"
    return {table: condition for table, condition in conditions.items() if condition}


def among(column: str, values: Iterable[str]) -> str:
    """The condition that a column is one of some values; empty where there are none."""
    listed = ", ".join(map(literal, sorted(values)))
    return f"{column} IN ({listed})" if listed else ""


def lay(con: DuckDBPyConnection, conditions: Conditions) -> list[tuple[object, ...]]:
    """Empty the tables in memory, and lay the lake's rows there that are asked about."""
    for each in tables():
        con.execute(f"DELETE FROM {HERE}.main.{each.name}")
    with transaction(con):
        for table, condition in conditions.items():
            con.execute(
                f"CREATE OR REPLACE TEMP TABLE {_laid(table)} AS "
                f"FROM {NAME}.main.{table} WHERE {condition}"
            )
    for table in conditions:
        con.execute(f"INSERT INTO {HERE}.main.{table} BY NAME FROM {_laid(table)}")
    return [_sum(con, f"FROM {_laid(table)} AS t") for table in conditions]


def _laid(table: str) -> str:
    return f"laid_{table}"


def sums(con: DuckDBPyConnection, conditions: Conditions) -> list[tuple[object, ...]]:
    """What the rows that are asked about add up to now."""
    with transaction(con):
        return [
            _sum(con, f"FROM {NAME}.main.{table} AS t WHERE {condition}")
            for table, condition in conditions.items()
        ]


def _sum(con: DuckDBPyConnection, rows: str) -> tuple[object, ...]:
    return con.execute(f"SELECT count(*), sum(hash(t)) {rows}").fetchall()[0]


def replaced(con: DuckDBPyConnection, new: Sequence[str]) -> list[str]:
    """The runs that are in the lake, and now come with longer journals."""
    rows = con.execute(f"SELECT run_id FROM {_laid('runs')}").fetchall()
    return sorted({run_id for (run_id,) in rows} & set(new))


def of_run(table: Table, runs: Collection[str]) -> str:
    """The condition for the rows that go where runs are replaced; empty where none do.

    A later judgement has a journal of its own, and stays.
    """
    if not runs or table.name in OUTLIVE or not table.has("run_id"):
        return ""
    return among("run_id", runs) + " AND judgement_id IS NULL" * table.has("judgement_id")


def add(con: DuckDBPyConnection, table: str, schema: str, *, is_laid: bool) -> None:
    """Add the rows of one table that did not come from the lake to the same one in a schema.

    is_laid: whether rows of the lake lie among them.
    """
    target = f"{schema}.{table}"
    rows = f"FROM {HERE}.main.{table}"
    if is_laid and table in ("datasets", "dataset_columns"):
        if not (changed := among("identity", _changed(con))):
            return
        if schema.startswith(NAME):
            con.execute(f"DELETE FROM {target} WHERE {changed}")
        rows += f" WHERE {changed}"
    elif is_laid:
        rows += f" EXCEPT ALL FROM {_laid(table)}"
    if con.execute(f"SELECT 1 FROM ({rows}) LIMIT 1").fetchall():
        con.execute(f"INSERT INTO {target} BY NAME {rows}")


def _changed(con: DuckDBPyConnection) -> list[str]:
    """The datasets that another run has told of first."""
    rows = con.execute(
        f"SELECT identity FROM (SELECT identity, first_seen, run_id FROM {HERE}.main.datasets "
        f"EXCEPT SELECT identity, first_seen, run_id FROM {_laid('datasets')})"
    ).fetchall()
    return [identity for (identity,) in rows]
