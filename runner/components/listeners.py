"""What plugins are told of runs: the events of kinds.py, each to whoever listens to it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from runner.errors import in_one_line


@dataclass(frozen=True)
class Listener:
    """A plugin's function that is told of one event."""

    event: str
    plugin: str
    function: Callable[..., Any]
    takes: tuple[str, ...]
    """The arguments that it takes, by name."""


class Listeners:
    """All of them; one that fails harms neither the run nor the others."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = listeners
        self._warned: set[str] = set()

    def tell(self, event: str, **offers: Any) -> None:
        """Tell those who listen to the event; what one raises is a warning, once."""
        for listener in self._listeners:
            if listener.event == event:
                try:
                    listener.function(*(offers[name] for name in listener.takes))
                except (Exception, SystemExit) as error:
                    self._warn(listener, error)

    def _warn(self, listener: Listener, error: BaseException) -> None:
        place = f"{listener.function.__module__}.{listener.function.__qualname__}"
        line = (
            f"warning: plugin '{listener.plugin}': {place} failed when it was told of "
            f"{listener.event}: {in_one_line(error)}; the run goes on"
        )
        if line not in self._warned:
            self._warned.add(line)
            print(line, file=sys.stderr)
