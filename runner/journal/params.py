"""Params as rows of their table: dotted name, text, and number where it is one."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from runner.journal.records import ParamValue


def param_value(name: str, value: Any) -> ParamValue:
    """A row of the params table: the value as text, and as a number where it is one."""
    number = float(value) if isinstance(value, int | float) else None
    text = value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))
    return {"name": name, "value": text, "number": number}


def param_rows(prefix: str, node: Any) -> Iterator[ParamValue]:
    """The rows of nested params; an inner mapping's names come after a dot."""
    if isinstance(node, Mapping) and (node or not prefix):
        for name, value in node.items():
            yield from param_rows(f"{prefix}.{name}" if prefix else str(name), value)
        return
    yield param_value(prefix, node)
