"""Rows as people and programs want to read them."""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import islice
from typing import TYPE_CHECKING, Any

from runner.system.terminal import printable, say
from warehouse.journals.fields import number

if TYPE_CHECKING:
    from rich.console import Console

FORMATS = ("table", "csv", "json", "markdown")
FRAME = 6
"""Lines of a terminal that are not for rows: the head of a table, and the prompts around it."""
FEWEST = 10
"""Rows that are printed however low the terminal is."""
COUNTED = 100_000
"""Rows that are counted beyond those that were printed."""
MEASURED = 1_000
"""Rows that say how wide the columns of a plain table are."""
WIDEST = 200
"""Characters that a column of one has at most: what is longer shifts the rest of its own row."""
Row = Sequence[Any]


def add_format(words: argparse.ArgumentParser) -> None:
    """The option that chooses the form of the output."""
    words.add_argument(
        "--format", choices=FORMATS, default="table", help="how to print (default: table)"
    )


def emit(columns: Sequence[str], rows: Iterable[Row], form: str, *, fitting: bool = False) -> None:
    """Print rows in one of the formats, as they come.

    fitting: of a table on a terminal only as many as it has room for, and how many more there are.
    """
    if form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows([_cell(value, "") for value in row] for row in rows)
    elif form == "json":
        _json(told_apart(columns), rows)
    elif form == "markdown":
        say("| " + " | ".join(map(in_line, columns)) + " |")
        say("|" + "---|" * len(columns))
        for row in rows:
            cells = (_cell(v, "").replace("|", "\\|").replace("\n", " ") for v in row)
            say("| " + " | ".join(cells) + " |")
    elif sys.stdout.isatty():
        _on_screen(columns, iter(rows), fitting=fitting)
    else:
        for line in _plain_table(columns, iter(rows)):
            print(line)


def told_apart(columns: Sequence[str]) -> list[str]:
    """The names, equal ones told apart by a count: an object has each key once."""
    names: list[str] = []
    for column in columns:
        name, count = column, 1
        # Not by a name that another column has.
        while name in names or (count > 1 and name in columns):
            count += 1
            name = f"{column}_{count}"
        names.append(name)
    return names


def _json(names: Sequence[str], rows: Iterable[Row]) -> None:
    between = "[\n "
    for row in rows:
        record = dict(zip(names, map(jsonable, row), strict=True))
        text = json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False)
        print(between, end="")
        print(_escaped(text.replace("\n", "\n ")), end="")
        between = ",\n "
    print("[]" if between.startswith("[") else "\n]")


def say_json(value: Any) -> None:
    """Print a value as JSON that every reader takes: NaN and infinity by their names."""
    print(_escaped(json.dumps(jsonable(value), ensure_ascii=False, indent=1, allow_nan=False)))


def _escaped(text: str) -> str:
    """JSON; with more escapes it is the same, and a terminal does not act on them."""
    if printable(text) == text:
        return text
    return "".join(c if printable(c) == c else f"\\u{ord(c):04x}" for c in text)


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
        return value.isoformat(sep=" ", timespec="seconds").replace("+00:00", "Z")
    if isinstance(value, list):
        return " ".join(map(short, value))
    return "" if value is None else str(value)


def _on_screen(columns: Sequence[str], rows: Iterator[Row], *, fitting: bool) -> None:
    """A table for a terminal, which wraps what is too wide."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    room = max(shutil.get_terminal_size().lines - FRAME, FEWEST) if fitting else None
    shown = list(islice(rows, room))
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, numbers in zip(columns, _are_numbers(columns, shown), strict=True):
        table.add_column(
            Text(in_line(name)), justify="right" if numbers else "left", overflow="fold"
        )
    for row in shown:
        table.add_row(*(Text(in_line(_cell(value, "-"))) for value in row))
    console().print(table)
    if more := sum(1 for _ in islice(rows, COUNTED + 1)):
        number = f"{more}" if more <= COUNTED else f"more than {COUNTED}"
        say(f"and {number} more rows: `| less -S` or `--format csv` gives them all")


def _plain_table(columns: Sequence[str], rows: Iterator[Row]) -> Iterator[str]:
    """Lines as long as they need to be; the first rows say how wide the columns are."""
    first = list(islice(rows, MEASURED))
    numbers = _are_numbers(columns, first)
    head = [in_line(name) for name in columns]
    lines = [[in_line(_cell(value, "-")) for value in row] for row in first]
    widths = [min(max(map(_width, cells)), WIDEST) for cells in zip(head, *lines, strict=True)]

    def line(cells: Sequence[str]) -> str:
        padded = (
            " " * (width - _width(cell)) + cell if right else cell + " " * (width - _width(cell))
            for cell, width, right in zip(cells, widths, numbers, strict=True)
        )
        return " " + "   ".join(padded) + " "

    yield ""
    yield line(head)
    yield " " + "─" * (len(line([""] * len(head))) - 2) + " "
    yield from map(line, lines)
    for row in rows:
        yield line([in_line(_cell(value, "-")) for value in row])
    yield ""


def _are_numbers(columns: Sequence[str], rows: Sequence[Row]) -> list[bool]:
    """Which columns hold numbers, and so stand to the right."""
    return [
        any(isinstance(row[index], int | float | Decimal) for row in rows)
        for index in range(len(columns))
    ]


def _width(text: str) -> int:
    """How many places of a terminal the text takes."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def _cell(value: Any, nothing: str) -> str:
    if value is None:
        return nothing
    if isinstance(value, list | tuple | dict):
        return json.dumps(jsonable(value), ensure_ascii=False)
    return str(value)


def jsonable(value: Any) -> Any:
    """The value with what JSON knows alone."""
    if isinstance(value, float):
        return number(value)
    if isinstance(value, dict):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, Decimal):
        # As text where a float has not all of its digits.
        return float(value) if Decimal(repr(float(value))) == value else str(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if value is None or isinstance(value, str | int):
        return value
    return str(value)
