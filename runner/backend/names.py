"""Names that a library does not promise: one table a library, looked up by it alone.

Where an upgrade takes one away, `Unsupported` says so in a sentence. Whoever asked then does
without: an engine declines, kernels stay the library's own. No run fails for it.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Mapping
from typing import Any


class Unsupported(Exception):  # noqa: N818 - caught by who can do without; the text names it
    """The installed version of a library lacks a name that the runner knows from another."""


class Names:
    """The private names of a library that the runner uses.

    places: by a key of ours, "module:name" or "module:Class.name", or "thing.name" for what only
    an instance has.
    """

    def __init__(self, library: str, known: str, places: Mapping[str, str]) -> None:
        """library: its distribution. known: the version that has all of them."""
        self.library, self.known = library, known
        self.places = dict(places)

    def __getitem__(self, key: str) -> Any:
        """The object at the place; Unsupported where it is gone."""
        return functools.reduce(self._attribute, self._path(key)[1:], self._module(key))

    def owner(self, key: str) -> tuple[Any, str]:
        """The module or class that has the name, and the name."""
        *_, name = self._path(key)
        owner = functools.reduce(self._attribute, self._path(key)[1:-1], self._module(key))
        self._attribute(owner, name)
        return owner, name

    def of(self, thing: Any, key: str) -> Any:
        """The attribute of an instance; Unsupported where it has none of that name."""
        return self._attribute(thing, self.name(key))

    def name(self, key: str) -> str:
        """The last part of the place: the attribute's name."""
        return self._path(key)[-1]

    def missing(self, things: Mapping[str, Any] | None = None) -> list[str]:
        """A sentence for each name that is gone.

        things: an instance for each "thing" of the table, without which those are passed over.
        """
        sentences = []
        for key, place in self.places.items():
            thing = place.partition(".")[0]
            try:
                if ":" in place:
                    self[key]
                elif things is not None:
                    self.of(things[thing], key)
            except Unsupported as error:
                sentences.append(str(error))
        return sentences

    def require(self) -> None:
        """Raise Unsupported unless all that is in modules and classes is there."""
        for key, place in self.places.items():
            if ":" in place:
                self[key]

    def _path(self, key: str) -> list[str]:
        """The module or thing, then the names."""
        module, colon, names = self.places[key].partition(":")
        return [module, *names.split(".")] if colon else module.split(".")

    def _module(self, key: str) -> Any:
        name = self._path(key)[0]
        try:
            return importlib.import_module(name)
        except ImportError as error:
            raise self._gone(f"module {name}") from error

    def _attribute(self, owner: Any, name: str) -> Any:
        try:
            return getattr(owner, name)
        except AttributeError as error:
            where = getattr(owner, "__qualname__", None) or getattr(owner, "__name__", None)
            raise self._gone(f"{where or type(owner).__name__}.{name}") from error

    def _gone(self, name: str) -> Unsupported:
        version = importlib.metadata.version(self.library)
        return Unsupported(
            f"{self.library} {version} has no {name}, known from {self.library} {self.known}"
        )
