"""Paths as people write them."""

from __future__ import annotations

from pathlib import Path


def from_home(text: str | Path) -> Path:
    """The path, a leading ~ as the home folder; as it is where there is no such user."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)
