"""Tables of known values, and how people and programs write them."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import io
import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
from hypothesis import strategies as st

from runner.system.databases import identifier
from tests.servers import writing, writing_sqlite

EPOCH = dt.datetime(1970, 1, 1)
NAMES = [
    *("x", "km/h", "a b", "größe", "1a", 'in "', "order", "Alter (J.)", "it's", "7", "Select"),
    *("f0", "l0", "k", "c1", "source", "a;b", "null", "x.y"),
]
TEXTS = [
    *("rot", "grün", "blau", "ja; nein", 'sagt "hi"', "a,b", " blank", "zwei\nZeilen", "it's"),
    *("é", "50% off", "007a", "1/2 cup", "a|b", "tab\there", "Yes", "No", "3.10"),
]
WORDS = ["NA", "?", "-", "n/a", "null", "none"]
"""What somebody writes for a missing value."""
NUMBER = "-999"
"""The same, where nobody can know unless it is said."""
ORDERS = {"day first": "%d/%m/%Y", "month first": "%m/%d/%Y", "points": "%d.%m.%Y"}
DATES = ["%Y-%m-%d", "%Y/%m/%d", "%d-%m-%Y", *ORDERS.values()]
TYPES = {
    "whole": "BIGINT",
    "large": "BIGINT",
    "number": "DOUBLE",
    "mixed": "DOUBLE",
    "money": "DECIMAL(18,2)",
    "percent": "DOUBLE",
    "truth": "BOOLEAN",
    "date": "DATE",
    "moment": "TIMESTAMP",
}
"""Kind of column -> its type where a source has types; what is not here is text."""


@dataclass(frozen=True)
class Column:
    """What a column holds: numbers, truth values, moments or text; None where that is missing."""

    kind: str
    name: str
    values: Sequence[Any]

    @property
    def is_text(self) -> bool:
        """Whether the model is given texts."""
        return self.kind not in TYPES

    @property
    def expected(self) -> list[Any]:
        """What reaches the model: texts, or numbers; of times, the days since 1970."""
        if self.is_text:
            return [value or "" for value in self.values]
        return [math.nan if value is None else _number(value) for value in self.values]


def _number(value: Any) -> float:
    if isinstance(value, dt.datetime):
        return (value - EPOCH) / dt.timedelta(days=1)
    return float(value)


@dataclass(frozen=True)
class Table:
    """Columns, the last of which is the label; `classes` are its names, None of values."""

    columns: Sequence[Column]
    classes: Sequence[str] | None

    @property
    def label(self) -> Column:
        """What is to be told."""
        return self.columns[-1]

    @property
    def features(self) -> Sequence[Column]:
        """All but the label."""
        return self.columns[:-1]

    def with_texts(self, style: Style) -> Table:
        """The same where truth values are text, as no option says otherwise."""
        texts = [
            style.as_text(column) if column.kind == "truth" else column for column in self.columns
        ]
        is_truth = self.label.kind == "truth"
        return Table(texts, style.truths if is_truth else self.classes)

    def some(self, rows: Sequence[int], order: Sequence[int]) -> Table:
        """Some of the rows, with the features in another order."""
        features = [self.columns[i] for i in order]
        return replace(
            self,
            columns=[
                replace(c, values=[c.values[row] for row in rows]) for c in [*features, self.label]
            ],
        )


@dataclass(frozen=True)
class Style:
    """How somebody's program writes."""

    delimiter: str = ","
    decimal: str = "."
    thousands: str | None = None
    words: Sequence[str] = ("",)
    unit: str = "%s €"
    percent: str = "%s %%"
    date: str = "%Y-%m-%d"
    clock: str = "%H:%M:%S"
    truths: tuple[str, str] = ("false", "true")
    encoding: str = "utf-8"
    end: str = "\n"
    packed: bool = False
    quoted: bool = False
    counted: bool = False
    """Whether a column without a name counts the rows."""

    def text(self, kind: str, value: Any, row: int = 0) -> str:
        """The value as it is written."""
        if value is None:
            return self.words[row % len(self.words)]
        if kind == "date":
            return str(value.strftime(self.date))
        if kind == "moment":
            return str(value.strftime(f"{self.date} {self.clock}"))
        if kind == "truth":
            return self.truths[value]
        if isinstance(value, str):
            return value
        grouped = self.thousands is not None and kind not in ("large", "class")
        digits = f"{value:,}" if grouped else f"{value}"
        if kind == "money":
            digits = f"{value:,.2f}" if grouped else f"{value:.2f}"
        digits = digits.translate(str.maketrans({",": self.thousands or "", ".": self.decimal}))
        units = {"money": self.unit, "mixed": self.unit, "percent": self.percent}
        return units.get(kind, "%s") % digits

    def as_text(self, column: Column) -> Column:
        """The column as one of text, with the values as they are written."""
        texts = [v if v is None else self.text(column.kind, v) for v in column.values]
        return Column("text", column.name, texts)

    def params(self, table: Table, *, of_file: bool = True) -> dict[str, Any]:
        """What a user who knows says of the table; of_file: of how the file is written, too."""
        kinds = {column.kind for column in table.columns}
        formats = [self.date] if "date" in kinds else []
        formats += [f"{self.date} {self.clock}"] if "moment" in kinds else []
        encoding = self.encoding.removesuffix("-sig")
        given = {
            "decimal": self.decimal,
            "thousands": "'" if self.thousands == "’" else self.thousands,
            "missing": [word for word in self.words if word],
            "time_format": formats or None,
        }
        if self.thousands in ("\u00a0", "\u202f"):
            given["thousands"] = " "
        if of_file and encoding != "utf-8":
            given["encoding"] = encoding
        return given


