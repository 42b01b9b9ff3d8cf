"""The tables of a lake: those of `warehouse/schema`, as DuckLake takes them.

It has no keys, no CHECK, and keeps a HUGEINT as a DOUBLE; that is all that is translated, here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.databases import identifier, literal
from warehouse.database import Migration, known_migrations, record_step, transaction
from warehouse.lake.opening import NAME, LakeError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

TYPES = {"HUGEINT": "DECIMAL(38,0)"}
"""Types that a lake has in the place of ours."""
INLINED = 200
"""Rows up to which an insert stays in the catalog, until `tidy` writes them into files: one run at
a time would else make a file for each table."""
_CHECK = re.compile(r",\s*CHECK \(.*?\)(?=\s*\);)", re.DOTALL)


def bring_up_to_date(con: DuckDBPyConnection, of: str) -> None:
    """Make the tables, or migrate them, in one transaction; the caller holds the lake's lock.

    of: the database of the connection that has today's tables, empty.

    Raises WarehouseError where a newer program has written the lake, LakeError where it is
    another program's.
    """
    done = _applied(con)
    if done is None:
        _make(con, of)
        return
    if todo := [step for step in known_migrations() if step.number not in done]:
        _migrate(con, todo)


def check(con: DuckDBPyConnection) -> None:
    """Raise WarehouseError where the lake is not of today's schema; only look."""
    done = _applied(con)
    if done is None or (missing := [s for s in known_migrations() if s.number not in done]):
        newest = 0 if done is None else max(done)
        known = f"schema {newest}" if newest else "empty"
        raise WarehouseError(
            f"the lake is of an older Sweephouse ({known}): the next `python -m warehouse sync` "
            "by someone who may write brings it up to date"
            + (f" ({len(missing)} steps)" if done is not None and len(missing) > 1 else "")
        )


def _applied(con: DuckDBPyConnection) -> set[int] | None:
    """The numbers of the steps that the lake has; None where it is empty."""
    tables = con.execute(
        f"SELECT table_name FROM duckdb_tables() WHERE database_name = '{NAME}'"
    ).fetchall()
    names = {name for (name,) in tables}
    if "migrations" not in names:
        if names:
            raise LakeError(
                "the catalog holds a DuckLake, but no Sweephouse warehouse "
                f"(it has the table {min(names)}): give another database, or schema=NAME in the "
                "lake's address"
            )
        return None
    rows = con.execute(f"SELECT number FROM {NAME}.main.migrations").fetchall()
    done = {number for (number,) in rows}
    newest = max(step.number for step in known_migrations())
    if done and max(done) > newest:
        raise WarehouseError(
            f"the lake was written by a newer Sweephouse (schema {max(done)}, this one knows "
            f"{newest}); update Sweephouse, nothing was changed"
        )
    return done


def _make(con: DuckDBPyConnection, of: str) -> None:
    """All tables, with their comments, and the record of the steps that they come from."""
    tables = con.execute(
        "SELECT table_name, comment FROM duckdb_tables() WHERE database_name = $1 "
        "AND schema_name = 'main' AND NOT temporary ORDER BY table_name",
        [of],
    ).fetchall()
    with using(con, NAME), transaction(con):
        for table, comment in tables:
            columns = con.execute(
                "SELECT column_name, data_type, is_nullable, comment FROM duckdb_columns() "
                "WHERE database_name = $1 AND schema_name = 'main' AND table_name = $2 "
                "ORDER BY column_index",
                [of, table],
            ).fetchall()
            declared = ", ".join(
                f"{identifier(name)} {TYPES.get(type_, type_)}{'' if nullable else ' NOT NULL'}"
                for name, type_, nullable, _ in columns
            )
            con.execute(f"CREATE TABLE {identifier(table)} ({declared})")
            _comment(con, f"TABLE {identifier(table)}", comment)
            for name, _, _, of_column in columns:
                _comment(con, f"COLUMN {identifier(table)}.{identifier(name)}", of_column)
        for step in known_migrations():
            record_step(con, step.number, step.name)
    con.execute(f"CALL {NAME}.set_option('data_inlining_row_limit', {INLINED})")


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
