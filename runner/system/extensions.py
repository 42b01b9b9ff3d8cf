"""What installed packages add beside components: engines, launchers, commands, queries, views.

Each kind of thing has a group of entry points. To list them imports nothing; what is asked for is
imported then.
"""

from __future__ import annotations

import argparse
import functools
import importlib.metadata
import importlib.util
import os
import warnings
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.errors import ConfigError, in_one_line

ENGINES = "runner.engines"
LAUNCHERS = "runner.launchers"
COMMANDS = "runner.commands"
OF_WAREHOUSE = "warehouse.commands"
QUERIES = "warehouse.queries"
VIEWS = "warehouse.views"
NOUNS = {
    ENGINES: "engine",
    LAUNCHERS: "launcher",
    COMMANDS: "command",
    OF_WAREHOUSE: "command",
    QUERIES: "queries",
    VIEWS: "views",
}
DISABLE = "SWEEPHOUSE_DISABLE"
"""Environment variable: names of plugins, or kind/name of components, between commas; a
plugin/kind/name is that plugin's alone."""


@dataclass(frozen=True)
class Extension:
    """One entry point of a package."""

    group: str
    name: str
    value: str
    """`module:attribute`, a module, or a package with files in it."""
    distribution: str
    version: str

    @property
    def place(self) -> str:
        """What a sentence calls it."""
        return f"the {NOUNS[self.group]} '{self.name}' of {self.distribution} {self.version}"

    @property
    def full_name(self) -> str:
        """By which it is found whatever else is called so."""
        return f"{self.distribution}/{self.name}"

    def load(self) -> Any:
        """What it names, imported; ConfigError where that fails."""
        module, _, attribute = self.value.partition(":")
        try:
            found: Any = importlib.import_module(module)
            return getattr(found, attribute) if attribute else found
        # It may fail in any way, SystemExit included.
        except (Exception, SystemExit) as error:
            raise ConfigError(
                f"{self.place} cannot be loaded ({self.value}): {in_one_line(error)}"
            ) from error

    def parser(self, parent: argparse.ArgumentParser) -> argparse.ArgumentParser:
        """The words of the command that it is, in sentences as its parent has them.

        parent: has nothing of its own, and is of the class that the words are to be of. Raises
        ConfigError where there are none.
        """
        words = parent.add_subparsers()
        add = getattr(module := self.load(), "add", module)
        if callable(add):
            add(words)
        if not words.choices:
            raise ConfigError(
                f"{self.place} adds no parser: {self.value} must be a function of argparse's "
                "subparsers, or a module with one called add"
            )
        return next(iter(words.choices.values()))

    def texts(self) -> dict[str, str]:
        """Name -> text of the .sql files in the package that it names, which is not imported.

        One that is not there, or not readable, is left out with a warning.
        """
        top, *below = self.value.split(".")
        spec = importlib.util.find_spec(top)
        folders = [Path(at, *below) for at in (spec and spec.submodule_search_locations) or ()]
        files = [file for folder in folders for file in sorted(folder.glob("*.sql"))]
        found = {}
        try:
            if not files:
                raise FileNotFoundError(f"no .sql file lies in {self.value}")
            found = {file.stem: file.read_text("utf-8") for file in files}
        except (OSError, UnicodeDecodeError) as error:
            warnings.warn(f"{self.place} are left out: {in_one_line(error)}", stacklevel=2)
        return found


def left_out() -> list[str]:
    """The names of plugins and components that the environment variable leaves out."""
    named = os.environ.get(DISABLE, "").split(",")
    return [name.strip() for name in named if name.strip()]


@functools.cache
def installed() -> list[Extension]:
    """All of them, by group and name."""
    found: dict[tuple[str, str, str], Extension] = {}
    for dist in importlib.metadata.distributions():
        for entry in dist.entry_points:
            if entry.group in NOUNS:  # of a package that is there twice, the first counts
                one = Extension(entry.group, entry.name, entry.value, dist.name, dist.version)
                found.setdefault((one.group, one.name, one.distribution), one)
    return [found[key] for key in sorted(found)]


def extensions(group: str, taken: Collection[str] = ()) -> Mapping[str, Extension]:
    """Those of a group by name; by `package/name` where several, or ours, are called so.

    taken: the names of our own.
    """
    disabled = left_out()
    every = [one for one in installed() if one.group == group and one.name not in disabled]
    names = [one.name for one in every]
    return {
        one.full_name if names.count(one.name) > 1 or one.name in taken else one.name: one
        for one in every
    }


def find(group: str, name: str, taken: Collection[str] = ()) -> Extension | None:
    """The one of that name, or of that `package/name`; None where there is none.

    Raises ConfigError where several have the name, with what to type.
    """
    named = extensions(group, taken)
    by_full_name = {one.full_name: one for one in named.values()}
    if found := named.get(name) or by_full_name.get(name):
        return found
    if several := [one.full_name for one in named.values() if one.name == name]:
        raise ConfigError(
            f"{len(several)} packages have the {NOUNS[group]} '{name}': say {' or '.join(several)}"
        )
    return None
