"""The tables of a lake: those of `warehouse/schema`, as DuckLake takes them.

It has no keys, no CHECK, and keeps a HUGEINT as a DOUBLE; that is all that is translated, here.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from runner.errors import WarehouseError
from runner.system.databases import identifier, literal
from warehouse.database import (
    Migration,
    known_migrations,
    migrate,
    record_step,
    transaction,
)
from warehouse.lake.opening import NAME, LakeError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TYPES = {"HUGEINT": "DECIMAL(38,0)"}
"""Types that a lake has in the place of ours."""
INLINED = 200
"""Rows up to which an insert stays in the catalog, until `tidy` writes them into files: one run at
a time would else make a file for each table."""
OFTEN_EMPTY = ("care", "metrics")
"""Tables that every list of runs, or their curves, read, though nothing may ever be in them. Of a
table that never had a row DuckLake has no statistics, and looks for them in the catalog with every
query, 10 ms for each column."""
_CHECK = re.compile(r",\s*CHECK \(.*?\)(?=\s*\);)", re.DOTALL)


class Column(NamedTuple):
    """A column as our schema has it."""

    name: str
    type: str
    nullable: bool
    comment: str | None


class Table(NamedTuple):
    """A table as our schema has it."""

    name: str
    comment: str | None
    columns: tuple[Column, ...]

    def made(self, types: Mapping[str, str]) -> str:
        """The statement that makes it. types: other types in the place of ours."""
        declared = ", ".join(
            f"{identifier(column.name)} {types.get(column.type, column.type)}"
            + ("" if column.nullable else " NOT NULL")
            for column in self.columns
        )
        return f"CREATE TABLE {self.name} ({declared})"

    def has(self, column: str) -> bool:
        """Whether it has a column of that name."""
        return any(each.name == column for each in self.columns)


@functools.cache
def described() -> tuple[Table, ...]:
    """The tables of today's schema, by name."""
    import duckdb

    with duckdb.connect() as con:
        migrate(con)
        columns: dict[str, list[Column]] = {}
        for table, *rest in con.execute(
            "SELECT table_name, column_name, data_type, is_nullable, comment "
            "FROM duckdb_columns() WHERE NOT internal ORDER BY table_name, column_index"
        ).fetchall():
            columns.setdefault(table, []).append(Column(*rest))
        tables = con.execute(
            "SELECT table_name, comment FROM duckdb_tables() ORDER BY table_name"
        ).fetchall()
        return tuple(Table(name, comment, tuple(columns[name])) for name, comment in tables)


def make_here(con: DuckDBPyConnection) -> None:
    """Make our tables, empty, in the database that the connection uses."""
    for table in described():
        con.execute(table.made({}))


def bring_up_to_date(con: DuckDBPyConnection) -> None:
    """Make the tables, or migrate them in one transaction; the caller holds the lake's lock.

    Raises WarehouseError where a newer program has written the lake, LakeError where it is
    another program's.
    """
    done = _applied(con)
    if done is None:
        _make(con)
    if not done:  # it is new, or who made it was killed before it was opened
        _open(con)
    elif todo := [step for step in known_migrations() if step.number not in done]:
        _migrate(con, todo)


def check(con: DuckDBPyConnection) -> None:
    """Raise WarehouseError where the lake is not of today's schema; only look."""
    done = _applied(con)
    if done is None or (missing := [s for s in known_migrations() if s.number not in done]):
        newest = max(done) if done else 0
        known = f"schema {newest}" if newest else "empty"
        raise WarehouseError(
            f"the lake is of an older Sweephouse ({known}): the next `python -m warehouse sync` "
            "by someone who may write brings it up to date"
            + (f" ({len(missing)} steps)" if done and len(missing) > 1 else "")
        )


def _applied(con: DuckDBPyConnection) -> set[int] | None:
    """The numbers of the steps that the lake has; None where it is empty."""
    import duckdb

    try:
        rows = con.execute(f"SELECT number FROM {NAME}.main.migrations").fetchall()
    except duckdb.CatalogException:
        tables = con.execute(
            f"SELECT min(table_name) FROM duckdb_tables() WHERE database_name = '{NAME}'"
        ).fetchall()
        for (table,) in tables:
            if table is not None:
                raise LakeError(
                    "the catalog holds a DuckLake, but no Sweephouse warehouse "
                    f"(it has the table {table}): give another database, or schema=NAME in the "
                    "lake's address"
                ) from None
        return None
    done = {number for (number,) in rows}
    newest = max(step.number for step in known_migrations())
    if done and max(done) > newest:
        raise WarehouseError(
            f"the lake was written by a newer Sweephouse (schema {max(done)}, this one knows "
            f"{newest}); update Sweephouse, nothing was changed"
        )
    return done


def _make(con: DuckDBPyConnection) -> None:
    """All tables, with their comments; in some a row, which goes when the lake is opened."""
    with using(con, NAME), transaction(con):
        for table in described():
            con.execute(table.made(TYPES))
            _comment(con, f"TABLE {table.name}", table.comment)
            for column in table.columns:
                name = f"{table.name}.{identifier(column.name)}"
                _comment(con, f"COLUMN {name}", column.comment)
    _inline(con, 0)
    with using(con, NAME), transaction(con):
        for table in described():
            if table.name in OFTEN_EMPTY:
                row = ", ".join(map(_nothing, table.columns))
                con.execute(f"INSERT INTO {table.name} VALUES ({row})")


def _nothing(column: Column) -> str:
    """A value that the column takes."""
    if column.nullable:
        return "NULL"
    return "'epoch'" if column.type.startswith("TIMESTAMP") else "'0'"


def _open(con: DuckDBPyConnection) -> None:
    """Empty the tables, and record the steps that they come from: from now on they are a lake."""
    # Files that go as a whole: rows that were ever in the catalog, `tidy` would write into files.
    _inline(con, 0)
    with using(con, NAME), transaction(con):
        for name in OFTEN_EMPTY:
            con.execute(f"DELETE FROM {name}")
    _inline(con, INLINED)
    with using(con, NAME), transaction(con):
        for step in known_migrations():
            record_step(con, step.number, step.name)
    con.execute(f"CALL ducklake_expire_snapshots('{NAME}', older_than => now())")
    con.execute(f"CALL ducklake_cleanup_old_files('{NAME}', cleanup_all => true)")


def _inline(con: DuckDBPyConnection, rows: int) -> None:
    con.execute(f"CALL {NAME}.set_option('data_inlining_row_limit', {rows})")


def _comment(con: DuckDBPyConnection, what: str, text: str | None) -> None:
    if text is not None:
        con.execute(f"COMMENT ON {what} IS {literal(text)}")


def _migrate(con: DuckDBPyConnection, steps: list[Migration]) -> None:
    """Take the lake through the steps that it lacks: all of them, or none."""
    with using(con, NAME), transaction(con):
        for step in steps:
            con.execute(translated(step.sql))
            record_step(con, step.number, step.name)


@contextmanager
def using(con: DuckDBPyConnection, database: str) -> Iterator[None]:
    """Let names without a database be of this one; a transaction begins and ends within."""
    ((before,),) = con.execute("SELECT current_database()").fetchall()
    con.execute(f"USE {identifier(database)}")
    try:
        yield
    finally:
        con.execute(f"USE {identifier(before)}")


def translated(sql: str) -> str:
    """A step of ours as a lake takes it."""
    for ours, theirs in TYPES.items():
        sql = re.sub(rf"\b{ours}\b", theirs, sql)
    return _CHECK.sub("", sql)
