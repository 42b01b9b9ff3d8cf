"""One line of a journal: is it a record, whole and well typed? If not, why?

The checks are derived from the dataclasses in `runner.records`, so that the two cannot drift.
A line that passes comes out normalised: what DuckDB is given later was written by us.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from runner.records import FORMAT_VERSION, KINDS

LONGEST = 16_000_000
Fields = dict[str, Any]
Check = Callable[[Any], Any]
_NAMES = frozenset({"NaN", "Infinity", "-Infinity"})
# Made once: json.dumps would make one for every line.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
_SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_MOMENTS = frozenset({"started_at", "ended_at", "entered_at"})
_IDS = frozenset({"run_id", "entry_id"})


class BadLineError(Exception):
    """The line is no record; the message says why."""


class NewerError(Exception):
    """The line is of a format version that this program does not know."""


def parse(line: bytes) -> tuple[str, Fields]:
    """The kind and the checked fields of one line."""
    if len(line) > LONGEST:
        raise BadLineError(f"longer than {LONGEST} bytes")
    try:
        body = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise BadLineError("no JSON") from None
    if not isinstance(body, dict):
        raise BadLineError("no JSON object")
    version = body.get("version", FORMAT_VERSION)
    if type(version) is int and version > FORMAT_VERSION:
        raise NewerError(f"format version {version}, this program knows {FORMAT_VERSION}")
    kind = body.get("record")
    checks = _CHECKS.get(kind) if isinstance(kind, str) else None
    if checks is None:
        raise BadLineError(f"unknown record kind {kind!r:.60}")
    return typing.cast(str, kind), {name: _field(body, name, *how) for name, how in checks}


def dump(fields: Fields) -> bytes:
    """Checked fields as one line for DuckDB's read_json."""
    text = _ENCODE(fields)
    # A lone surrogate is legal for Python's parser and fatal for DuckDB's.
    return text.encode("utf-8", "replace") + b"\n"


def _field(body: Fields, name: str, check: Check, default: Any) -> Any:
    value = body.get(name, default)
    if value is dataclasses.MISSING:
        raise BadLineError(f"field {name!r} is missing")
    try:
        return check(value)
    except (TypeError, ValueError, OverflowError):
        raise BadLineError(f"field {name!r} has a wrong value: {value!r:.60}") from None


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError
    return value.replace("\0", "\ufffd")


def _id(value: Any) -> str:
    # It becomes a file name.
    if not _SAFE_ID.fullmatch(_text(value)):
        raise ValueError
    return str(value)


def _moment(value: Any) -> str:
    moment = datetime.fromisoformat(_text(value))
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(sep=" ", timespec="microseconds")


def _integer(value: Any) -> int:
    if type(value) is not int or not -(2**63) <= value < 2**63:
        raise TypeError
    return value


def number(value: Any) -> float | str:
    """A number as JSON can say it: NaN and infinity by their names."""
    if type(value) is float:
        if math.isfinite(value):
            return value
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if type(value) is int:
        return float(value)
    if type(value) is str and value in _NAMES:
        return value
    raise TypeError


def _flag(value: Any) -> bool:
    if type(value) is not bool:
        raise TypeError
    return value


def _anything(value: Any) -> Any:
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {_text(key): _anything(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_anything(item) for item in value]
    return value


_PLAIN: dict[Any, Check] = {
    str: _text,
    int: _integer,
    float: number,
    bool: _flag,
    Any: _anything,
}


def _check_for(hint: Any) -> Check:
    """The check that a field's annotation stands for."""
    if hint in _PLAIN:
        return _PLAIN[hint]
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is Literal:
        allowed = frozenset(inner)

        def one_of(value: Any) -> Any:
            if _text(value) not in allowed:
                raise ValueError
            return value

        return one_of
    if origin in (typing.Union, types.UnionType):
        (some,) = [_check_for(arm) for arm in inner if arm is not type(None)]
        return lambda value: None if value is None else some(value)
    if origin is Mapping:
        each = _check_for(inner[1])

        def mapping(value: Any) -> Any:
            if type(value) is not dict:
                raise TypeError
            return {_text(key): each(item) for key, item in value.items()}

        return mapping
    if origin is Sequence:
        each = _check_for(inner[0])

        def sequence(value: Any) -> Any:
            if type(value) is not list:
                raise TypeError
            return [each(item) for item in value]

        return sequence
    raise NotImplementedError(f"no check for {hint}")


def _checks_for(kind: type) -> list[tuple[str, tuple[Check, Any]]]:
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        name = field.name
        check = _id if name in _IDS else _moment if name in _MOMENTS else _check_for(hints[name])
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default is None and (name in _IDS or name in _MOMENTS):
            check = _optional(check)
        found.append((name, (check, default)))
    return found


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


_CHECKS = {name: _checks_for(kind) for name, kind in KINDS.items()}
