"""Which commands `on_end` takes."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from runner.errors import ConfigError


def check_on_end(command: str | Sequence[str] | None) -> None:
    """Raise ConfigError for one that has no first word, or quotes without an end."""
    if command is None:
        return
    try:
        words = shlex.split(command) if isinstance(command, str) else command
    except ValueError as error:
        raise ConfigError(f"on_end={command} is not valid: {str(error).lower()}") from error
    if not words or not words[0].strip() or any("\0" in word for word in words):
        raise ConfigError(
            f"on_end={command!r} is not valid: give a command, such as on_end='mail -s done me'"
        )
