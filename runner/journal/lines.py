"""A record as a line of a journal.

A line is one JSON object whose `record` names its kind. JSON has no word for NaN and infinity:
they travel as the strings "NaN", "Infinity" and "-Infinity" wherever a field holds a number.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from runner.journal.records import KINDS, Record, RunStart
from runner.system.terminal import as_text

_NAMES = frozenset({"NaN", "Infinity", "-Infinity"})
SURROGATE = re.compile("[\ud800-\udfff]")


def to_line(record: Record) -> bytes:
    """The record as one line of JSON, newline included."""
    body = {"record": record.record} | {
        f.name: _finite(getattr(record, f.name)) for f in dataclasses.fields(record)
    }
    text = json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # A byte of a name that is no UTF-8 travels as the text \xff: JSON has no word for it.
    return SURROGATE.sub(lambda match: f"\\{as_text(match[0])}", text).encode() + b"\n"


def from_line(line: bytes) -> Record:
    """The record that a line of this program's own says; ValueError for any other."""
    body = json.loads(line)
    try:
        kind = KINDS[body.pop("record")]
        if kind is not RunStart:  # in which a text may say anything
            body = _numbers(body)
        return kind(**body)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError(f"no record: {error}") from error


def _numbers(value: Any) -> Any:
    """The value with the names of what JSON cannot say read back as floats."""
    if isinstance(value, str) and value in _NAMES:
        return float(value)
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    return value


def _finite(value: Any) -> Any:
    """The value with every float that JSON cannot say replaced by its name."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_finite(item) for item in value]
    return value
