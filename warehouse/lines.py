"""One line of a journal: is it a record, whole and well typed? If not, why?

The checks are derived from the dataclasses in `runner.journal.records`: the two cannot drift.
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
from pathlib import PurePosixPath
from typing import Any, Literal

from runner.journal.records import FORMAT_VERSION, KINDS

LONGEST = 16_000_000
DEEPEST = 64
"""Levels of lists and objects in a field that may hold anything."""
Fields = dict[str, Any]
Check = Callable[[Any], Any]
_NAMES = frozenset({"NaN", "Infinity", "-Infinity"})
# Made once: json.dumps would make one for every line.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode
SAFE_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")


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
    fields = {name: _field(body, name, *how) for name, how in checks}
    if (agree := _AGREE.get(typing.cast(str, kind))) is not None:
        agree(fields)
    return typing.cast(str, kind), fields


def dump(fields: Fields) -> bytes:
    """Checked fields as one line for DuckDB's read_json."""
    return _ENCODE(fields).encode() + b"\n"


def _field(body: Fields, name: str, check: Check, default: Any) -> Any:
    value = body.get(name, default)
    if value is dataclasses.MISSING:
        raise BadLineError(f"field {name!r} is missing")
    try:
        return check(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise BadLineError(f"field {name!r} has a wrong value: {value!r:.60}") from None


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
    # It is a place below the results folder, and nowhere else.
    path = PurePosixPath(_name(value))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError
    return str(value)


def _id(value: Any) -> str:
    # It becomes a file name.
    if not SAFE_ID.fullmatch(_text(value)):
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


def _item(**checks: Check) -> Check:
    """The check of a list of objects that have these keys; others are left out."""

    def items(value: Any) -> Any:
        if type(value) is not list or not all(type(item) is dict for item in value):
            raise TypeError
        return [{key: check(item.get(key)) for key, check in checks.items()} for item in value]

    return items


def _checks_for(kind: type) -> list[tuple[str, tuple[Check, Any]]]:
    hints = typing.get_type_hints(kind)
    found = []
    for field in dataclasses.fields(kind):
        name = field.name
        check = _BY_NAME.get(name) or _check_for(hints[name])
        default = field.default
        if field.default_factory is not dataclasses.MISSING:
            default = field.default_factory()
        if default is None and name in _BY_NAME:
            check = _optional(check)
        found.append((name, (check, default)))
    return found


def _optional(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _confusion(fields: Fields) -> None:
    """Places that are none in `classes` would end the whole batch."""
    places = range(len(fields["classes"]))
    if not len(fields["actual"]) == len(fields["predicted"]) == len(fields["rows"]):
        raise BadLineError("'actual', 'predicted' and 'rows' have different lengths")
    if not all(place in places for place in (*fields["actual"], *fields["predicted"])):
        raise BadLineError("'actual' or 'predicted' holds a place that is none of 'classes'")


def _care(fields: Fields) -> None:
    """A deletion of no run would, in SQL, be one of every run."""
    if fields["run_id"] is None and fields["action"] != "collect":
        raise BadLineError(f"a {fields['action']} without a run_id")
    if fields["text"] is None and fields["action"] not in ("delete", "undelete"):
        raise BadLineError(f"a {fields['action']} without a text")


_BY_NAME: dict[str, Check] = {
    "run_id": _id,
    "entry_id": _id,
    "uri": _uri,
    "started_at": _moment,
    "ended_at": _moment,
    "entered_at": _moment,
    "params": _item(name=_name, value=_optional(_text), number=_optional(number)),
    "components": _item(
        kind=_name, name=_name, distribution=_optional(_text), version=_optional(_text)
    ),
    "parents": _item(
        param=_name, run_id=_id, weights_id=_optional(_text), sha256=_optional(_text)
    ),
}
"""Fields of one name have one check, in every kind of record, beyond their annotation."""
_AGREE: dict[str, Callable[[Fields], None]] = {"confusion": _confusion, "care": _care}
"""How the fields of a record must fit each other."""
_CHECKS = {name: _checks_for(kind) for name, kind in KINDS.items()}
