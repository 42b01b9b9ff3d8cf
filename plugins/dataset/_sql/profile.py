"""What the columns of a query hold: counted by DuckDB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runner import Column, ColumnProfile, Database, Profile, Query, identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

FEW_CLASSES = 1000
AT_ONCE = 100
"""Columns that one statement asks about: its cost grows with their square. What has more is copied
into a temporary table first, so that the source is still read once."""
COPY = "sweephouse_profiled"


def profile_of_query(
    database: Database, query: Query, label: list[str], text: str | None
) -> Profile:
    """Rows, and of every column type, missing values, distinct values, range and quartiles.

    text: the query as the config has it.
    """
    labels = [query.column(one, "dataset.label") for one in label]
    classes = {}
    with database.cursor() as cursor:
        rows, columns = _look(cursor, query)
        if len(labels) == 1 and labels[0].family != "float":
            counted = cursor.execute(
                f"SELECT {identifier(labels[0].name)}::VARCHAR, count(*) "
                f"FROM (\n{query.text}\n) GROUP BY ALL ORDER BY ALL LIMIT {FEW_CLASSES + 1}"
            ).fetchall()
            if len(counted) <= FEW_CLASSES:
                classes = {str(value): int(count) for value, count in counted}
    return Profile(
        rows=rows,
        columns=tuple(columns),
        source=database.source.text,
        query=text,
        label=tuple(column.name for column in labels),
        classes=classes,
    )


def _look(cursor: DuckDBPyConnection, query: Query) -> tuple[int, list[ColumnProfile]]:
    """How many rows there are, and what each column holds."""
    rows, columns, table = 0, [], f"(\n{query.text}\n)"
    if len(query.columns) > AT_ONCE:
        cursor.execute(f"CREATE TEMP TABLE {COPY} AS FROM {table}")
        table = f"temp.{COPY}"
    for some in _batched(query.columns):
        asked = ["count(*)", *(one for column in some for one in _statistics(column))]
        row = cursor.execute(f"SELECT {', '.join(asked)} FROM {table}").fetchone()
        assert row is not None
        rows, values = int(row[0]), list(row[1:])
        for column in some:
            width = len(_statistics(column))
            columns.append(_column(column, rows, values[:width]))
            del values[:width]
    if table == f"temp.{COPY}":
        cursor.execute(f"DROP TABLE {table}")
    return rows, columns


def _batched(columns: Sequence[Column]) -> Iterator[Sequence[Column]]:
    """The columns, so many at once; none, once."""
    for first in range(0, max(1, len(columns)), AT_ONCE):
        yield columns[first : first + AT_ONCE]


def _statistics(column: Column) -> list[str]:
    """The aggregates of a column; quartiles and moments where there are numbers."""
    named = identifier(column.name)
    aggregates = [f"count({named})"]
    if column.family == "other":
        return aggregates
    aggregates += [
        f"approx_count_distinct({named})",
        f"min({named})::VARCHAR",
        f"max({named})::VARCHAR",
    ]
    if column.family in ("integer", "float"):
        number = f"{named}::DOUBLE"
        finite = f"CASE WHEN isfinite({number}) THEN {number} END"
        aggregates += [f"avg({finite})", f"stddev_pop({finite})"]
        aggregates += [f"approx_quantile({finite}, {share})" for share in (0.25, 0.5, 0.75)]
    return aggregates


def _column(column: Column, rows: int, values: list[Any]) -> ColumnProfile:
    present, *rest = values
    missing = rows - int(present)
    if not rest:
        return ColumnProfile(column.name, column.type, missing)
    distinct, low, high, *numbers = rest
    mean, std, q25, q50, q75 = numbers or [None] * 5
    # The count is an estimate; whether there is one value only is known.
    distinct = min(int(present), 1 if low == high else max(2, int(distinct)))
    return ColumnProfile(
        column.name, column.type, missing, distinct, low, high, mean, std, q25, q50, q75
    )
