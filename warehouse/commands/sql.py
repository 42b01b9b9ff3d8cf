"""`sql`: any question, reading only."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.databases import refuse_effects_in
from warehouse.commands.answer import Answer, ask
from warehouse.commands.output import add_format, emit
from warehouse.snapshot import connect, in_brief

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words


def add(words: Words) -> None:
    """`sql QUERY`."""
    parser = words.add_parser(
        "sql",
        help="ask in SQL",
        description="Ask a snapshot of the warehouse in SQL. Nothing can be written. Tables, "
        'views and macros are listed by "FROM duckdb_tables()", and in docs/sql.md.',
    )
    parser.add_argument(
        "query",
        nargs="?",
        help="the query; - reads it from standard input; without one, a terminal is prompted",
    )
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what the query gives, or what each does that is typed."""
    if arguments.query is None:
        if sys.stdin is None or not sys.stdin.isatty():
            raise WarehouseError("the query is missing; give it as a word, or - to read it")
        from warehouse.commands.prompt import prompt

        return prompt(lambda: connect(arguments.results), partial(_print, arguments))
    text = _input() if arguments.query == "-" else arguments.query
    if not text.strip():
        raise WarehouseError("the query is empty")
    with connect(arguments.results) as con:
        _print(arguments, con, text)
    return 0


def _print(arguments: argparse.Namespace, con: DuckDBPyConnection, text: str) -> None:
    """Print what a query gives."""
    import duckdb

    try:
        statements = refuse_effects_in(con, text)
        if (answer := _answer(con, statements, text)) is not None:
            rows = map(answer.iso, answer.rows) if arguments.format == "json" else answer.rows
            emit(answer.columns, rows, arguments.format, fitting=True)
    except duckdb.Error as error:
        brief = in_brief(error, "this command")
        raise WarehouseError(f"the query does not work: {brief}") from error


def _answer(
    con: DuckDBPyConnection, statements: Sequence[duckdb.Statement], text: str
) -> Answer | None:
    """Run all statements: what the last one gives, if anything."""
    import duckdb

    # A PIVOT without an IN is taken apart into several statements, which have no text.
    if statements and not any(statement.query for statement in statements):
        return ask(con, text)
    if not all(statement.query for statement in statements):
        raise WarehouseError(
            "a PIVOT stands alone, or says its values, such as ON status IN ('failed', 'lost')"
        )
    for statement in statements[:-1]:
        con.execute(statement)
    for last in statements[-1:]:
        if last.type == duckdb.StatementType.SELECT:
            return ask(con, last.query)
        con.execute(last)
        if con.description:  # a plan, or what a setting is: text
            return Answer([name for name, *_ in con.description], iter(con.fetchall()), tuple)
    return None


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
