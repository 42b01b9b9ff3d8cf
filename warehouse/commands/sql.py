"""`sql`: any question, reading only."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.databases import refuse_effects
from warehouse.commands.output import add_format, emit
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`sql QUERY`."""
    parser = words.add_parser(
        "sql",
        help="ask in SQL",
        description="Ask a snapshot of the warehouse in SQL. Nothing can be written. Tables, "
        'views and macros are listed by "FROM duckdb_tables()", and in docs/sql.md.',
    )
    parser.add_argument("query", help="the query; - reads it from standard input")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what the query gives."""
    import duckdb

    text = _input() if arguments.query == "-" else arguments.query
    if not text.strip():
        raise WarehouseError("the query is empty")
    with connect(arguments.results) as con:
        try:
            for statement in con.extract_statements(text):
                if statement.type == duckdb.StatementType.SELECT:
                    refuse_effects(con, statement.query)
            con.execute(text)
            columns = [column[0] for column in con.description or ()]
            rows = con.fetchall() if columns else []
        except duckdb.Error as error:
            raise WarehouseError(f"the query does not work: {_brief(error)}") from error
        except (OverflowError, ValueError) as error:  # a moment or a span that Python cannot hold
            raise WarehouseError(
                f"what the query gives cannot be shown ({error}); cast it to VARCHAR"
            ) from error
    if columns:
        emit(columns, rows, arguments.format)
    return 0


def _input() -> str:
    """All of standard input."""
    if sys.stdin is None:
        raise WarehouseError(
            "standard input is closed; send the query there, or give it as a word"
        )
    try:
        text = sys.stdin.read()
        text.encode()  # in some locales, bytes that are no text come as surrogates
    except UnicodeError as error:
        raise WarehouseError("what standard input holds is not UTF-8 text") from error
    except OSError as error:
        raise WarehouseError(f"standard input cannot be read ({error.strerror})") from error
    return text


def _brief(error: Exception) -> str:
    """DuckDB's sentence and the marked place, without the advice that follows."""
    message = str(error).strip()
    if (
        "is no reading" in message
        or "external access" in message
        or "disabled by configuration" in message
    ):
        return "this command only reads the warehouse; other files are out of its reach"
    if "read-only mode" in message:
        return "this command only reads the warehouse"
    return message
