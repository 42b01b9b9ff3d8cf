"""The rows of a query as arrays: which columns, in which types, whole or block by block."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runner import (
    Column,
    Database,
    DataError,
    Query,
    as_one_file,
    identifier,
    is_number,
    literal,
    scan,
)

Array = np.ndarray[Any, Any]
Text = Literal["strings", "codes"]
BLOCK = 65_536
"""Rows that are read at once from what has no blocks of its own."""
SPAN = 30_720
"""Rows of a range, which are read by themselves and in any order: a quarter of DuckDB's row group,
so that a window mixes several. Smaller ones would cost more to find than to read."""
MOST_FAULTS = 6
"""Columns that an error names."""
MIXED = 0.9
"""From this share of numbers on, other text in a column is taken for a mistake."""


@dataclass(frozen=True)
class Layout:
    """Which columns of the query are what."""

    features: tuple[Column, ...]
    labels: tuple[Column, ...]
    key: Column | None
    """The column that `split.by` names."""
    text: Text
    weight: Column | None = None
    """The column that says how much a row counts."""
    wide: frozenset[str] = frozenset()
    """Features that float32 would change, and that are float64 for that."""
    complete: bool = False
    """Whether rows without a label, a key or a weight are left out."""

    @property
    def numeric(self) -> bool:
        """Whether all features are numbers, and so one array."""
        return all(column.family != "text" for column in self.features)

    @property
    def row_bytes(self) -> int:
        """About how much a row takes in memory; a text for 64 bytes."""
        number = 8 if self.wide else 4
        return sum(64 if c.family == "text" else number for c in (*self.features, *self.labels))

    @property
    def needed(self) -> dict[str, Column]:
        """The columns that every row needs a value in, by what a sentence calls them."""
        needed = {f"the label '{column.name}'": column for column in self.labels}
        if self.key is not None:
            needed[f"'{self.key.name}', by which split.by divides,"] = self.key
        if self.weight is not None:
            needed[f"the weight '{self.weight.name}'"] = self.weight
        return needed

    @property
    def names(self) -> tuple[str, ...]:
        """What the features are called, in their order."""
        return tuple(column.name for column in self.features)

    def select(self, query: str) -> str:
        """The query with every column in the type that the arrays have."""
        columns = [f"{self._feature(c)} AS f{i}" for i, c in enumerate(self.features)]
        columns += [f"{_label(c)} AS l{i}" for i, c in enumerate(self.labels)]
        columns += [f"{_key(self.key)} AS k"] if self.key else []
        columns += [f"{self.weight.as_double} AS w"] if self.weight else []
        lacking = " OR ".join(column.is_missing for column in self.needed.values())
        where = f" WHERE NOT ({lacking})" if self.complete else ""
        return f"SELECT {', '.join(columns)} FROM (\n{query}\n){where}"

    def _feature(self, column: Column) -> str:
        if column.family == "text":
            return column.as_text
        return column.as_double if column.name in self.wide else column.as_number


def _label(column: Column) -> str:
    """Text as it is, with NULL; anything else as DOUBLE with NaN."""
    named = identifier(column.name)
    if column.family == "text":
        return f"{named}::VARCHAR"
    return f"coalesce({named}::DOUBLE, 'nan'::DOUBLE)"


def _key(column: Column) -> str:
    """Whole numbers and times as BIGINT, other numbers as DOUBLE, text as it is."""
    named = identifier(column.name)
    if column.family == "date" and column.type != "TIME":
        return f"epoch_us({column.as_moment})"
    kinds = {"boolean": "BIGINT", "integer": "BIGINT", "float": "DOUBLE"}
    return f"{named}::{kinds.get(column.family, 'VARCHAR')}"


@dataclass
class Rows:
    """Some rows: features as columns, labels as columns, and the key."""

    features: list[Array]
    labels: list[Array]
    key: Array | None
    weights: Array | None = None
    number: int | None = None
    """Which range of the source these are, whole and in its order."""

    def __len__(self) -> int:
        return len(self.labels[0])

    def take(self, chosen: Array) -> Rows:
        """The rows of a mask or of row numbers."""
        key = None if self.key is None else self.key[chosen]
        weights = None if self.weights is None else self.weights[chosen]
        features = [values[chosen] for values in self.features]
        return Rows(features, [y[chosen] for y in self.labels], key, weights)

    @staticmethod
    def joined(parts: Sequence[Rows]) -> Rows:
        """All the rows of several."""
        first = parts[0]
        return Rows(
            [np.concatenate([p.features[i] for p in parts]) for i in range(len(first.features))],
            [np.concatenate([p.labels[i] for p in parts]) for i in range(len(first.labels))],
            None if first.key is None else np.concatenate([p.key for p in parts]),
            None if first.weights is None else np.concatenate([p.weights for p in parts]),
        )


@dataclass(frozen=True)
class Range:
    """Some rows of a source that can be read by themselves."""

    table: str
    """What to read from."""
    position: str
    """The column that counts its rows."""
    first: int
    last: int


@dataclass
class Reader:
    """Reads a query's rows from an open source."""

    database: Database
    query: Query
    layout: Layout
    ranges: list[Range] | None = field(init=False)
    """Parts of the source that can be read in any order; None where there is only its own."""

    def __post_init__(self) -> None:
        self.ranges = self._find_ranges()

    def whole(self) -> Rows:
        """All rows at once."""
        with self.database.cursor() as cursor:
            select = self.layout.select(self.query.text)
            return self._rows(cursor.execute(select).fetchnumpy())

    def by_key(self) -> Iterator[tuple[Any, int]]:
        """Every value of the key in its order, with the number of its rows."""
        with self.database.cursor() as cursor:
            counted = cursor.execute(
                f"SELECT k, count(*) FROM ({self.layout.select(self.query.text)}) "
                "GROUP BY k ORDER BY k"
            )
            while rows := counted.fetchmany(BLOCK):
                yield from rows

    def blocks(self, random: np.random.Generator | None = None) -> Iterator[Rows]:
        """A new pass over all rows, in an order that `random` draws where the source has one."""
        with self.database.cursor() as cursor:
            if self.ranges is None:
                yield from self._in_batches(cursor)
                return
            order = range(len(self.ranges))
            for number in order if random is None else random.permutation(len(order)):
                chosen = self.ranges[number]
                some = (
                    f"(FROM {chosen.table} WHERE {chosen.position} "
                    f"BETWEEN {chosen.first} AND {chosen.last})"
                )
                files = self.database.files
                cursor.execute(
                    f"CREATE OR REPLACE TEMP VIEW {identifier(self.query.table or '')} AS "
                    f"{files.select(some) if files else f'FROM {some}'}"
                )
                select = self.layout.select(self.query.text)
                rows = self._rows(cursor.execute(select).fetchnumpy())
                rows.number = int(number)
                if len(rows):
                    yield rows

    def _in_batches(self, cursor: Any) -> Iterator[Rows]:
        """What the query gives now, as it comes."""
        if importlib.util.find_spec("pyarrow") is None:
            raise DataError(
                f"{self.database.source.text} is too large to be read at once, and reading it in "
                "batches needs the package pyarrow: pip install 'sweephouse[databases]'"
            )
        for batch in cursor.sql(self.layout.select(self.query.text)).to_arrow_reader(BLOCK):
            if batch.num_rows:
                columns = zip(batch.schema.names, batch.columns, strict=True)
                yield self._rows({k: c.to_numpy(zero_copy_only=False) for k, c in columns})

    def _rows(self, columns: Mapping[str, Any]) -> Rows:
        """Arrays by alias as Rows."""
        plain = {alias: _unmasked(column) for alias, column in columns.items()}
        rows = Rows(
            [plain[f"f{i}"] for i in range(len(self.layout.features))],
            [plain[f"l{i}"] for i in range(len(self.layout.labels))],
            plain.get("k"),
            plain.get("w"),
        )
        if rows.key is not None and _missing(rows.key):
            assert self.layout.key is not None
            raise DataError(
                f"{self.database.source.text} has changed since the command began: "
                f"'{self.layout.key.name}' misses values now"
            )
        return rows

    def _find_ranges(self) -> list[Range] | None:
        """Of Parquet files and of DuckDB tables."""
        table, source = self.query.table, self.database.source
        if table == "source" and source.kind == "parquet":
            return self._of_parquet()
        if table is not None and source.kind == "duckdb":
            place = f"origin.{identifier(table)}"
            is_table = self.database.ask(
                "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'origin' "
                f"AND schema_name = 'main' AND table_name = {literal(table)}"
            )[0][0]
            if is_table:
                last = self.database.ask(f"SELECT coalesce(max(rowid), -1) FROM {place}")[0][0]
                return _ranges(place, "rowid", last + 1)
        return None

    def _of_parquet(self) -> list[Range] | None:
        """Ranges of every file, if all have the same columns."""
        files = self.database.source.files
        listed = ", ".join(literal(as_one_file(str(file))) for file in files)
        shapes = self.database.ask(
            "SELECT count(DISTINCT columns) FROM (SELECT list((name, type)) AS columns "
            f"FROM parquet_schema([{listed}]) GROUP BY file_name)"
        )[0][0]
        if shapes > 1:
            return None
        counts = self.database.ask(
            f"SELECT file_name, num_rows FROM parquet_file_metadata([{listed}]) ORDER BY file_name"
        )
        return [
            part
            for file, rows in counts
            for part in _ranges(scan("read_parquet", [Path(file)]), "file_row_number", rows)
        ]


