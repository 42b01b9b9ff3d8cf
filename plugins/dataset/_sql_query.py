"""The query over a source: that it is one SELECT, and which columns come out of it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from runner import DataError, refuse_effects

from ._sql_source import Database, Source, in_words, name, quoted

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Family = Literal["boolean", "integer", "float", "text", "date", "other"]
FAMILIES: tuple[tuple[str, Family], ...] = (
    (r"BOOLEAN", "boolean"),
    (r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?", "integer"),
    (r"FLOAT|DOUBLE|DECIMAL\(.*\)", "float"),
    (r"VARCHAR|UUID|ENUM\(.*\)", "text"),
    (r"DATE|TIME|TIMESTAMP(_S|_MS|_NS)?( WITH TIME ZONE)?", "date"),
)
MANY = 20
"""More names than these are not all listed."""
ROW_BY_ROW = re.compile(r"PROJECTION|FILTER|SEQ_SCAN|TABLE_SCAN|READ_PARQUET|PARQUET_SCAN")
"""The steps of a plan in which every row that comes out is made of one row of the source."""


@dataclass(frozen=True)
class Column:
    """One column of the query's result."""

    name: str
    type: str
    """As DuckDB calls it."""

    @property
    def family(self) -> Family:
        """What kind of values it holds."""
        for pattern, family in FAMILIES:
            if re.fullmatch(pattern, self.type):
                return family
        return "other"


@dataclass(frozen=True)
class Query:
    """A checked SELECT and its columns."""

    text: str
    columns: tuple[Column, ...]
    table: str | None
    """The one table or, of files, `source`, each row of which gives at most one row of the
    result, so that a part of the table gives a part of the result; None where it is not so."""

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
            f"{place}={wanted} names no column of dataset.query: "
            + _near(wanted, (column.name for column in self.columns))
        )


def read_query(database: Database, text: str | None) -> Query:
    """Check the query and find its columns, without reading rows.

    Raises DataError for anything but one SELECT, and for unknown tables and columns.
    """
    import duckdb

    source = database.source
    cursor = database.cursor()
    try:
        select = _one_select(cursor, text) if text else _everything(database)
        try:
            if text or not source.is_files:
                refuse_effects(cursor, f"FROM (\n{select}\n)")
            described = cursor.execute(f"DESCRIBE FROM (\n{select}\n)").fetchall()
        except duckdb.CatalogException as error:
            raise DataError(_unknown_table(str(error), database)) from None
        except duckdb.BinderException as error:
            raise DataError(_unknown_column(str(error), source)) from None
        except duckdb.Error:
            with in_words(source):
                raise
        columns = tuple(Column(row[0], row[1]) for row in described)
        return Query(select, columns, _row_by_row(cursor, select))
    finally:
        cursor.close()


def _one_select(cursor: DuckDBPyConnection, text: str) -> str:
    """The query without its semicolon, if it is one SELECT."""
    import duckdb

    try:
        text.encode()
        statements = cursor.extract_statements(text)
    except duckdb.Error as error:
        said = " ".join(str(error).partition("\n\n")[0].split()).partition(": ")[2]
        raise DataError(f"dataset.query is no valid SQL ({said}): {_shortened(text)}") from None
    except UnicodeEncodeError:
        raise DataError("dataset.query holds what is not UTF-8: write it anew") from None
    kinds = [statement.type for statement in statements]
    if kinds != [duckdb.StatementType.SELECT]:
        first = (text.split() or ["nothing"])[0].upper()
        what = f"holds {len(kinds)} statements" if len(kinds) > 1 else f"begins with {first}"
        raise DataError(f"dataset.query {what}: give exactly one SELECT, which only reads")
    return text.strip().rstrip(";")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else f"{line[:79]}…"


def _everything(database: Database) -> str:
    """The query of a source that is given none."""
    if database.source.is_files:
        return "FROM source"
    tables = database.tables()
    if len(tables) == 1:
        return f"FROM {name(tables[0])}"
    raise DataError(
        f"dataset.source={database.source.text} has {len(tables)} tables ({_listed(tables)}): say "
        "which by dataset.query='SELECT * FROM …'"
    )


def _unknown_table(said: str, database: Database) -> str:
    found = re.search(r"(?:Table|View) with name \"?(.+?)\"? does not exist", said)
    if found is None:
        return f"dataset.query cannot be run: {said.partition(': ')[2].partition(chr(10))[0]}"
    have = ["source"] if database.source.is_files else database.tables()
    return (
        f"dataset.query names the table '{found[1]}', which {database.source.text} does not "
        f"have: {_near(found[1], have)}"
    )


def _unknown_column(said: str, source: Source) -> str:
    found = re.search(r'column "(.+?)" not found', said)
    said = " ".join(said.partition("\n\nLINE")[0].split()).partition(": ")[2]
    if found is None:
        return f"dataset.query cannot be run: {said}"
    have = re.findall(r'"([^"]+)"', said.partition("Candidate bindings: ")[2])
    hint = f"did you mean {' or '.join(have)}?" if have else "check its spelling"
    return f"dataset.query names the column '{found[1]}', which {source.text} lacks: {hint}"


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
    tree = json.loads(_one(cursor, f"SELECT json_serialize_sql({quoted(select)})"))
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


def _one(cursor: DuckDBPyConnection, sql: str) -> Any:
    row = cursor.execute(sql).fetchone()
    assert row is not None
    return row[0]
