"""A table with a row a run, or a row an epoch, as runs: any CSV file, read by DuckDB."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import WarehouseError, choices
from runner.system.databases import CLOSED, as_one_file, identifier, shut
from runner.system.paths import from_home
from warehouse.trackers.foreign import Point, Run, digest_of, histories_of, in_order

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

ROWS = 10_000
"""Rows that are held at a time."""


class Columns(NamedTuple):
    """What is in which columns."""

    params: Sequence[str]
    metrics: Sequence[str]
    run: str | None = None
    """Rows with one value are of one run; without it each row is a run."""
    epoch: str | None = None
    started: str | None = None

    @property
    def all(self) -> list[str]:
        """Those that are read, in the order of a row."""
        one = (self.run, self.epoch, self.started)
        return [*self.params, *self.metrics, *(name for name in one if name is not None)]


class _Row(NamedTuple):
    """A row of the file, and its number, the header not counted."""

    number: int
    values: dict[str, str | None]


@contextmanager
def runs_of(text: str, columns: Columns, experiment: str | None = None) -> Iterator[Iterable[Run]]:
    """The runs of a table.

    Raises WarehouseError where there is no such file or column, or a value is no number.
    """
    import duckdb

    path = from_home(text)
    if not path.is_file():
        raise WarehouseError(f"there is no file {text}")
    if columns.epoch is not None and columns.run is None:
        raise WarehouseError("--epoch needs --run: the column that says which rows are one run")
    twice = [name for name, count in Counter(columns.all).items() if count > 1]
    if twice:
        raise WarehouseError(f"the column '{twice[0]}' is named twice: give each column one use")
    with duckdb.connect(config=CLOSED) as con:
        shut(con, files=[path.absolute()])
        try:
            con.execute(
                "CREATE TEMP TABLE table_of_runs AS SELECT row_number() OVER () AS "
                f"{identifier(' row')}, * FROM read_csv(?, all_varchar = true, header = true)",
                [as_one_file(str(path.absolute()))],
            )
        except duckdb.Error as error:
            raise WarehouseError(
                f"{text} cannot be read as CSV ({str(error).partition(chr(10))[0]})"
            ) from error
        there = [column for column, *_ in con.execute("FROM table_of_runs").description][1:]
        for name in columns.all:
            if name not in there:
                raise WarehouseError(f"{text} has no column '{name}': {choices(name, there)}")
        yield _runs(con, path, columns, experiment or path.name.partition(".")[0] or "csv")


def _runs(con: DuckDBPyConnection, path: Path, columns: Columns, experiment: str) -> Iterator[Run]:
    seen: Counter[str] = Counter()
    rows = _rows(con, columns)
    for name, group in itertools.groupby(rows, key=lambda row: _group(row, columns)):
        members = list(group)
        if columns.run is not None:
            identity = [experiment, name]
        else:
            # Equal rows are as many runs, and the same ones when the file has grown.
            content = hashlib.sha256(json.dumps(members[0].values).encode()).hexdigest()
            identity = [experiment, content, str(seen[content])]
            seen[content] += 1
        yield _run(path, members, columns, experiment, identity)


def _rows(con: DuckDBPyConnection, columns: Columns) -> Iterator[_Row]:
    """The rows, those of one run together, and otherwise as they stand."""
    first = f"{identifier(columns.run)}, " if columns.run is not None else ""
    names = ", ".join(identifier(name) for name in [" row", *columns.all])
    answer = con.execute(f"SELECT {names} FROM table_of_runs ORDER BY {first}{identifier(' row')}")
    while rows := answer.fetchmany(ROWS):
        for number, *values in rows:
            yield _Row(number, dict(zip(columns.all, values, strict=True)))


def _group(row: _Row, columns: Columns) -> str:
    if columns.run is None:
        return str(row.number)
    name = row.values[columns.run]
    if name is None:
        raise WarehouseError(f"row {row.number} has no {columns.run}, so it is of no run")
    return name


def _run(
    path: Path, rows: list[_Row], columns: Columns, experiment: str, identity: list[str]
) -> Run:
    points = in_order(
        Point(_epoch(row, columns, place), name, _number(row, name))
        for place, row in enumerate(rows, 1)
        for name in columns.metrics
        if row.values[name] is not None
    )
    started = 0.0
    if columns.started is not None:
        started = _moment(rows[0], columns.started)
    return Run(
        tracker="csv",
        identity=identity,
        address=str(path.absolute()),
        experiment=experiment,
        name=identity[1] if columns.run is not None else None,
        status="finished",
        started=started,
        ended=None,
        histories=histories_of(points),
        points=lambda: iter(points),
        digest=digest_of(points),
        params={name: _param(rows, name, columns) for name in columns.params},
    )


def _epoch(row: _Row, columns: Columns, place: int) -> int:
    """The epoch of a row, by default its place in its run."""
    if columns.epoch is None:
        return place
    number = _number(row, columns.epoch)
    if not number.is_integer() or abs(number) > 2**53:
        raise _wrong(row, columns.epoch, "a whole number")
    return int(number)


def _number(row: _Row, name: str) -> float:
    try:
        return float((row.values[name] or "").replace("_", "x"))
    except ValueError:
        raise _wrong(row, name, "a number") from None


def _moment(row: _Row, name: str) -> float:
    try:
        moment = datetime.fromisoformat(row.values[name] or "")
    except ValueError:
        raise _wrong(row, name, "a moment such as 2026-11-29 08:00:00") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _param(rows: Sequence[_Row], name: str, columns: Columns) -> Any:
    """The one value that a param has in all rows of a run."""
    first, *others = (row.values[name] for row in rows)
    for row, value in zip(rows[1:], others, strict=True):
        if value != first:
            raise WarehouseError(
                f"row {row.number}: run '{row.values[columns.run or '']}' has {name}={value}, and "
                f"{first} in row {rows[0].number}: a param has one value a run"
            )
    return first


def _wrong(row: _Row, name: str, right: str) -> WarehouseError:
    return WarehouseError(f"row {row.number}: {name} is {row.values[name]!r:.60}, not {right}")
