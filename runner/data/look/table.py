"""A table as a run would read it: the options that it needs are found, then all is counted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runner.data.sources.column import Column
from runner.data.sources.columns import is_date
from runner.data.sources.database import Database
from runner.data.sources.dialect import likely_encoding
from runner.data.sources.query import Query, read_query
from runner.data.sources.reading import Dialect, Options
from runner.data.sources.source import RowSource, Wording, find_source
from runner.data.sources.typed import Found
from runner.errors import DataError
from runner.system.databases import identifier

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOKED_AT = "sweephouse_looked"
ROWS = 2_000_000
"""More rows are not looked at."""
LABELS = ("label", "target", "y", "class", "klasse", "outcome", "zielgröße", "ziel")
"""What people call the column that is to be predicted."""
TRIES = 5
"""How often a table is read again with what was found out of it."""
FIRST = 1000
"""Rows whose order tells how dates are written."""
MIXED = 0.9
"""From this share of numbers on, other text in a column is taken for a mistake, as in training."""
ODD_WORDS = 20
"""More different ones are no words for a missing value."""
QUARTILES = 100_000
"""About so many rows tell where the middle half of the numbers lies."""
SHOWN = 3
"""Rows that are shown."""
WORDING = Wording(source="", query="--query ")


@dataclass
class ColumnLook:
    """What one column holds."""

    name: str
    column: Column
    """As it is called in the table that is looked at."""
    missing: int = 0
    distinct: int | None = None
    low: str | None = None
    high: str | None = None
    quartiles: tuple[float, float] | None = None
    infinite: int = 0
    words: float = 0.0
    """Of text: blanks in a value, on average."""
    common: list[tuple[str, int]] = field(default_factory=list)
    """The most frequent values, where there are few."""

    @property
    def family(self) -> str:
        """What kind of values it holds."""
        return self.column.family


@dataclass
class TableLook:
    """A table, as it is read with these options."""

    source: RowSource
    query: str | None
    params: dict[str, Any]
    """The options of the dataset that read it, those that were given among them."""
    label: str
    guessed: bool
    """Whether nobody has named the label."""
    notes: list[str]
    """What was found out about how it is written."""
    con: DuckDBPyConnection
    """Holds the rows, as the table LOOKED_AT."""
    dialect: Dialect | None
    """Of CSV files."""
    rows: int = 0
    """How many were looked at."""
    more: bool = False
    """Whether there are more than these."""
    columns: list[ColumnLook] = field(default_factory=list)
    first: list[tuple[str | None, ...]] = field(default_factory=list)
    """The first rows, as text."""

    def column(self, name: str) -> ColumnLook:
        """The column of that name."""
        return next(column for column in self.columns if column.name == name)

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows that the SQL gives."""
        return self.con.execute(sql).fetchall()


@contextmanager
def looked_at(
    text: str, query: str | None, label: str | None, given: Mapping[str, Any]
) -> Iterator[TableLook]:
    """The table, as it is read with what is given and with what it seems to need.

    Raises DataError where it cannot be read, and for a label that it has not.
    """
    params, notes = dict(given), []
    source = find_source(
        text,
        delimiter=params.get("delimiter"),
        secret=params.get("secret"),
        wording=WORDING,
        otherwise="csv",
    )
    given_none = source.kind == "csv" and params.get("encoding") is None
    if given_none and (encoding := likely_encoding(source.files[0])):
        params["encoding"] = encoding
        notes.append(f"it is no UTF-8 and read as {encoding}; dataset.encoding= says otherwise")
    guessed = label is None
    for tries in reversed(range(TRIES)):
        with _opened(source, query, params, label) as (database, read, lines):
            if label is None:
                label = _guessed_label(database, read)
                if read.column(label, "--label").family == "boolean":
                    continue  # read again with its own words: Yes, not true
            label = read.column(label, "--label").name
            changed, others = _with_what_it_needs(database, read, params, notes)
            if changed != params and tries:
                params = changed
                continue
            with database.cursor() as cursor:
                dialect = database.files.reading.dialect if database.files else None
                look = TableLook(source, query, params, label, guessed, notes, cursor, dialect)
                _copy(look, read)
                words = _odd_words(look, params) if tries else []
                if words:
                    params = params | {"missing": [*params.get("missing", ()), *words]}
                    listed = ", ".join(map(repr, words[:5])) + ", …" * (len(words) > 5)
                    notes.append(f"{listed} in columns of numbers is read as missing")
                    continue
                _count(look)
                notes += lines + ([read.found.about] if read.found.about else [])
                notes += [_in_doubt(name, read.found) for name in others]
                notes += [t for n, t in read.found.remarks.items() if n not in others]
                look.notes = list(dict.fromkeys(notes))
                yield look
                return


