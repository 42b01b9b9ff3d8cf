"""docs/sql.md, written from the comments in the schema: `python -m warehouse.document`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import duckdb

from warehouse.database import migrate, sql_of

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

HEAD = """\
# The warehouse in SQL

Written by `python -m warehouse.document > docs/sql.md` from the comments in `warehouse/schema/`
and `warehouse/views/`; the same comments are in the file itself (`FROM duckdb_columns()`).

`results/warehouse.duckdb` is read by any DuckDB client from 1.0 on. A client that has it open
keeps ingest waiting (journals wait, nothing is lost), so for anything longer than a glance use
`python -m warehouse sql "..."` or `warehouse.connect()`: they read a snapshot, running runs
included. Their connection reaches no file but that snapshot, and writes none: a DataFrame joins
in by `con.register("mine", frame)`, and what a query gives leaves by `.df()`, `.pl()`,
`.fetchall()` or `--format csv`. Tables of your own in the file are left alone; a changed table
of ours keeps journals waiting until `python -m warehouse rebuild`. NaN and infinity are kept as
such.

Moments are instants: `started_at > now() - INTERVAL 1 HOUR` is right wherever you live. The
commands and `warehouse.connect()` show and read them in UTC; another client does in the time zone
of its session (`SET TimeZone = 'UTC'`), and `timezone('Asia/Tokyo', started_at)` says what a clock
there showed.
"""


def document() -> str:
    """The whole page."""
    with duckdb.connect() as con:
        migrate(con)
        return "\n".join([HEAD, *_relations(con), *_macros(con), *_queries()])


def _relations(con: DuckDBPyConnection) -> Iterator[str]:
    for title, catalog, name in (
        ("Tables", "duckdb_tables()", "table_name"),
        ("Views", "duckdb_views()", "view_name"),
    ):
        yield f"## {title}\n"
        relations = con.execute(
            f"SELECT {name}, comment FROM {catalog} WHERE NOT internal ORDER BY {name}"
        ).fetchall()
        for relation, comment in relations:
            yield f"### {relation}\n\n{comment}\n\n| column | type | |\n|---|---|---|"
            columns = con.execute(
                "SELECT column_name, data_type, comment FROM duckdb_columns() "
                "WHERE table_name = ? AND NOT internal ORDER BY column_index",
                [relation],
            ).fetchall()
            yield "\n".join(f"| {n} | {kind} | {comment} |" for n, kind, comment in columns) + "\n"


def _macros(con: DuckDBPyConnection) -> Iterator[str]:
    yield "## Macros\n"
    macros = con.execute(
        "SELECT function_name, parameters, comment FROM duckdb_functions() "
        "WHERE NOT internal ORDER BY function_name"
    ).fetchall()
    for name, parameters, comment in macros:
        yield f"### {name}({', '.join(parameters)})\n\n{comment}\n"


def _queries() -> Iterator[str]:
    yield "## Worked questions\n\nEach is a file in `warehouse/queries/`.\n"
    for name, text in sql_of("queries"):
        yield f"### {name}\n\n```sql\n{text.strip()}\n```\n"


if __name__ == "__main__":
    print(document().strip())
