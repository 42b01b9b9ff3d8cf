"""`look`: what data hold, what is odd about them, and the command that trains on them."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from runner.errors import ConfigError, choices
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words
    from runner.data.look.held import ColumnLook, TableLook
    from runner.data.look.remark import Remarks

WIDTH = 99
SWEEP = "-m optimizer.learning_rate=3e-4,1e-3,3e-3 architecture.units=[32],[64,64]"
NAME = 24
ALIKE = 8
"""Remarks of one kind that are shown; --format json has them all."""
PARAMS = (
    "label",
    "query",
    "delimiter",
    "header",
    "encoding",
    "missing",
    "decimal",
    "thousands",
    "time_format",
    "task",
    "secret",
)
"""The params of `dataset=sql` that say how a table is read."""
KIND = {
    "integer": "whole number",
    "float": "number",
    "boolean": "yes or no",
    "date": "date",
    "text": "text",
    "other": "other",
}


def add(words: Words) -> None:
    """`look SOURCE`."""
    parser = words.add_parser(
        "look", description="Say what data hold, what is odd, and the command that trains on them."
    )
    parser.add_argument(
        "source",
        help="a CSV, Parquet or JSON file, a DuckDB or SQLite file, a database's URL, an .npz or "
        ".npy file, or a folder of images or texts",
    )
    parser.add_argument("options", nargs="*", metavar="dataset.key=value", help=_of_options())
    parser.add_argument("--query", help="a SELECT over the source; a file is the table `source`")
    parser.add_argument("--label", help="the column to predict; a guess without it")
    parser.add_argument("--format", choices=("text", "json"), default="text")
    parser.set_defaults(run=run)


def _of_options() -> str:
    return f"how a table is read: {', '.join(PARAMS)}"


def run(arguments: argparse.Namespace) -> int:
    """Print the look."""
    from runner.data.look.other import look_at_other
    from runner.data.look.remarks import remarks_on
    from runner.data.look.table import looked_at

    params = _given(arguments.options)
    label = arguments.label if arguments.label is not None else params.pop("label", None)
    query = arguments.query if arguments.query is not None else params.pop("query", None)
    if isinstance(label, list):
        raise ConfigError("--label takes one column: of several, look at one after the other")
    other = look_at_other(arguments.source)
    if other is not None:
        body = json.dumps(other.body, ensure_ascii=False)
        for line in [body] if arguments.format == "json" else other.lines:
            say(line)
        return 0
    with looked_at(arguments.source, query, label, params) as look:
        remarks = remarks_on(look, params.get("task", "auto"))
        if arguments.format == "json":
            from runner.data.look.command import as_body

            say(json.dumps(as_body(look, remarks), ensure_ascii=False, default=str))
        else:
            for line in lines_of(look, remarks):
                say(line)
    return 0


def _given(words: Sequence[str]) -> dict[str, Any]:
    """The values of the words, by the params' names; ConfigError for what is none."""
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    from runner.components.registry import load
    from runner.config.words import read_override

    given: dict[str, Any] = {}
    for word in words:
        key, equals, _ = word.partition("=")
        name = key.removeprefix("dataset.")
        if not equals or name not in PARAMS:
            raise ConfigError(
                f"{word} is not valid: {choices(name, PARAMS)}; such as 'dataset.decimal=\",\"'"
            )
        try:
            parse = OverridesParser.create().parse_override
            value = read_override(word, parse, multirun=False).value()
        except HydraException as error:
            raise ConfigError(f"{word} is not valid: {error}") from None
        given[name] = value
    if given:
        component = load().find("dataset", "sql")
        given = component.check({"source": "-", "label": "-", **given}, "dataset")
        keys = {word.partition("=")[0].removeprefix("dataset.") for word in words}
        given = {name: value for name, value in given.items() if name in keys}
    return {name: list(v) if isinstance(v, tuple) else v for name, v in given.items()}