def _ranges(table: str, position: str, rows: int) -> list[Range]:
    return [
        Range(table, position, first, min(first + SPAN, rows) - 1)
        for first in range(0, rows, SPAN)
    ]


def _unmasked(column: Any) -> Array:
    """The column with None or NaN where DuckDB has NULL."""
    if not np.ma.isMaskedArray(column):
        return np.asarray(column)
    if column.dtype == object:
        # NumPy takes filled(None) for "?", its own word for nothing.
        values = np.array(column.data, dtype=object)
        values[np.ma.getmaskarray(column)] = None
        return values
    return np.where(np.ma.getmaskarray(column), np.nan, column.data)


def _missing(column: Array) -> bool:
    if column.dtype == object:
        return any(value is None for value in column)
    return bool(np.isnan(column).any()) if column.dtype.kind == "f" else False


class Check:
    """Looks over features as they pass, for columns that cannot be meant so."""

    def __init__(self, reader: Reader) -> None:
        self._layout = layout = reader.layout
        self._query = reader.query
        # New rows of a trained model are what they are.
        self._is_known = reader.database.known is not None
        self._rows = 0
        self._present = [0] * len(layout.features)
        self._numbers = [0] * len(layout.features)
        self._odd: list[str | None] = [None] * len(layout.features)

    def see(self, rows: Rows) -> None:
        """Take one block into account."""
        first = self._rows == 0
        self._rows += len(rows)
        for i, values in enumerate(rows.features):
            if values.dtype.kind == "f":
                self._present[i] += len(values) - int(np.isnan(values).sum())
                continue
            self._present[i] += int(np.count_nonzero(values != ""))
            if first:
                texts = [text for text in values.tolist() if text != ""]
                odd = [text for text in texts if not is_number(text)]
                if len(odd) < (1 - MIXED) * len(texts):
                    self._numbers[i], self._odd[i] = len(texts) - len(odd), next(iter(odd), None)

    def settle(self) -> None:
        """Raise DataError for what was seen."""
        if self._rows == 0:
            raise DataError(
                f"{self._query.place} gives no rows: loosen its WHERE, or look at the source"
            )
        if faults := list(self._faults()):
            more = f"; and {len(faults) - MOST_FAULTS} more columns" * (len(faults) > MOST_FAULTS)
            raise DataError("; ".join(faults[:MOST_FAULTS]) + more)

    def _faults(self) -> Iterator[str]:
        """What is wrong with each column."""
        for i, column in enumerate(() if self._is_known else self._layout.features):
            if not self._present[i]:
                yield (
                    f"the column '{column.name}' is missing in all {self._rows} rows: leave it "
                    "out of dataset.features or of dataset.query"
                )
            elif (odd := self._odd[i]) is not None:
                mend = self._query.found.typed([c.name for c in self._layout.features])
                yield (
                    f"the column '{column.name}' mixes types: {self._numbers[i]} of its values "
                    f"are numbers, and others are text such as {odd!r}; in dataset.query, write "
                    f"TRY_CAST({identifier(column.name)} AS DOUBLE) to have those missing"
                    + (f", or add {mend}" if mend else "")
                )
