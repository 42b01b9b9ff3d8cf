"""A scan before rows are read: which lack what they need, which numbers float32 would change."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from runner import Column, Database, DataError, MissingLabel, Query

from .rows import Layout

FIRST = 5
"""Rows that a sentence names."""
EXACT = 2**53
"""Whole numbers beyond it are not all told apart, even as float64."""
LARGEST = 3e38
"""What is larger is no float32 at all."""
FINE = 1024
"""Numbers that lie so much closer together than they are large are float64."""


def counted(
    database: Database, query: Query, layout: Layout, missing: MissingLabel
) -> tuple[Layout, int]:
    """The layout for these rows, and how many the query has.

    Raises DataError where a row has no label, no key or no weight and is not to be left out.
    """
    needed = list(layout.needed.values())
    lacking = " OR ".join(f"coalesce({column.is_missing}, true)" for column in needed)
    asked = ["count(*)", f"count(*) FILTER (WHERE {lacking})"]
    asked += [f"count(*) FILTER (WHERE {column.is_missing})" for column in needed]
    numbers = [column for column in layout.features if column.family != "text"]
    asked += [aggregate for column in numbers for aggregate in _range(column)]
    [row] = database.ask(f"SELECT {', '.join(asked)} FROM (\n{query.text}\n)")
    rows, without = int(row[0]), int(row[1])
    if without and missing == "refuse":
        raise DataError(_refused(database, query, layout, row[2 : 2 + len(needed)], rows))
    if without:
        warnings.warn(
            f"{without} of {rows} rows are left out, for they lack " + " or ".join(layout.needed),
            stacklevel=2,
        )
    wide = []
    for i, column in enumerate(numbers):
        low, high, changes, fine = row[2 + len(needed) + 4 * i : 6 + len(needed) + 4 * i]
        if _is_wide(column, low, high, changes, fine):
            wide.append(column.name)
    if wide and layout.numeric:
        # One array has one type: else the others would be float32 there, and float64 in new rows.
        wide = [column.name for column in numbers]
    if database.known is not None and database.known.features:
        # New rows have the types that the model was trained on.
        wide = [column.name for column in numbers if column.name in database.known.wide]
    return replace(layout, wide=frozenset(wide), complete=bool(without)), rows


def _range(column: Column) -> list[str]:
    """The aggregates that tell whether float32 would change what the numbers mean."""
    number = f"({column.value}::DOUBLE)"
    finite = f"CASE WHEN isfinite({number}) THEN {number} END"
    changed = f"CASE WHEN abs({finite}) < {LARGEST} THEN ({number})::FLOAT::DOUBLE <> {number} END"
    whole = f"CASE WHEN isfinite({number}) THEN trunc({number}) = {number} END"
    return [f"min({finite})", f"max({finite})", f"bool_or({changed})", f"bool_and({whole})"]


def _is_wide(column: Column, low: Any, high: Any, changes: bool | None, whole: bool) -> bool:
    if low is None:
        return False
    largest = max(abs(low), abs(high))
    if column.family == "integer" and largest > EXACT:
        warnings.warn(
            f"the column '{column.name}' holds whole numbers beyond 2^53, some of which become "
            "one: leave it out by dataset.features, or read it as text in dataset.query",
            stacklevel=3,
        )
    exact = whole or column.family in ("integer", "date")
    return bool(changes) and largest < LARGEST and (exact or largest > FINE * (high - low))


def _refused(
    database: Database, query: Query, layout: Layout, missing: tuple[int, ...], rows: int
) -> str:
    """A sentence about the first column that rows lack, and which rows those are."""
    [name, column], count = next(
        (pair, int(n)) for pair, n in zip(layout.needed.items(), missing, strict=True) if n
    )
    numbered = f"SELECT row_number() OVER () AS n, * FROM (\n{query.text}\n)"
    found = database.ask(
        f"SELECT n FROM ({numbered}) WHERE {column.is_missing} ORDER BY n LIMIT {FIRST}"
    )
    first = ", ".join(str(n) for (n,) in found)
    more = ", …" if count > len(found) else ""
    places = f"row {first}" if count == 1 else f"rows {first}{more}"
    return (
        f"{name} is missing in {count} rows of {rows} ({places}, counted from 1): fill them, say "
        f"dataset.missing_label=drop, or write WHERE {column.name} IS NOT NULL in dataset.query"
    )
