"""The query over a source: that it is one SELECT, and which columns come out of it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from runner.data.sources.column import Column
from runner.data.sources.database import Database
from runner.data.sources.file_table import texts_of
from runner.data.sources.reading import As, Reading
from runner.data.sources.source import RowSource
from runner.data.sources.typed import Found, find_types, remarks_on
from runner.errors import DataError
from runner.system.databases import identifier, literal, refuse_effects

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

MANY = 20
"""More names than these are not all listed."""
ROW_BY_ROW = re.compile(r"PROJECTION|FILTER|SEQ_SCAN|TABLE_SCAN|READ_PARQUET|PARQUET_SCAN")
"""The steps of a plan in which every row that comes out is made of one row of the source."""


@dataclass(frozen=True)
class Query:
    """A checked SELECT and its columns."""

    text: str
    columns: tuple[Column, ...]
    table: str | None
    """The one table or, of files, `source`, each row of which gives at most one row of the
    result, so that a part of the table gives a part of the result; None where it is not so."""
    place: str = "dataset.query"
    """What a sentence calls it: the query, or the source where there is none."""
    reading: Reading = field(default_factory=Reading)
    """How the source and the result are read, to read other rows in the same way."""
    found: Found = field(default_factory=Found)
    """What may be otherwise about that."""

    def column(self, wanted: str, place: str) -> Column:
        """The column of that name, whatever its case; DataError with the near ones.

        place: which key of the config names it.
        """
        for column in self.columns:
            if column.name == wanted:
                return column
        for column in self.columns:
            if column.name.lower() == wanted.lower():
                return column
        raise DataError(
            f"{place}={wanted} names no column of {self.place}: "
            + _near(wanted, (column.name for column in self.columns))
        )


def read_query(database: Database, text: str | None) -> Query:
    """Check the query and find its columns, without reading rows.

    text: None: all of the files, or of the one table.

    Raises DataError for anything but one SELECT, and for unknown tables and columns.
    """
    import duckdb

    source = database.source
    with database.cursor() as cursor:
        select = _one_select(cursor, text, source) if text else _everything(database)
        try:
            if text or not source.is_files:
                refuse_effects(cursor, f"FROM (\n{select}\n)")
            described = cursor.execute(f"DESCRIBE FROM (\n{select}\n)").fetchall()
        except duckdb.CatalogException as error:
            raise DataError(_unknown_table(str(error), database)) from None
        except duckdb.BinderException as error:
            raise DataError(_unknown_column(str(error), source)) from None
        columns = [Column(row[0], row[1]) for row in described]
        table = _row_by_row(cursor, select)
        reading, found = _reading(cursor, database, select, columns)
        fitted = reading.of_results.select(columns, f"(\n{select}\n)", source.where)
        if not fitted.startswith("FROM"):
            select = fitted
            described = cursor.execute(f"DESCRIBE {select}").fetchall()
        return Query(
            text=select,
            columns=tuple(Column(row[0], row[1]) for row in described),
            table=table,
            place=source.text if text is None else source.wording.the_query,
            reading=reading,
            found=found,
        )


def _reading(
    cursor: DuckDBPyConnection, database: Database, select: str, columns: Sequence[Column]
) -> tuple[Reading, Found]:
    """How the result of the query is read, and what about it may be otherwise."""
    if database.known is not None:
        return database.known, Found()
    if database.files is not None:
        reading, found = database.files.reading, database.files.found
        results = {
            c.name: As(c.type)
            for c in columns
            if c.name not in reading.columns or reading.columns[c.name].type != c.type
        }
        return replace(reading, results=results), found
    options = database.options
    table = f"(\n{select}\n)"
    found = find_types(
        columns, lambda names: texts_of(cursor, table, names), options, times=database.times
    )
    if not options.of_values:
        others = [column for column in columns if column.name not in database.times]
        found.add(remarks_on(others, lambda names: texts_of(cursor, table, names)))
    return Reading(missing=options.missing, results=found.columns), found


def _one_select(cursor: DuckDBPyConnection, text: str, source: RowSource) -> str:
    """The query without its semicolon, if it is one SELECT."""
    import duckdb

    query = source.wording.the_query

    try:
        text.encode()
        statements = cursor.extract_statements(text)
    except duckdb.Error as error:
        reason = " ".join(str(error).partition("\n\n")[0].split()).partition(": ")[2]
        raise DataError(f"{query} is no valid SQL ({reason}): {_shortened(text)}") from None
    except UnicodeEncodeError:
        raise DataError(f"{query} holds what is not UTF-8: write it anew") from None
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        first = (text.split() or ["nothing"])[0].upper()
        what = f"holds {len(kinds)} statements" if len(kinds) > 1 else f"begins with {first}"
        raise DataError(f"{query} {what}: give exactly one SELECT, which only reads")
    return text.strip().rstrip(";")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def _everything(database: Database) -> str:
    """The query of a source that is given none."""
    source = database.source
    if source.is_files:
        return "FROM source"
    tables = database.tables()
    if len(tables) == 1:
        return f"FROM {identifier(tables[0])}"
    raise DataError(
        f"{source.where} has {len(tables)} tables ({_listed(tables)}): say which by "
        f"{source.wording.query}'SELECT * FROM …'"
    )


def _unknown_table(message: str, database: Database) -> str:
    source, query = database.source, database.source.wording.the_query
    table = re.search(r"(?:Table|View) with name \"?(.+?)\"? does not exist", message)
    if table is None:
        return f"{query} cannot be run: {message.partition(': ')[2].partition(chr(10))[0]}"
    have = ["source"] if source.is_files else database.tables()
    return (
        f"{query} names the table '{table[1]}', which {source.text} does not have: "
        f"{_near(table[1], have)}"
    )


def _unknown_column(message: str, source: RowSource) -> str:
    query = source.wording.the_query
    column = re.search(r'column "(.+?)" not found', message)
    message = " ".join(message.partition("\n\nLINE")[0].split()).partition(": ")[2]
    if column is None:
        return f"{query} cannot be run: {message}"
    have = re.findall(r'"([^"]+)"', message.partition("Candidate bindings: ")[2])
    hint = f"did you mean {' or '.join(have)}?" if have else "check its spelling"
    return f"{query} names the column '{column[1]}', which {source.text} lacks: {hint}"


def _near(wrong: str, available: Iterable[str]) -> str:
    """The near names, then all that there are."""
    names = list(available)
    lower = {name.lower(): name for name in names}
    near = difflib.get_close_matches(wrong.lower(), lower, n=2)
    hint = f"did you mean {' or '.join(lower[name] for name in near)}? " if near else ""
    return f"{hint}available: {_listed(names)}"


def _listed(names: Sequence[str]) -> str:
    return (", ".join(names[:MANY]) + (", …" if len(names) > MANY else "")) or "none"


def _row_by_row(cursor: DuckDBPyConnection, select: str) -> str | None:
    """The table of a query that only picks rows and computes from each alone."""
    [(serialized,)] = cursor.execute(f"SELECT json_serialize_sql({literal(select)})").fetchall()
    tree = json.loads(serialized)
    if tree.get("error") or len(tree["statements"]) != 1:
        return None
    table = tree["statements"][0]["node"].get("from_table", {})
    if table.get("type") != "BASE_TABLE" or table["schema_name"] or table["catalog_name"]:
        return None
    plan = json.loads(cursor.execute(f"EXPLAIN (FORMAT JSON) {select}").fetchall()[0][1])
    if all(ROW_BY_ROW.fullmatch(step) for step in _steps(plan)):
        return str(table["table_name"])
    return None


def _steps(plan: Sequence[dict[str, Any]]) -> Iterable[str]:
    for step in plan:
        yield step["name"].strip()
        yield from _steps(step["children"])
