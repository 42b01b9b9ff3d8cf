"""Known values, written with the quirks of real files, come back through every door.

Or they are refused. Train and predict see the same numbers for the same rows.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import itertools
import json
import math
import sqlite3
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, event, given, settings
from hypothesis import strategies as st

from runner import DataError
from runner.data.parts import named
from runner.data.sources.reading import Reading
from runner.data.sources.rows import opened
from tests.plugins.conftest import Door

NAMES = ["x", "km/h", "a b", "größe", "1a", 'in "', "order", "Alter (J.)", "it's", "7", "Select"]
WORDS = ["rot", "Yes", "No", "3.10", "ja; nein", 'say "hi"', "a,b", " blank", "two\nlines", "é"]
FORMS = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d-%m-%Y"]
NUMBERED = itertools.count()
EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True)
class Style:
    """How somebody's program writes."""

    delimiter: str
    decimal: str
    thousands: str | None
    nothing: str
    unit: str
    date: str
    encoding: str
    end: str

    def text(self, value: Any) -> str:
        """The value as it is written."""
        if value is None:
            return self.nothing
        if isinstance(value, dt.date):
            return value.strftime(self.date)
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, str):
            return value
        digits = f"{value:,}" if self.thousands else f"{value}"
        swap = str.maketrans({",": self.thousands or "", ".": self.decimal})
        return digits.translate(swap) + self.unit

    @property
    def params(self) -> dict[str, Any]:
        """What the user says of it."""
        return {
            "decimal": self.decimal,
            "thousands": self.thousands,
            "missing": [self.nothing] if self.nothing else [],
        }


styles = st.builds(
    Style,
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    decimal=st.sampled_from([".", ","]),
    thousands=st.sampled_from([None, ",", ".", " ", "'"]),
    nothing=st.sampled_from(["", "NA", "?", "-", "-999"]),
    unit=st.sampled_from(["", "", " $", "%"]),
    date=st.sampled_from(FORMS),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "latin-1", "cp1252", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
).filter(lambda style: style.decimal != style.thousands)

