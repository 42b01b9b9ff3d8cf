"""The state of a page, as its address carries it."""

from __future__ import annotations

import json
from urllib.parse import quote, unquote

from nicegui import ui


def keep(**values: str) -> None:
    """Put values into the address of the page; an empty one takes its name away."""
    ui.run_javascript(f"sweephouse.address({json.dumps(values)})")


def reload_with(**values: str) -> None:
    """Open the page again with other values in its address."""
    ui.run_javascript(f"sweephouse.address({json.dumps(values)}); location.reload()")


def split(text: str) -> list[str]:
    """The words of a list in an address."""
    return [unquote(word) for word in text.split(",") if word]


def join(words: list[str]) -> str:
    """Words as a list in an address; each is escaped, since it may hold a comma."""
    return ",".join(quote(word, safe=":. ") for word in words)