# --- Strategies ----------------------------------------------------------------------------------


def _styles(words: Sequence[str]) -> st.SearchStrategy[Style]:
    """words: what may stand for a missing value."""
    return st.builds(
        Style,
        delimiter=st.sampled_from([",", ";", "\t", "|"]),
        decimal=st.sampled_from([".", ","]),
        thousands=st.sampled_from([None, None, ",", ".", " ", "'", "\u00a0"]),
        words=st.lists(st.sampled_from(words), min_size=1, max_size=3, unique=True),
        unit=st.sampled_from(["%s", "%s €", "$%s", "€ %s", "%s EUR", "%s $"]),
        percent=st.sampled_from(["%s %%", "%s%%"]),
        date=st.sampled_from(DATES),
        clock=st.sampled_from(["%H:%M:%S", "%H:%M"]),
        truths=st.sampled_from([("false", "true"), ("False", "True"), ("FALSE", "TRUE")]),
        encoding=st.sampled_from(["utf-8", "utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"]),
        end=st.sampled_from(["\n", "\r\n"]),
        packed=st.booleans(),
        quoted=st.booleans(),
        counted=st.booleans(),
    ).filter(
        # Latin-1 has no €.
        lambda s: s.decimal != s.thousands and not (s.encoding == "latin-1" and "€" in s.unit)
    )


styles = _styles(["", *WORDS])
known_styles = _styles(["", *WORDS, NUMBER])
"""Styles of which `params` says all."""

LABELS: dict[str, tuple[str, Sequence[Any], Sequence[str] | None]] = {
    # What the label is: the kind of its column, its values, the names of its classes.
    "words": ("text", ["Yes", "No"], ["No", "Yes"]),
    "umlauts": ("text", ["schön", "übel", "größer"], ["größer", "schön", "übel"]),
    "case": ("text", ["a", "A", "b"], ["A", "a", "b"]),
    "truth": ("truth", [True, False], ["false", "true"]),
    "stars": ("whole", [1, 2, 3, 4, 5], ["1", "2", "3", "4", "5"]),
    "signs": ("whole", [1, -1], ["-1", "1"]),
    "0 and 1": ("whole", [1, 0], ["0", "1"]),
    "floats": ("number", [1.0, 0.0], ["0", "1"]),
    "values": ("number", [], None),
}


@st.composite
def tables(draw: st.DrawFn, labels: Sequence[str] = tuple(LABELS)) -> Table:
    """A table whose first column, `id`, says which row it is."""
    rows = draw(st.integers(12, 40))
    chance = random.Random(draw(st.integers(0, 2**32)))
    kinds = draw(st.lists(st.sampled_from([*TYPES, "text", "yes"]), min_size=1, max_size=6))
    names = draw(st.permutations(NAMES))
    first = draw(st.sampled_from([100, 20_000_001, 2**40 + 1]))
    columns = [Column("large", "id", [first + i for i in range(rows)])]
    for kind, name in zip(kinds, names, strict=False):
        holes = draw(st.sampled_from([0, 0.1, 0.3]))
        values = [None if chance.random() < holes else _value(kind, chance) for _ in range(rows)]
        # Something of each kind is there, and leaves no doubt of what it is.
        values[0], values[-1] = _clear(kind), _clear(kind)
        columns.append(Column(kind, name, values))
    kind, values, classes = LABELS[draw(st.sampled_from(labels))]
    if classes is None:
        values = [chance.randrange(-(10**6), 10**6) / 1000 + 0.0005 for _ in range(rows)]
    label = draw(st.sampled_from(["y", "Überleben?", "label"]))
    columns.append(Column(kind, label, [values[i % len(values)] for i in range(rows)]))
    return Table(columns, classes)


def _value(kind: str, chance: random.Random) -> Any:
    match kind:
        case "whole":
            return chance.choice([*range(-2000, -999), *range(-998, 2000)])
        case "large":
            return chance.randrange(2**24, 2**45)
        case "number":
            return chance.randrange(-(10**7), 10**7) / 1000
        case "mixed":
            # Whole ones among fractions, below zero and large.
            hundredths = chance.randrange(-(10**7), 10**7) / 100
            return chance.choice([hundredths, chance.randrange(-998, 2**40)])
        case "money":
            return chance.randrange(0, 10**8) / 100
        case "percent":
            return chance.randrange(0, 1000) / 8
        case "truth":
            return chance.random() < 0.5
        case "date":
            return dt.datetime(1950, 1, 1) + dt.timedelta(days=chance.randrange(36_000))
        case "moment":
            return dt.datetime(1990, 1, 1) + dt.timedelta(minutes=chance.randrange(2 * 10**7))
        case "yes":
            return chance.choice(["yes", "no"])
    return chance.choice(TEXTS)


