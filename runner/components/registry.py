"""Discover plugins, check their components against the specs, and find them by name.

pluggy does the registering: each kind is a spec, each component an implementation of it, and the
arguments before `*` are pluggy's own, given by name. Nothing is discovered at import; `load()`
reads the entry points once a process.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import inspect
import os
import pkgutil
import traceback
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from runner.components import kinds
from runner.components.decorators import MARKS, Marks
from runner.components.faults import (
    complaint_of,
    in_words,
    kind_of,
    listens,
    params_and_model,
    unheard,
)
from runner.components.kinds import EVENTS, KINDS, PROJECT, SEARCH_KINDS, Kind, kind_named
from runner.components.listeners import Listener
from runner.components.signature import Model, Param, check
from runner.errors import ConfigError, PluginError, choices, in_one_line

ENTRY_POINTS = "runner"
DISABLE = "SWEEPHOUSE_DISABLE"
"""Environment variable: names of plugins, or kind/name of components, between commas; a
plugin/kind/name is that plugin's alone."""


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


class _Plugins(pluggy.PluginManager):
    """pluggy's manager, taking from a module only the functions that are its own."""

    def parse_hookimpl_opts(self, plugin: Any, name: str) -> Any:
        function = getattr(plugin, name)
        if getattr(function, "__module__", None) != plugin.__name__:
            return None
        if not hasattr(function, MARKS):
            wrong = not listens(function) or unheard(function) is not None
            return None if wrong else super().parse_hookimpl_opts(plugin, name)
        if complaint_of(function) is not None:
            return None
        return super().parse_hookimpl_opts(plugin, name)


@functools.cache
def load() -> Registry:
    """Every installed plugin's components; the built-in ones come by the same door.

    A module that cannot be imported, and a component that breaks its contract, are named in a
    warning; two components of a kind and name are told of when one is asked for.
    """
    named = {name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    disabled = dict.fromkeys(named, False)
    manager = _Plugins(PROJECT)
    manager.add_hookspecs(kinds)
    registry = Registry()
    entries = sorted(importlib.metadata.entry_points(group=ENTRY_POINTS))
    for entry in entries:
        if entry.name in disabled:
            disabled[entry.name] = True
        else:
            _load_plugin(entry, manager, registry)
    for kind in (*KINDS.values(), *SEARCH_KINDS.values()):
        for implementation in getattr(manager.hook, kind.name).get_hookimpls():
            plugin, _, distribution = implementation.plugin_name.partition("|")
            dist, _, version = distribution.partition("|")[0].partition("@")
            _add(registry, kind, implementation.function, (plugin, dist, version), disabled)
    for event in EVENTS:
        # As pluggy calls them: the one that was registered last comes first.
        for implementation in reversed(getattr(manager.hook, event).get_hookimpls()):
            plugin = implementation.plugin_name.partition("|")[0]
            takes = tuple(implementation.argnames)
            registry.listeners.append(Listener(event, plugin, implementation.function, takes))
    for name in (name for name, was_there in disabled.items() if not was_there):
        of_kind = name.rpartition("/")[0].rpartition("/")[2]
        have = [f"{k}/{called}" for k, called in registry.components if k == of_kind]
        have = have or sorted({entry.name for entry in entries})
        warnings.warn(
            f"{DISABLE} names '{name}', which is neither a plugin nor a component, said as in "
            f"optimizer/adam: {choices(name, have)}",
            stacklevel=2,
        )
    return registry


def _load_plugin(
    entry: importlib.metadata.EntryPoint, manager: pluggy.PluginManager, registry: Registry
) -> None:
    """Import one plugin's modules and register them; a warning names one that fails."""
    dist = entry.dist
    origin = f"{dist.name}@{dist.version}" if dist else "unknown@"
    whose = f"plugin '{entry.name}' ({origin.replace('@', ' ')})"
    if entry.attr:
        warnings.warn(
            f"{whose}: its entry point names {entry.attr} in {entry.module}, and all of a module "
            f'counts: write {entry.name} = "{entry.module}"',
            stacklevel=2,
        )
    modules = list(_modules(entry.module, whose))
    if modules and not any(_has_something(module) for module in modules):
        warnings.warn(
            f"{whose} has no component: nothing in {entry.module} is decorated, as with "
            "@architecture",
            stacklevel=2,
        )
    for module in modules:
        if manager.is_registered(module):
            continue  # another entry point leads to it too
        manager.register(module, name=f"{entry.name}|{origin}|{module.__name__}")
        for function in _marked(module):
            if function.__module__ != module.__name__:
                continue
            marks = getattr(function, MARKS, None)
            if not isinstance(marks, Marks):
                if listens(function) and (complaint := unheard(function)) is not None:
                    warnings.warn(complaint, stacklevel=2)
                continue
            if (complaint := complaint_of(function)) is not None:
                registry.broken[kind_of(function).name, marks.name] = complaint
                warnings.warn(complaint, stacklevel=2)


def _modules(name: str, whose: str) -> Iterator[ModuleType]:
    """The module and, if it is a package, all below it except tests and private ones.

    One that cannot be imported is left out, with a warning that says where it fails.
    """
    try:
        module = importlib.import_module(name)
    # A plugin may fail in any way, SystemExit included, and must not take the runner down.
    except (Exception, SystemExit) as error:
        warnings.warn(
            f"{whose} is left out: importing {name} failed with {in_one_line(error)}"
            f"{_where(error, name)}",
            stacklevel=2,
        )
        return
    yield module
    for info in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
        if not info.name.rpartition(".")[2].startswith(("_", "test", "conftest")):
            yield from _modules(info.name, whose)


def _where(error: BaseException, name: str) -> str:
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


def _marked(module: ModuleType) -> Iterator[Any]:
    """All in a module that a decorator has marked, be it imported; functions as a rule."""
    for thing in list(vars(module).values()):
        # Asking a lazily loaded module for an attribute would import it.
        if not isinstance(thing, ModuleType):
            attributes = getattr(thing, "__dict__", {})
            if MARKS in attributes or f"{PROJECT}_impl" in attributes:
                yield thing


def _has_something(module: ModuleType) -> bool:
    """Whether anything in the module is marked."""
    return next(_marked(module), None) is not None


def _add(
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
