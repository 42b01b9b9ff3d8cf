"""The answer to a query: its rows as they come, every value as Python can hold it.

Python has no month, no day before its first year and no nanosecond, and DuckDB's client cuts or
refuses what does not fit. So DuckDB itself writes such values as text, wherever they are nested.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.system.databases import identifier, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

CHUNK = 2_000
"""Rows that are fetched at once."""
_PLAIN = re.compile(r"boolean|u?(tiny|small|big|huge)?int(eger)?|float|double|decimal|varchar")
"""The types, as DuckDB's client calls them, whose every value Python holds."""
_MOMENT = re.compile(r"(\d+-\d\d-\d\d) (\d\d:\d\d:\d\d(?:\.\d+)?)(?:([+-]\d\d)(:\d\d)?)?")
Row = Sequence[Any]
Convert = Callable[[Any], Any]


class Answer(NamedTuple):
    """Names, which may be equal, and rows; `iso` gives a row with its moments as ISO 8601."""

    columns: list[str]
    rows: Iterator[Row]
    iso: Callable[[Row], Row]


def with_values(query: str, **values: str | Sequence[str] | None) -> str:
    """The query with its `$name`s written out: for values given apart, DuckDB imports pandas.

    That takes longer than most queries.
    """
    return re.sub(r"\$(\w+)", lambda name: _spelled(values[name[1]]), query)


def _spelled(value: str | Sequence[str] | None) -> str:
    if value is None:
        return "NULL"
    return literal(value) if isinstance(value, str) else f"[{', '.join(map(literal, value))}]"


def ask(con: DuckDBPyConnection, query: str, values: object = None) -> Answer:
    """Run a SELECT; raises duckdb.Error now or, where it comes late, from `rows`."""
    relation = con.sql(query, params=values)
    kinds = relation.types
    names = [f"c{index}" for index in range(len(kinds))]
    shown = [_readable(kind) for kind in kinds]
    if any(readable is not None for readable in shown):
        casts = (
            name if readable is None else f"{name}::{readable}"
            for name, readable in zip(names, shown, strict=True)
        )
        # Numbered, since names may be equal; on lines of its own, since it may end in a comment.
        inner = f"(\n{query.strip().removesuffix(';')}\n) AS answer({', '.join(names)})"
        query = f"SELECT {', '.join(casts)} FROM {inner}"
    con.execute(query, values)
    converts = [_iso_of(kind) for kind in kinds]
    return Answer(list(relation.columns), _rows(con), lambda row: _converted(row, converts))


def _rows(con: DuckDBPyConnection) -> Iterator[Row]:
    """The rows of what was asked last; the first chunk is fetched at once."""
    first = con.fetchmany(CHUNK)
    return chain(first, chain.from_iterable(iter(lambda: con.fetchmany(CHUNK), [])))


def _readable(kind: Any) -> str | None:
    """The type to cast to so that Python can hold the values; None where it can already."""
    if _PLAIN.fullmatch(kind.id):
        return None
    if kind.id in ("list", "array"):
        size = str(kind.children[1][1]) if kind.id == "array" else ""
        inner = _readable(kind.children[0][1])
        return inner and f"{inner}[{size}]"
    if kind.id == "map":
        (_, key), (_, item) = kind.children
        # A list is no key of a dictionary.
        forms = [
            str(key) if _PLAIN.fullmatch(key.id) else "VARCHAR",
            _readable(item) or _written(item),
        ]
        return None if forms == [str(key), str(item)] else f"MAP({', '.join(forms)})"
    if kind.id == "struct":
        inners = [(name, child, _readable(child)) for name, child in kind.children]
        if all(inner is None for *_, inner in inners):
            return None
        if all(name for name, *_ in inners):
            forms = [
                f"{identifier(name)} {inner or _written(child)}" for name, child, inner in inners
            ]
            return f"STRUCT({', '.join(forms)})"
    return "VARCHAR"


def _written(kind: Any) -> str:
    """The type in SQL; VARCHAR where that has no words for it: a struct without names within."""
    return "VARCHAR" if _nameless(kind) else str(kind)


def _nameless(kind: Any) -> bool:
    """Whether it is, or holds, a struct without names."""
    if kind.id not in ("list", "array", "map", "struct"):
        return False
    inner = [(name, child) for name, child in kind.children if hasattr(child, "id")]
    return any((kind.id == "struct" and not name) or _nameless(child) for name, child in inner)


def _iso_of(kind: Any) -> Convert | None:
    """What makes ISO 8601 of the moments in a value of this type; None where it has none."""
    if kind.id.startswith("timestamp"):
        return _iso
    if kind.id in ("list", "array", "map"):
        # Of a map, the keys are text in JSON anyhow.
        inner = _iso_of(kind.children[-1 if kind.id == "map" else 0][1])
        if inner is None:
            return None
        if kind.id == "map":
            return lambda value: value and {key: inner(item) for key, item in value.items()}
        return lambda value: value and [inner(item) for item in value]
    if kind.id == "struct":
        inners = {name: _iso_of(child) for name, child in kind.children}
        if not any(inners.values()) or not all(inners):
            return None
        return lambda value: (
            value
            and dict(
                zip(value, _converted(list(value.values()), list(inners.values())), strict=True)
            )
        )
    return None


def _converted(row: Row, converts: Sequence[Convert | None]) -> Row:
    return [
        value if convert is None or value is None else convert(value)
        for value, convert in zip(row, converts, strict=True)
    ]


def _iso(text: Any) -> Any:
    """DuckDB's text of a moment as ISO 8601; infinity and years before the first as they are."""
    moment = isinstance(text, str) and _MOMENT.fullmatch(text)
    if not moment:
        return text
    date, time, hours, minutes = moment.groups()
    return f"{date}T{time}{hours or ''}{minutes or (':00' if hours else '')}"