def _clear(kind: str) -> Any:
    clear = {
        "number": 1234.25,
        "whole": 17,
        "mixed": 1234.5,
        "money": 1234567.5,
        "percent": 12.5,
        "date": dt.datetime(2024, 12, 31),
        "moment": dt.datetime(2024, 12, 31, 23, 59),
        "text": "rot",
        "yes": "yes",
    }
    return clear.get(kind, 2**30 if kind == "large" else True)


# --- Doors ---------------------------------------------------------------------------------------


def csv_file(table: Table, style: Style, file: Path, header: bool = True) -> Path:
    """The table as a CSV file; .gz is added where it is packed."""
    text = io.StringIO()
    quoting = csv.QUOTE_ALL if style.quoted else csv.QUOTE_MINIMAL
    writer = csv.writer(text, delimiter=style.delimiter, lineterminator=style.end, quoting=quoting)
    count = [""] if style.counted else []
    if header:
        writer.writerow([*count, *(column.name for column in table.columns)])
    for row, cells in enumerate(_as_written(table, style)):
        writer.writerow([*([str(row)] if count else []), *cells])
    body = text.getvalue().encode(style.encoding)
    if style.packed:
        file, body = file.with_name(f"{file.name}.gz"), gzip.compress(body, 1)
    file.write_bytes(body)
    return file


def _as_written(table: Table, style: Style) -> list[tuple[str, ...]]:
    columns = [
        [style.text(column.kind, value, row) for row, value in enumerate(column.values)]
        for column in table.columns
    ]
    return list(zip(*columns, strict=True))


def json_file(table: Table, file: Path, style: Style | None = None) -> Path:
    """A line of JSON for each row: times as in ISO 8601, or texts as they are written."""
    names = [column.name for column in table.columns]
    columns = [column.values for column in table.columns]
    rows = zip(*columns, strict=True) if style is None else _as_written(table, style)
    lines = [json.dumps(dict(zip(names, row, strict=True)), default=str) for row in rows]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def select(table: Table, style: Style | None = None) -> tuple[str, list[Any]]:
    """A SELECT that gives the table, with its parameters.

    style: how values are written, in columns of text; None: in the types that they have.
    """
    rows = (
        list(zip(*[column.values for column in table.columns], strict=True))
        if style is None
        else [tuple(cell or None for cell in cells) for cells in _as_written(table, style)]
    )
    types = [
        TYPES.get(column.kind, "VARCHAR") if style is None else "VARCHAR"
        for column in table.columns
    ]
    cells = ", ".join(f"?::{kind}" for kind in types)
    body = ", ".join([f"({cells})"] * len(rows))
    names = ", ".join(identifier(column.name) for column in table.columns)
    return f"SELECT * FROM (VALUES {body}) AS t({names})", [v for row in rows for v in row]


def put(kind: str, table: Table, style: Style | None, place: Path | str) -> str:
    """The source that holds the table: a Parquet, DuckDB or SQLite file, or a server's URI."""
    query, values = select(table, style)
    if isinstance(place, str):
        with writing(place) as con:
            con.execute("DROP TABLE IF EXISTS server.quirks")
            con.execute(f"CREATE TABLE server.quirks AS {query}", values)
        return place
    place.unlink(missing_ok=True)
    if kind == "sqlite":
        with writing_sqlite(place) as con:
            con.execute(f"CREATE TABLE made.quirks AS {query}", values)
        return str(place)
    with duckdb.connect() as con:
        con.execute(f"CREATE TABLE quirks AS {query}", values)
        if kind == "parquet":
            con.execute(f"COPY quirks TO '{place}'")
        else:
            con.execute(f"ATTACH '{place}' AS made; CREATE TABLE made.quirks AS FROM quirks")
    return str(place)


def differing(column: Column, given: Sequence[Any]) -> Mapping[int, tuple[Any, Any]]:
    """Row -> what it should be and what it is, where these differ."""
    expected = column.expected
    if column.kind == "yes" and not isinstance(given[0], str):
        # Yes and no alone are truth values, where nothing says that they are text.
        expected = [{"yes": 1.0, "no": 0.0}.get(value, math.nan) for value in expected]
    pairs = zip(expected, given, strict=True)
    return {row: pair for row, pair in enumerate(pairs) if not _same(*pair)}


def _same(wanted: Any, given: Any) -> bool:
    if isinstance(wanted, str):
        return bool(given == wanted)
    if isinstance(given, str):
        return False
    kind = type(given)
    return bool(given == kind(wanted) or (math.isnan(wanted) and math.isnan(given)))
