"""The rows of a look as a temporary table, and what is counted over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner.data.look.held import LOOKED_AT, ColumnLook, TableLook
from runner.data.sources.column import Column
from runner.data.sources.query import Query
from runner.errors import DataError
from runner.system.databases import identifier

ROWS = 2_000_000
"""More rows are not looked at."""
FEW = 1000
"""So many different values are counted one by one."""
MIXED = 0.9
"""From this share of numbers on, other text in a column is taken for a mistake, as in training."""
ODD_WORDS = 20
"""More different ones are no words for a missing value."""
QUARTILES = 100_000
"""About so many rows tell where the middle half of the numbers lies."""
SHOWN = 3
"""Rows that are shown."""


def copy_rows(look: TableLook, query: Query) -> None:
    """The rows as a temporary table of columns c0, c1, …; what is missing in them is NULL."""
    values = []
    for i, column in enumerate(query.columns):
        value = identifier(column.name)
        if column.family in ("text", "float"):
            cast = f"{value}::VARCHAR" if column.family == "text" else value
            value = f"CASE WHEN NOT {column.is_missing} THEN {cast} END"
        values.append(f"{value} AS c{i}")
        kind = "VARCHAR" if column.family == "text" else column.type
        look.columns.append(ColumnLook(column.name, Column(f"c{i}", kind)))
    look.con.execute(
        f"CREATE OR REPLACE TEMP TABLE {LOOKED_AT} AS SELECT {', '.join(values)} "
        f"FROM (\n{query.text}\n) LIMIT {ROWS}"
    )
    [(rows,)] = look.ask(f"SELECT count(*) FROM {LOOKED_AT}")
    if not rows:
        raise DataError(f"{look.source.text} gives no rows: look at the source, or at --query")
    look.rows, look.more = rows, rows == ROWS
    texts = ", ".join(f"left({c.column.name}::VARCHAR, 30)" for c in look.columns)
    look.first = look.ask(f"SELECT {texts} FROM {LOOKED_AT} LIMIT {SHOWN}")


def odd_words(look: TableLook, params: Mapping[str, Any]) -> list[str]:
    """The words in columns that else hold numbers alone: such columns are refused in training."""
    texts = [c for c in look.columns if c.family == "text" and c.name != look.label]
    words: list[str] = []
    if not texts:
        return words
    asked = [f"count({c.column.name}), count(TRY_CAST({c.column.name} AS DOUBLE))" for c in texts]
    [row] = look.ask(f"SELECT {', '.join(asked)} FROM {LOOKED_AT}")
    for column, present, numbers in zip(texts, row[::2], row[1::2], strict=True):
        if not MIXED * present <= numbers < present:
            continue
        name = column.column.name
        odd = look.ask(
            f"SELECT DISTINCT {name} FROM {LOOKED_AT} WHERE {name} IS NOT NULL AND "
            f"TRY_CAST({name} AS DOUBLE) IS NULL ORDER BY ALL LIMIT {ODD_WORDS + 1}"
        )
        if len(odd) <= ODD_WORDS:
            words += [word.strip() for (word,) in odd]
    return [word for word in dict.fromkeys(words) if word not in params.get("missing", ())]


def count_all(look: TableLook) -> None:
    """Note what every column holds."""
    every = 1 + look.rows // QUARTILES
    for first in range(0, len(look.columns), 100):
        some = look.columns[first : first + 100]
        asked = [one for column in some for one in _aggregates(column, every)]
        [row] = look.ask(f"SELECT {', '.join(asked)} FROM {LOOKED_AT}")
        values = list(row)
        for column in some:
            width = len(_aggregates(column, every))
            _note(look, column, values[:width])
            del values[:width]
    exact = [
        c
        for c in look.columns
        if c.distinct is not None and (c.distinct <= FEW or _is_counted(c, look.rows - c.missing))
    ]
    for column in exact:
        [(count,)] = look.ask(f"SELECT count(DISTINCT {column.column.name}) FROM {LOOKED_AT}")
        column.distinct = count
        few = count <= FEW if column.family in ("text", "boolean") else count <= 12
        if few or column.name == look.label:
            name = column.column.name
            column.common = look.ask(
                f"SELECT {name}::VARCHAR, count(*) FROM {LOOKED_AT} WHERE {name} IS NOT NULL "
                "GROUP BY ALL ORDER BY 2 DESC, 1 LIMIT 1001"
            )


def _is_counted(column: ColumnLook, present: int) -> bool:
    """Whether it matters if really every row has a value of its own, or counting is quick."""
    if present <= QUARTILES:
        return True
    return column.family in ("integer", "text") and (column.distinct or 0) > 0.8 * present


def _aggregates(column: ColumnLook, every: int) -> list[str]:
    """What is asked about a column; quartiles of some rows."""
    name, family = column.column.name, column.family
    if family == "other":
        return [f"count({name})"]
    asked = [
        f"count({name})",
        f"approx_count_distinct({name})",
        f"min({name})::VARCHAR",
        f"max({name})::VARCHAR",
    ]
    if family in ("integer", "float"):
        number = f"{name}::DOUBLE"
        finite = f"CASE WHEN isfinite({number}) THEN {number} END"
        asked += [
            f"approx_quantile({finite}, [0.25, 0.75]) FILTER (WHERE rowid % {every} = 0)",
            f"count(*) FILTER (WHERE isinf({number}))",
        ]
    elif family == "text":
        asked += [f"avg(length({name}) - length(replace({name}, ' ', '')))"]
    return asked


def _note(look: TableLook, column: ColumnLook, values: Sequence[Any]) -> None:
    column.missing = look.rows - int(values[0])
    if column.family == "other":
        return
    _, distinct, column.low, column.high, *rest = values
    column.distinct = int(distinct)
    if column.family in ("integer", "float"):
        quartiles, infinite = rest
        column.quartiles = tuple(quartiles) if quartiles and None not in quartiles else None
        column.infinite = int(infinite or 0)
    elif column.family == "text":
        column.words = float(rest[0] or 0)
