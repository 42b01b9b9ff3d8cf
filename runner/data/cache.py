"""What is remembered in the results folder, as JSON: only ever a saving of time."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

Entry = TypeVar("Entry")


def recall(cache: Path, understood: Callable[[Any], Entry | None]) -> dict[str, Entry]:
    """What the cache holds, without the entries that are not understood.

    understood: an entry as JSON had it -> the entry, or None. A cache that cannot be read is
    empty, whatever it is.
    """
    try:
        # A pipe would be waited for.
        held = json.loads(cache.read_text(encoding="utf-8")) if cache.is_file() else {}
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(held, dict):
        return {}
    entries = ((key, understood(body)) for key, body in held.items())
    return {key: entry for key, entry in entries if entry is not None}


def remember(cache: Path, entries: Mapping[str, Any]) -> None:
    """Write the cache whole; a folder that cannot be written only costs the memory."""
    draft = cache.with_suffix(f".{os.getpid()}")
    try:
        cache.parent.mkdir(parents=True, exist_ok=True)
        draft.write_text(json.dumps(entries), encoding="utf-8")
        draft.replace(cache)
    except OSError:
        with contextlib.suppress(OSError):
            draft.unlink()