def lines_of(look: TableLook, remarks: Remarks) -> Iterator[str]:
    """The look as a person reads it."""
    from runner.data.look.command import as_text, command_of, nothing_to_type

    yield f"{look.source.text}: {_rows(look)}, {len(look.columns)} columns{_written(look)}"
    yield ""
    yield from _columns(look)
    yield ""
    yield "the first rows:"
    yield from (f"  {line}" for line in _first_rows(look))
    if look.notes:
        yield ""
        yield "how it is read:"
        yield from (f"  {line}" for line in look.notes)
    if remarks.listed:
        yield ""
        yield "worth knowing:"
        yield from (f"  {line}" for line in _remarks(remarks))
    yield ""
    yield _about_label(look, remarks)
    words = command_of(look, remarks)
    yield ""
    if words is None:
        yield nothing_to_type(look, remarks)
        return
    yield "to train on it:"
    yield ""
    yield as_text(words)
    yield ""
    yield f"to sweep, type the same with {SWEEP} behind it"


def _remarks(remarks: Remarks) -> Iterator[str]:
    """A line for each thing; of those that hold for many columns, for the first ones."""
    counts = Counter(one.kind for one in remarks.listed)
    shown: Counter[str] = Counter()
    for one in remarks.listed:
        shown[one.kind] += 1
        if shown[one.kind] <= ALIKE:
            yield one.text
        elif shown[one.kind] == counts[one.kind]:
            yield f"and {counts[one.kind] - ALIKE} more columns like these ({one.kind})"


def _rows(look: TableLook) -> str:
    return f"the first {look.rows} rows" if look.more else f"{look.rows} rows"


def _written(look: TableLook) -> str:
    if look.dialect is None:
        return ""
    sign = {"\t": "tabs", " ": "blanks"}.get(look.dialect.delimiter, f"'{look.dialect.delimiter}'")
    names = "names in the first line" if look.dialect.header else "no names in the first line"
    return f"; parted by {sign}, {names}"


def _columns(look: TableLook) -> Iterator[str]:
    width = min(NAME, max(6, *(len(column.name) for column in look.columns)))
    yield f"  {'column':<{width}}  {'type':<12}  {'missing':>8}  {'distinct':>8}  values"
    for column in look.columns:
        head = (
            f"  {_cut(column.name, width):<{width}}  {KIND[column.family]:<12}  "
            f"{column.missing:>8}  {'' if column.distinct is None else column.distinct:>8}  "
        )
        yield head + _cut(_values(column), WIDTH - len(head))


def _values(column: ColumnLook) -> str:
    if column.family == "other":
        return column.column.type
    if column.low is None:
        return ""
    if column.family in ("text", "boolean") and column.common:
        shown = [f"{value} ({count})" for value, count in column.common[:6]]
        return ", ".join(shown) + (", …" if len(column.common) > 6 else "")
    if column.low == column.high:
        return column.low
    return f"{column.low} to {column.high}"


def _first_rows(look: TableLook) -> Iterator[str]:
    """The first rows below their columns' names, as many as fit."""
    table = [[column.name for column in look.columns], *look.first]
    cells = [
        ["" if cell is None else str(cell).replace("\n", " ") for cell in row] for row in table
    ]
    widths = [min(NAME, max(len(row[i]) for row in cells)) for i in range(len(look.columns))]
    for row in cells:
        line = "  ".join(
            f"{_cut(cell, width):<{width}}" for cell, width in zip(row, widths, strict=True)
        )
        yield _cut(line.rstrip(), WIDTH - 2)


def _about_label(look: TableLook, remarks: Remarks) -> str:
    guess = " (a guess; --label COLUMN names another)" if look.guessed else ""
    task = remarks.task
    if task is None:
        return f"the label: '{look.label}'{guess}"
    if task.kind == "regression":
        return f"the label: '{look.label}', numbers to predict (regression){guess}"
    count = 2 if task.kind == "binary" else task.outputs
    some = ", ".join(sorted(remarks.classes)[:6]) + (", …" if len(remarks.classes) > 6 else "")
    return f"the label: '{look.label}', {count} classes: {some} ({task.kind}){guess}"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: max(1, width - 1)]}…"
