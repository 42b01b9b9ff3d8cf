"""The page's own SQL, by name."""

from __future__ import annotations

from importlib import resources


def question(name: str) -> str:
    """The text of one of the page's own queries."""
    return resources.files("warehouse.page").joinpath("queries", f"{name}.sql").read_text("utf-8")
