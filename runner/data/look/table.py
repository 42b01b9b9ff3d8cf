"""A table as a run would read it: the options that it needs are found, then all is counted."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from runner.data.look.counting import copy_rows, count_all, odd_words
from runner.data.look.held import TableLook
from runner.data.sources.columns import is_date
from runner.data.sources.database import Database
from runner.data.sources.dialect import likely_encoding
from runner.data.sources.query import Query, read_query
from runner.data.sources.reading import Options
from runner.data.sources.source import RowSource, Wording, find_source
from runner.data.sources.typed import Found
from runner.errors import DataError
from runner.system.databases import identifier

if TYPE_CHECKING:
    pass

LABELS = ("label", "target", "y", "class", "klasse", "outcome", "zielgröße", "ziel")
"""What people call the column that is to be predicted."""
TRIES = 5
"""How often a table is read again with what was found out of it."""
FIRST = 1000
"""Rows whose order tells how dates are written."""
WORDING = Wording(source="", query="--query ", also="folder, .npz, .npy, ")


@contextmanager
def looked_at(
    text: str, query: str | None, label: str | None, given: Mapping[str, Any]
) -> Iterator[TableLook]:
    """The table, as it is read with what is given and with what it seems to need.

    Raises DataError where it cannot be read, and for a label that it has not.
    """
    params, notes = dict(given), []
    source = find_source(
        text,
        delimiter=params.get("delimiter"),
        secret=params.get("secret"),
        wording=WORDING,
        otherwise="csv",
    )
    given_none = source.kind == "csv" and params.get("encoding") is None
    if given_none and (encoding := likely_encoding(source.files[0])):
        params["encoding"] = encoding
        notes.append(f"it is no UTF-8 and read as {encoding}; dataset.encoding= says otherwise")
    guessed = label is None
    for tries in reversed(range(TRIES)):
        with _opened(source, query, params, label) as (database, read, lines):
            if label is None:
                label = _guessed_label(database, read)
                if read.column(label, "--label").family == "boolean":
                    continue  # read again with its own words: Yes, not true
            label = read.column(label, "--label").name
            changed, others = _with_what_it_needs(database, read, params, notes)
            if changed != params and tries:
                params = changed
                continue
            with database.cursor() as cursor:
                dialect = database.files.reading.dialect if database.files else None
                look = TableLook(source, query, params, label, guessed, notes, cursor, dialect)
                copy_rows(look, read)
                words = odd_words(look, params) if tries else []
                if words:
                    params = params | {"missing": [*params.get("missing", ()), *words]}
                    listed = ", ".join(map(repr, words[:5])) + ", …" * (len(words) > 5)
                    notes.append(f"{listed} in columns of numbers is read as missing")
                    continue
                count_all(look)
                notes += lines + ([read.found.about] if read.found.about else [])
                notes += [_in_doubt(name, read.found) for name in others]
                notes += [t for n, t in read.found.remarks.items() if n not in others]
                look.notes = list(dict.fromkeys(notes))
                yield look
                return


def _with_what_it_needs(
    database: Database, query: Query, params: dict[str, Any], notes: list[str]
) -> tuple[dict[str, Any], list[str]]:
    """The params with the options that the columns seem to need; the columns that need others."""
    found = query.found
    more, others = found.merged([column.name for column in query.columns], params)
    changed = more | _dates(database, query, found, more, notes)
    if changed != params:
        notes += [
            f"'{name}' holds {text}" for name, text in found.alike.items() if name not in others
        ]
    return changed, others


def _in_doubt(name: str, found: Found) -> str:
    return (
        f"'{name}' holds {found.alike[name]}, written otherwise than another column: it stays "
        "text, unless --query computes a number from it"
    )


@contextmanager
def _opened(
    source: RowSource, query: str | None, params: Mapping[str, Any], label: str | None
) -> Iterator[tuple[Database, Query, list[str]]]:
    """The source and its query, read with the params, and what was said meanwhile."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        database = Database(
            source,
            options=Options.of(params),
            names=[label] if label and not query else [],
            labels=[label] if label and params.get("task") != "regression" else [],
        )
        try:
            read = read_query(database, query)
        except BaseException:
            database.close()
            raise
    try:
        yield database, read, [str(one.message) for one in caught]
    finally:
        database.close()


def _guessed_label(database: Database, query: Query) -> str:
    """A column that is called as labels are, or the last one that may be one."""
    if len(query.columns) < 2:
        raise DataError(
            f"{database.source.text} has one column, '{query.columns[0].name}': a table needs a "
            "label and something to learn it from; if it has more, say dataset.delimiter="
        )
    for wanted in LABELS:
        for column in query.columns:
            if column.name.strip().lower() == wanted:
                return column.name
    usable = [c for c in query.columns if c.family not in ("date", "other")] or query.columns
    named = [identifier(column.name) for column in usable]
    several = ", ".join(f"coalesce(min({n}) <> max({n}), false)" for n in named)
    [row] = database.ask(f"SELECT {several} FROM (FROM (\n{query.text}\n) LIMIT {FIRST})")
    vary = [column.name for column, varies in zip(usable, row, strict=True) if varies]
    return vary[-1] if vary else usable[-1].name


def _dates(
    database: Database, query: Query, found: Found, params: Mapping[str, Any], notes: list[str]
) -> dict[str, Any]:
    """The option that reads dates in which the day may be the month, as it seems to be."""
    chosen: list[str] = []
    european = params.get("decimal") == "," or any(
        (read.format or "").startswith("%d") for read in found.columns.values()
    )
    american = any((read.format or "").startswith("%m") for read in found.columns.values())
    for name, formats in found.formats.items():
        rows = database.ask(
            f"SELECT {identifier(name)} FROM (\n{query.text}\n) "
            f"WHERE trim({identifier(name)}) <> '' LIMIT {FIRST}"
        )
        texts = [text for (text,) in rows]
        sorted_by = [form for form in formats if _is_sorted(texts, form)]
        form, why = formats[0], "a guess"
        if len(sorted_by) == 1:
            form, why = sorted_by[0], "by which the rows are in the order of time"
        elif american and not european:
            form = next((f for f in formats if f.startswith("%m")), form)
            why = "as in another column"
        elif european:
            why = "a guess by the rest of the table"
        other = next(f for f in formats if f != form)
        notes.append(
            f"in '{name}' the day cannot be told from the month ({texts[0]}): read as {form}, "
            f"{why}; {other} is the other way, by dataset.time_format="
        )
        chosen.append(form)
    before = params.get("time_format") or []
    before = [before] if isinstance(before, str) else list(before)
    formats_ = list(dict.fromkeys([*before, *chosen]))
    return {"time_format": formats_} if chosen else {}


def _is_sorted(texts: Sequence[str], form: str) -> bool:
    if not all(is_date(text, form) for text in texts):
        return False
    times = [datetime.strptime(text.strip(), form) for text in texts]
    ups = [after >= before for before, after in pairwise(times)]
    return len(set(times)) > 2 and (all(ups) or not any(ups))