def _with_what_it_needs(
    database: Database, query: Query, params: dict[str, Any], notes: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The params with the options that the columns seem to need; the columns that need others."""
    found = query.found
    more, others = found.merged([column.name for column in query.columns], params)
    changed = more | _dates(database, query, found, more, notes)
    if changed != params:
        notes += [
            f"'{name}' holds {text}" for name, text in found.alike.items() if name not in others
        ]
    return changed, others


def _in_doubt(name: str, found: Found) -> str:
    return (
        f"'{name}' holds {found.alike[name]}, written otherwise than another column: it stays "
        "text, unless --query computes a number from it"
    )


@contextmanager
def _opened(
    source: RowSource, query: str | None, params: Mapping[str, Any], label: str | None
) -> Iterator[tuple[Database, Query, list[str]]]:
    """The source and its query, read with the params, and what was said meanwhile."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        database = Database(
            source,
            options=Options.of(params),
            names=[label] if label and not query else [],
            labels=[label] if label and params.get("task") != "regression" else [],
        )
        try:
            read = read_query(database, query)
        except BaseException:
            database.close()
            raise
    try:
        yield database, read, [str(one.message) for one in caught]
    finally:
        database.close()


def _guessed_label(database: Database, query: Query) -> str:
    """A column that is called as labels are, or the last one that may be one."""
    if len(query.columns) < 2:
        raise DataError(
            f"{database.source.text} has one column, '{query.columns[0].name}': a table needs a "
            "label and something to learn it from; if it has more, say dataset.delimiter="
        )
    for wanted in LABELS:
        for column in query.columns:
            if column.name.strip().lower() == wanted:
                return column.name
    usable = [c for c in query.columns if c.family not in ("date", "other")] or query.columns
    named = [identifier(column.name) for column in usable]
    several = ", ".join(f"coalesce(min({n}) <> max({n}), false)" for n in named)
    [row] = database.ask(f"SELECT {several} FROM (FROM (\n{query.text}\n) LIMIT {FIRST})")
    vary = [column.name for column, varies in zip(usable, row, strict=True) if varies]
    return vary[-1] if vary else usable[-1].name


def _dates(
    database: Database, query: Query, found: Found, params: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The option that reads dates in which the day may be the month, as it seems to be."""
    chosen: list[str] = []
    european = params.get("decimal") == "," or any(
        (read.format or "").startswith("%d") for read in found.columns.values()
    )
    american = any((read.format or "").startswith("%m") for read in found.columns.values())
    for name, formats in found.formats.items():
        rows = database.ask(
            f"SELECT {identifier(name)} FROM (\n{query.text}\n) "
            f"WHERE trim({identifier(name)}) <> '' LIMIT {FIRST}"
        )
        texts = [text for (text,) in rows]
        sorted_by = [form for form in formats if _is_sorted(texts, form)]
        form, why = formats[0], "a guess"
        if len(sorted_by) == 1:
            form, why = sorted_by[0], "by which the rows are in the order of time"
        elif american and not european:
            form = next((f for f in formats if f.startswith("%m")), form)
            why = "as in another column"
        elif european:
            why = "a guess by the rest of the table"
        other = next(f for f in formats if f != form)
        notes.append(
            f"in '{name}' the day cannot be told from the month ({texts[0]}): read as {form}, "
            f"{why}; {other} is the other way, by dataset.time_format="
        )
        chosen.append(form)
    before = params.get("time_format") or []
    before = [before] if isinstance(before, str) else list(before)
    formats_ = list(dict.fromkeys([*before, *chosen]))
    return {"time_format": formats_} if chosen else {}


def _is_sorted(texts: Sequence[str], form: str) -> bool:
    if not all(is_date(text, form) for text in texts):
        return False
    times = [datetime.strptime(text.strip(), form) for text in texts]
    ups = [after >= before for before, after in pairwise(times)]
    return len(set(times)) > 2 and (all(ups) or not any(ups))


# --- Counting ------------------------------------------------------------------------------------


def _copy(look: TableLook, query: Query) -> None:
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


def _odd_words(look: TableLook, params: Mapping[str, Any]) -> list[str]:
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


def _count(look: TableLook) -> None:
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
        if c.distinct is not None
        and (c.distinct <= FIRST or _is_counted(c, look.rows - c.missing))
    ]
    for column in exact:
        [(count,)] = look.ask(f"SELECT count(DISTINCT {column.column.name}) FROM {LOOKED_AT}")
        column.distinct = count
        few = count <= FIRST if column.family in ("text", "boolean") else count <= 12
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
