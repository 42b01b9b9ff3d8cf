"""A component, and the registry that holds them all by kind and name."""

from __future__ import annotations

import inspect
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.components.decorators import MARKS, Marks
from runner.components.faults import in_words, params_and_model
from runner.components.kinds import PROJECT, Kind, kind_named
from runner.components.listeners import Listener
from runner.components.signature import Model, Param, check
from runner.errors import ConfigError, PluginError, choices
from runner.system.extensions import DISABLE

BUILT_IN = "sweephouse"
"""The distribution of our own components."""
BY_CONTENT = "sha256:"
"""How the version of a component begins that comes from no installed package."""


@dataclass(frozen=True)
class Component:
    """One named thing that a plugin provides."""

    kind: Kind
    name: str
    function: Any
    marks: Marks
    params: tuple[Param, ...]
    model: Model
    plugin: str
    distribution: str
    version: str

    @property
    def is_loose(self) -> bool:
        """Whether it comes from a file or a cell, and from no installed package."""
        return self.version.startswith(BY_CONTENT)

    @property
    def summary(self) -> str:
        """The docstring's first line."""
        return (inspect.getdoc(self.function) or "").partition("\n")[0]

    @property
    def needs(self) -> tuple[str, ...]:
        """The names before `*`: what the runner supplies."""
        return tuple(
            p.name
            for p in inspect.signature(self.function).parameters.values()
            if p.kind is not p.KEYWORD_ONLY
        )

    @property
    def places(self) -> frozenset[str]:
        """The params that say where something lies, not what it is."""
        return frozenset(param.name for param in self.params if param.is_place)

    def check(self, values: Mapping[str, Any], place: str) -> dict[str, Any]:
        """The config's values as the signature types them; ConfigError names what is wrong."""
        return check(self.model, values, place)

    @property
    def place(self) -> str:
        """The component in sentences: its kind and name."""
        return f"{self.kind.name} '{self.name}'"

    def returned(self, made: Any, wanted: str) -> PluginError:
        """The error for a result that is not what the kind's contract asks for."""
        return PluginError(f"{self.place} returned {in_words(made)}, not {wanted}")

    def __call__(self, offers: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        """Call the function with what it takes of the offers, and its params.

        A sentence of its own about the contract gets the component's name.
        """
        try:
            return self.function(*(offers[name] for name in self.needs), **params)
        except PluginError as error:
            if self.place in str(error):
                raise
            raise PluginError(f"{self.place}: {error}") from error


@dataclass(eq=False)
class Registry:
    """All components of all plugins."""

    components: dict[tuple[str, str], Component] = field(default_factory=dict)
    broken: dict[tuple[str, str], str] = field(default_factory=dict)
    """Components that break their contract: sentences, told when one is asked for."""
    listeners: list[Listener] = field(default_factory=list)
    """Functions that are told of events, in the order in which they are called."""

    def of_kind(self, kind: str) -> list[Component]:
        """The components of a kind, sorted by name, each once."""
        by_name = {c.name: c for (k, _), c in self.components.items() if k == kind}
        return [by_name[name] for name in sorted(by_name)]

    def names(self, kind: str) -> list[str]:
        """Every name and alias of a kind."""
        return sorted(name for k, name in self.components if k == kind)

    def find(self, kind: str, name: str) -> Component:
        """The component; ConfigError with the nearest and all names where there is none."""
        if (kind, name) in self.broken:
            raise PluginError(self.broken[kind, name])
        if (kind, name) not in self.components:
            have = (c.name for c in self.of_kind(kind))
            key = kind_named(kind).key
            raise ConfigError(f"there is no {kind} '{name}' ({key}={name}): {choices(name, have)}")
        return self.components[kind, name]


def add(
    registry: Registry,
    kind: Kind,
    function: Any,
    origin: tuple[str, str, str],
    disabled: dict[str, bool],
) -> None:
    """Enter one component under its name and aliases."""
    marks: Marks = getattr(function, MARKS)
    plugin, *_ = origin
    for name in (f"{kind.name}/{marks.name}", f"{plugin}/{kind.name}/{marks.name}"):
        if name in disabled:
            disabled[name] = True
            return
    component = Component(kind, marks.name, function, marks, *params_and_model(function), *origin)
    for name in (marks.name, *marks.aliases):
        other = registry.components.pop((kind.name, name), None)
        if other is None and (kind.name, name) not in registry.broken:
            registry.components[kind.name, name] = component
        elif other is not None:
            registry.broken[kind.name, name] = (
                f"two components are called {kind.name} '{name}': one of "
                f"{other.distribution} {other.version} ({other.function.__module__}) and one of "
                f"{component.distribution} {component.version} ({function.__module__}); "
                f"disable one: {DISABLE}={_as_disabled(other)} or "
                f"{DISABLE}={_as_disabled(component)}"
            )


def _as_disabled(component: Component) -> str:
    """What to type to have this component left out and no other."""
    return f"{component.plugin}/{component.kind.name}/{component.name}"


def where_of(error: BaseException, name: str) -> str:
    """The file and line of a plugin where its import failed, as the end of a sentence."""
    if isinstance(error, SyntaxError) and error.filename:
        return f" ({error.filename}, line {error.lineno})"
    folder = Path(name.partition(".")[0])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if folder.name in (*Path(frame.filename).parts, Path(frame.filename).stem)
    ]
    return f" ({frames[-1].filename}, line {frames[-1].lineno})" if frames else ""


def marked(module: ModuleType) -> Iterator[Any]:
    """All in a module that a decorator has marked, be it imported; functions as a rule."""
    for thing in list(vars(module).values()):
        # Asking a lazily loaded module for an attribute would import it.
        if not isinstance(thing, ModuleType):
            attributes = getattr(thing, "__dict__", {})
            if MARKS in attributes or f"{PROJECT}_impl" in attributes:
                yield thing
