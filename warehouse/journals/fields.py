"""The fields of records: from an annotation, the check of a value and its type in DuckDB.

All of it is derived from the dataclasses in `runner.journal.records`: the formats cannot drift.
A value that passes its check comes out normalised: what DuckDB is given later was written by us.
"""

from __future__ import annotations

import dataclasses
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple

from runner.journal.records import Id, Moment, Name, Uri
from runner.system.databases import identifier

DEEPEST = 64
"""Levels of lists and objects in a field that may hold anything."""
Check = Callable[[Any], Any]
"""Gives the value back, normalised, or raises TypeError, ValueError or OverflowError."""
SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_NOT_FINITE = frozenset({"NaN", "Infinity", "-Infinity"})


class Form(NamedTuple):
    """The form of the values of one annotation."""

    sql: str
    """The type as which DuckDB reads them."""
    check: Check
    is_anything: bool = False
    """Whether it is an object of whatever content, which DuckDB gets as the text of its JSON."""


class Field(NamedTuple):
    """A field of a record; `default` is MISSING where every line must have it."""

    name: str
    form: Form
    default: Any


def fields_of(record: type) -> list[Field]:
    """The fields of a dataclass, in their order."""
    hints = typing.get_type_hints(record, include_extras=True)
    return [
        Field(
            field.name,
            form_of(hints[field.name]),
            field.default
            if field.default_factory is dataclasses.MISSING
            else field.default_factory(),
        )
        for field in dataclasses.fields(record)
    ]


def form_of(hint: Any) -> Form:
    """The form that an annotation stands for."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    if typing.is_typeddict(hint):
        return _struct(hint)
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        return Form("VARCHAR", _one_of(frozenset(inner)))
    if origin in (typing.Union, types.UnionType):
        (some,) = [form_of(arm) for arm in inner if arm is not type(None)]
        return some._replace(check=_optional(some.check))
    if origin is Mapping:
        each = form_of(inner[1])
        sql = "VARCHAR" if each.is_anything else f"MAP(VARCHAR, {each.sql})"
        return Form(sql, _mapping(each.check), each.is_anything)
    if origin is Sequence:
        each = form_of(inner[0])
        return Form(f"{each.sql}[]", _sequence(each.check))
    raise NotImplementedError(f"no form for {hint}")


def number(value: Any) -> float | str:
    """The number as JSON can say it: NaN and infinity by their names."""
    if type(value) is float:
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is int:
        return float(value)
    if type(value) is str and value in _NOT_FINITE:
        return value
    raise TypeError


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    if not value.isascii():
        # Lone surrogates are legal for Python's parser and fatal for DuckDB's; here, so that two
        # names which then are one stay one key.
        value = value.encode("utf-8", "replace").decode()
    return str(value).replace("\0", "\ufffd")


def _name(value: Any) -> str:
    if not (name := _text(value)):
        raise ValueError
    return name


def _uri(value: Any) -> str:
    uri = _name(value)
    path = PurePosixPath(uri)
    if path.is_absolute() or ".." in path.parts:
        raise ValueError
    return uri


def _id(value: Any) -> str:
    if not SAFE_ID.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(_text(value))
    # One that names no zone was written in UTC.
    moment = moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return moment.isoformat(sep=" ", timespec="microseconds")


def _integer(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise TypeError
    return value


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _anything(value: Any, depth: int = 0) -> Any:
    if depth > DEEPEST:
        raise ValueError
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _anything(item, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_anything(item, depth + 1) for item in value]
    return value


_PLAIN: dict[Any, Form] = {
    str: Form("VARCHAR", _text),
    Name: Form("VARCHAR", _name),
    Id: Form("VARCHAR", _id),
    Uri: Form("VARCHAR", _uri),
    Moment: Form("TIMESTAMPTZ", _moment),
    int: Form("BIGINT", _integer),
    float: Form("DOUBLE", number),
    bool: Form("BOOLEAN", _flag),
    Any: Form("VARCHAR", _anything, is_anything=True),
}


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _one_of(allowed: frozenset[str]) -> Check:
    def one_of(value: Any) -> Any:
        if _text(value) not in allowed:
            raise ValueError
        return value

    return one_of


def _mapping(check: Check) -> Check:
    def mapping(value: Any) -> Any:
        if type(value) is not dict:
            raise TypeError
        return {_text(key): check(item) for key, item in value.items()}

    return mapping


def _sequence(check: Check) -> Check:
    def sequence(value: Any) -> Any:
        if type(value) is not list:
            raise TypeError
        return [check(item) for item in value]

    return sequence


def _struct(record: Any) -> Form:
    """The form of objects that have these keys; others are left out."""
    hints = typing.get_type_hints(record, include_extras=True)
    forms = {key: form_of(hint) for key, hint in hints.items()}
    checks = {key: form.check for key, form in forms.items()}

    def struct(value: Any) -> Any:
        if type(value) is not dict:
            raise TypeError
        return {key: check(value.get(key)) for key, check in checks.items()}

    inner = ", ".join(f"{identifier(key)} {form.sql}" for key, form in forms.items())
    return Form(f"STRUCT({inner})", struct)