numbers = st.one_of(
    st.integers(-(10**9), 10**9),
    st.integers(-(10**7), 10**7).map(lambda i: i / 100),
).filter(lambda value: value != -999)
kinds = {
    "number": numbers,
    "whole": st.integers(-1000, 2**40).filter(lambda value: value != -999),
    "date": st.dates(dt.date(1950, 1, 1), dt.date(2049, 12, 31)),
    "flag": st.booleans(),
    "text": st.sampled_from(WORDS),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[list[str], dict[str, list[Any]]]:
    """Kinds of columns, and columns by name; `id` says which row it is."""
    rows = draw(st.integers(12, 30))
    chosen = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=4))
    names = draw(st.permutations(NAMES))[: len(chosen)]
    columns: dict[str, list[Any]] = {"id": list(range(100, 100 + rows))}
    for kind, name in zip(chosen, names, strict=True):
        values = draw(st.lists(kinds[kind], min_size=rows, max_size=rows))
        holes = draw(st.sets(st.integers(0, rows - 1), max_size=rows // 3))
        columns[name] = [None if i in holes else value for i, value in enumerate(values)]
        if kind == "text":
            columns[name][0] = "rot"  # or all may be numbers
    columns["y"] = ["ab"[i % 2] for i in range(rows)]
    return ["whole", *chosen, "text"], columns


def written(columns: dict[str, list[Any]], style: Style, file: Path) -> Path:
    """The table as a CSV file."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=style.delimiter, lineterminator=style.end)
    writer.writerow(columns)
    writer.writerows(zip(*[map(style.text, c) for c in columns.values()], strict=True))
    file.write_bytes(text.getvalue().encode(style.encoding))
    return file


def as_text_in(kind: str, columns: dict[str, list[Any]], style: Style, file: Path) -> Path:
    """The same texts as columns of text of a Parquet or SQLite file."""
    cells = [[style.text(v) or None for v in column] for column in columns.values()]
    quoted = ['"' + name.replace('"', '""') + '"' for name in columns]
    file.unlink(missing_ok=True)
    create = f"CREATE TABLE t ({', '.join(f'{name} TEXT' for name in quoted)})"
    insert = f"INSERT INTO t VALUES ({', '.join('?' for _ in quoted)})"
    con: Any = sqlite3.connect(file) if kind == "sqlite" else duckdb.connect()
    con.execute(create)
    con.executemany(insert, list(zip(*cells, strict=True)))
    con.execute(f"COPY t TO '{file}'") if kind == "parquet" else con.commit()
    con.close()
    return file


def expected(kind: str, value: Any) -> Any:
    """What reaches the model."""
    if kind == "text":
        return value or ""
    if value is None:
        return math.nan
    return (value - EPOCH).days if isinstance(value, dt.date) else float(value)


def arrays(make: Door, name: str, columns: dict[str, list[Any]], **params: Any) -> Any:
    """The columns of features in the order of `id`, and how they were read."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = make("dataset", name, label="y", **params)
    features = [column for column in columns if column != "y"]
    if isinstance(data.features, dict):
        by_name = named(data.features)
    else:
        by_name = {column: data.features[:, i] for i, column in enumerate(features)}
    order = np.argsort(by_name["id"])
    return {column: by_name[column][order] for column in features}, data.reading


def equal(kind: str, read: Any, values: list[Any], style: Style | None = None) -> bool:
    """Whether the values are those; of columns that are text in their source, the texts will do.

    style: how those were written.
    """
    wanted = [expected(kind, value) for value in values]
    if kind == "text":
        return bool(list(read) == wanted)
    if style is not None and read.dtype.kind == "O":
        return list(read) == ["" if value is None else style.text(value) for value in values]
    return read.dtype.kind == "f" and np.allclose(read, wanted, rtol=1e-6, equal_nan=True)


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("quirks")


def check(make: Door, folder: Path, table: Any, style: Style) -> None:
    """The values equal those that were written, in training and for new rows, or are refused."""
    kinds_of, columns = table
    file = written(columns, style, folder / "rows.csv")
    doors: dict[str, dict[str, Any]] = {"csv": {"path": file}}
    encoding = style.encoding.removesuffix("-sig")
    doors["csv"] |= {"encoding": None if encoding == "utf-8" else encoding}
    for kind in ("parquet", "sqlite"):
        # What a database holds is looked at once in a process.
        file = folder / f"{next(NUMBERED)}.{kind}"
        source = as_text_in(kind, columns, style, file)
        doors[kind] = {"source": str(source)}
    for door, where in doors.items():
        try:
            read, reading = arrays(
                make, "csv" if door == "csv" else "sql", columns, **where, **style.params
            )
        except DataError as refused:
            assert "\n" not in str(refused)
            event(f"{door} refused: {str(refused)[:40]}")
            continue
        text_of = None if door == "csv" else style
        for kind, (name, values) in zip(kinds_of, columns.items(), strict=True):
            if name != "y":
                assert equal(kind, read[name], values, text_of), (door, name, read[name], values)
        known = Reading.recorded(json.loads(json.dumps(reading)))
        new = {name: values[5:8] for name, values in columns.items() if name != "y"}
        again = (
            written(new, style, folder / "new.csv")
            if door == "csv"
            else as_text_in(door, new, style, folder / f"new.{door}")
        )
        text = [name for name in new if read[name].dtype.kind == "O"]
        with opened(str(again), None, known, ["y"]) as rows:
            [block] = rows.blocks(list(new), text)
        for kind, (name, values), column in zip(kinds_of, new.items(), block, strict=False):
            assert equal(kind, column, values, text_of), ("predict", door, name, column, values)


@pytest.mark.slow
@given(tables(), styles)
@settings(
    max_examples=6,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_values_come_back_through_every_door(
    make: Door, folder: Path, table: Any, style: Style
) -> None:
    check(make, folder, table, style)


@pytest.mark.slow
@given(tables(), styles)
@settings(
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)
def test_many_values_come_back_through_every_door(
    make: Door, folder: Path, table: Any, style: Style
) -> None:
    check(make, folder, table, style)
