"""One line of a journal: is it a record, whole and well typed? If not, why?"""

from __future__ import annotations

import dataclasses
import json
import typing
from collections.abc import Callable
from typing import Any

from runner.journal.records import FORMAT_VERSION, KINDS
from warehouse.journals.fields import Field, fields_of

LONGEST = 16_000_000
Fields = dict[str, Any]
# Made once: json.dumps would make one for every line.
_ENCODE = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


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
    expected = FIELDS.get(kind) if isinstance(kind, str) else None
    if expected is None:
        raise BadLineError(f"unknown record kind {kind!r:.60}")
    fields = {field.name: _checked(body, field) for field in expected}
    if (agree := _AGREE.get(typing.cast(str, kind))) is not None:
        agree(fields)
    return typing.cast(str, kind), fields


def dump(fields: Fields) -> bytes:
    """Checked fields as one line for DuckDB's read_json."""
    return _ENCODE(fields).encode() + b"\n"


def _checked(body: Fields, field: Field) -> Any:
    value = body.get(field.name, field.default)
    if value is dataclasses.MISSING:
        raise BadLineError(f"field {field.name!r} is missing")
    try:
        return field.form.check(value)
    except (TypeError, ValueError, OverflowError, RecursionError):
        raise BadLineError(f"field {field.name!r} has a wrong value: {value!r:.60}") from None


def _epoch(fields: Fields) -> None:
    if fields["epoch"] < 1:
        raise BadLineError("epochs count from 1")


def _run_end(fields: Fields) -> None:
    if fields["status"] == "running":
        raise BadLineError("a run_end cannot say that the run is running")


def _confusion(fields: Fields) -> None:
    """Raise BadLineError for places that are none in `classes`: they would end the whole batch."""
    places = range(len(fields["classes"]))
    if not len(fields["actual"]) == len(fields["predicted"]) == len(fields["rows"]):
        raise BadLineError("'actual', 'predicted' and 'rows' have different lengths")
    if not all(place in places for place in (*fields["actual"], *fields["predicted"])):
        raise BadLineError("'actual' or 'predicted' holds a place that is none of 'classes'")


def _care(fields: Fields) -> None:
    """Raise BadLineError for a deletion of no run: in SQL it would be one of every run."""
    if fields["run_id"] is None and fields["action"] != "collect":
        raise BadLineError(f"a {fields['action']} without a run_id")
    if fields["text"] is None and fields["action"] not in ("delete", "undelete", "purge"):
        raise BadLineError(f"a {fields['action']} without a text")


_AGREE: dict[str, Callable[[Fields], None]] = {
    "steps": _epoch,
    "epoch_end": _epoch,
    "confusion": _confusion,
    "run_end": _run_end,
    "care": _care,
}
"""How the fields of a record must fit each other, beyond what their annotations say."""
FIELDS = {kind: fields_of(record) for kind, record in KINDS.items()}
