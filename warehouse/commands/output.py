"""Rows as people and programs want to read them."""

from __future__ import annotations

import argparse
import csv
import json
import sys
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from runner.system.terminal import printable, say
from warehouse.journals.fields import number

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "csv", "json", "markdown")
Rows = Sequence[Sequence[Any]]


def add_format(words: argparse.ArgumentParser) -> None:
    """The option that chooses the form of the output."""
    words.add_argument(
        "--format", choices=FORMATS, default="table", help="how to print (default: table)"
    )


def emit(columns: Sequence[str], rows: Rows, form: str) -> None:
    """Print rows in one of the formats."""
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value, "") for value in row] for row in rows)
    elif form == "json":
        records = [dict(zip(columns, map(_jsonable, row), strict=True)) for row in rows]
        say_json(json.dumps(records, ensure_ascii=False, indent=1, allow_nan=False))
    elif form == "markdown":
        say("| " + " | ".join(map(in_line, columns)) + " |")
        say("|" + "---|" * len(columns))
        for row in rows:
            cells = (_cell(v, "").replace("|", "\\|").replace("\n", " ") for v in row)
            say("| " + " | ".join(cells) + " |")
    else:
        _table(columns, rows)


def say_json(text: str) -> None:
    """Print JSON; with more escapes it is the same, and a terminal does not act on them."""
    if printable(text) != text:
        text = "".join(c if printable(c) == c else f"\\u{ord(c):04x}" for c in text)
    print(text)


def in_line(text: str) -> str:
    """The text as it may stand in the middle of a line."""
    return printable(text).replace("\n", "\\n").replace("\t", "\\t")


def console() -> Console:
    """Colour and wrapping on a terminal; elsewhere plain lines as long as they need to be."""
    from rich.console import Console

    return Console() if sys.stdout.isatty() else Console(width=10_000, highlight=False)


def short(value: Any) -> str:
    """A value for people: six significant digits, moments to the second."""
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if isinstance(value, list):
        return " ".join(map(short, value))
    return "" if value is None else str(value)


def _table(columns: Sequence[str], rows: Rows) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(columns):
        numbers = any(isinstance(row[index], int | float | Decimal) for row in rows)
        table.add_column(
            Text(in_line(name)), justify="right" if numbers else "left", overflow="fold"
        )
    for row in rows:
        table.add_row(*(Text(in_line(_cell(value, "-"))) for value in row))
    console().print(table)


def _cell(value: Any, nothing: str) -> str:
    if value is None:
        return nothing
    if isinstance(value, list | dict):
        return json.dumps(_jsonable(value), ensure_ascii=False)
    return str(value)


def _jsonable(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return {str(key): _jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(item) for item in value]
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
