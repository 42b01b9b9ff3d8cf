"""The steps of a time series, from an array or a table, in the order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from runner import (
    Column,
    Database,
    DataError,
    Query,
    Reading,
    choices,
    compact,
    identifier,
    numpy_arrays,
)

from .table import Table

Array = np.ndarray[Any, Any]
NUMERIC = ("integer", "float")


@dataclass(frozen=True)
class Steps:
    """The columns of a series, by name where there are names."""

    where: str
    """What a sentence calls it."""
    columns: Sequence[Array]
    """A value a step each: numbers as float64, or text."""
    numeric: Sequence[int]
    """The columns that hold numbers, but for the time."""
    names: Sequence[str] = ()
    files: Sequence[Path] = ()
    reading: Mapping[str, Any] = field(default_factory=dict)
    lines: Sequence[str] = ()
    """What may be otherwise about how it was read."""

    def number(self, column: str | int, key: str) -> int:
        """Which column that is, by name before place; DataError where there is none such."""
        if str(column) in self.names:
            return list(self.names).index(str(column))
        if str(column).isdecimal() and int(column) < len(self.columns):
            return int(column)
        have = ", ".join(self.names) or f"the numbers 0 to {len(self.columns) - 1}"
        raise DataError(f"dataset.{key}={column} is no column of {self.where}: there are {have}")

    def values(self, columns: Sequence[int]) -> Array:
        """These columns, (steps, columns): float32, or float64 where that would change them.

        Raises DataError for what is no number.
        """
        numbers = np.stack([self._numbers(column) for column in columns], axis=1)
        if not np.isfinite(numbers).all():
            step, column = np.argwhere(~np.isfinite(numbers))[0]
            name = self.names[columns[column]] if self.names else columns[column]
            raise DataError(
                f"{self.where} has no finite number in the column {name} at step {step}: fill the "
                "gaps first, or leave the column out by dataset.columns="
            )
        return compact(numbers)

    def _numbers(self, column: int) -> Array:
        values = self.columns[column]
        if values.dtype.kind != "O":
            return np.asarray(values, np.float64)
        for step, text in enumerate(values):
            if text is not None and not _is_number(text):
                raise DataError(
                    f"{self.where} has {str(text)!r} in the column {self.names[column]} at step "
                    f"{step}, which is no number" + "".join(f"; {line}" for line in self.lines)
                )
        return np.array([np.nan if text is None else float(text) for text in values])


def steps_of_array(file: Path) -> Steps:
    """A .npy file of shape (steps,) or (steps, columns)."""
    try:
        values = numpy_arrays(file, mapped=True)
    except ValueError as error:
        raise DataError(f"dataset.path={file} is not a .npy file: {error}") from None
    if isinstance(values, dict):
        raise DataError(f"dataset.path={file} is not a .npy file: it holds several arrays")
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
        raise DataError(
            f"dataset.path={file} has shape {values.shape} and type {values.dtype}: a series is "
            "of numbers, (steps,) or (steps, columns)"
        )
    values = values.reshape(len(values), -1)
    columns = [values[:, i] for i in range(values.shape[1])]
    return Steps(str(file), columns, range(len(columns)), files=[file])


def steps_of_table(table: Table, time: str | None, known: Reading | None) -> Steps:
    """The rows of a table, which is read as every table is, in the order of time.

    time: the column to sort by; None: as they stand. known: how it was read in training.
    """
    with table.opened(known) as (database, query):
        where = table.source if table.query is None else f"{table.source} by dataset.query"
        read = _read(database, query)
        if not len(read[0]):
            raise DataError(f"{database.source.where} has no rows below its first line")
        names = [column.name for column in query.columns]
        lines = list(query.found.lines(names))
        order = None
        if time is not None:
            if time not in names:
                raise DataError(
                    f"dataset.time={time} is no column of {where}: {choices(time, names)}"
                )
            order = _order(query, read, names.index(time), database)
        elif unsorted := [
            c.name for c, v in zip(query.columns, read, strict=True) if _falls(c, v)
        ]:
            lines.append(
                f"the rows of {where} are taken as they stand, and '{unsorted[0]}' does not "
                f"ascend: dataset.time={unsorted[0]} sorts them"
            )
        numeric = [
            i
            for i, column in enumerate(query.columns)
            if column.family in NUMERIC and column.name != time
        ]
        if not numeric:
            raise DataError(
                f"{database.source.where} has no column of numbers"
                + "".join(f"; {x}" for x in lines)
            )
        return Steps(
            where,
            [values if order is None else values[order] for values in read],
            numeric,
            names,
            database.source.files,
            query.reading.plain,
            lines,
        )


def _read(database: Database, query: Query) -> list[Array]:
    """Every column: numbers and times as float64, and all else as text, with None."""
    asked = [
        f"{c.as_double if c.family in ('integer', 'float', 'date') else _text(c)} AS c{i}"
        for i, c in enumerate(query.columns)
    ]
    with database.cursor() as cursor:
        select = f"SELECT {', '.join(asked)} FROM (\n{query.text}\n)"
        given = cursor.execute(select).fetchnumpy()
    columns = [given[f"c{i}"] for i in range(len(query.columns))]
    return [_with_none(column) for column in columns]


def _text(column: Column) -> str:
    return f"{identifier(column.name)}::VARCHAR"


def _with_none(column: Any) -> Array:
    values = np.asarray(np.ma.getdata(column))
    if values.dtype.kind != "O":
        return values
    values = values.copy()
    values[np.ma.getmaskarray(column)] = None
    return values


def _order(query: Query, read: Sequence[Array], number: int, database: Database) -> Array:
    """The order of time; DataError where a row has none, or none that can be told."""
    column, times = query.columns[number], read[number]
    if (doubt := query.found.doubts.get(column.name)) is not None:
        raise DataError(doubt)
    if times.dtype.kind == "O":
        text = next((text for text in times if text is not None), "")
        about = query.found.remarks.get(column.name)
        raise DataError(
            f"dataset.time={column.name} holds {str(text)!r}, which is neither a number nor a "
            "date that can be told: say how it is written by dataset.time_format=, such as "
            "%d.%m.%Y" + (f"; {about}: add {query.found.typed([column.name])}" if about else "")
        )
    blank = np.flatnonzero(np.isnan(times))
    if len(blank):
        first = int(blank[0])
        line = f", line {first + 2} of the file" if database.source.kind == "csv" else ""
        raise DataError(
            f"dataset.time={column.name} is blank in {len(blank)} of {len(times)} rows, the first "
            f"of which is row {first + 1}{line}: fill it in, or leave those rows out"
        )
    return np.argsort(times, kind="stable")


def _falls(column: Column, values: Array) -> bool:
    """Whether it is a time that does not ascend."""
    return column.family == "date" and bool((np.diff(values) < 0).any())


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
