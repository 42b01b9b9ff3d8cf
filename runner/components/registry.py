"""Discover plugins, check their components against the specs, and find them by name.

pluggy does the registering: each kind is a spec, each component an implementation of it, and the
arguments before `*` are pluggy's own, given by name. Nothing is discovered at import; `load()`
reads the entry points once a process.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
import pkgutil
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pluggy

from runner.components import kinds
from runner.components.component import (
    Component,
    Registry,
    add,
    marked,
    where_of,
)
from runner.components.decorators import MARKS, Marks
from runner.components.faults import (
    complaint_of,
    kind_of,
    listens,
    unheard,
)
from runner.components.kinds import EVENTS, KINDS, PROJECT, SEARCH_KINDS
from runner.components.listeners import Listener
from runner.components.loose import add_files
from runner.errors import choices, in_one_line
from runner.system.extensions import DISABLE, installed, left_out

__all__ = ["DISABLE", "Component", "Registry", "load"]

ENTRY_POINTS = "runner"


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
    disabled = dict.fromkeys(left_out(), False)
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
            add(registry, kind, implementation.function, (plugin, dist, version), disabled)
    for event in EVENTS:
        # As pluggy calls them: the one that was registered last comes first.
        for implementation in reversed(getattr(manager.hook, event).get_hookimpls()):
            plugin = implementation.plugin_name.partition("|")[0]
            takes = tuple(implementation.argnames)
            registry.listeners.append(Listener(event, plugin, implementation.function, takes))
    add_files(registry, disabled)
    unknown = [name for name, was_there in disabled.items() if not was_there]
    for name in set(unknown) - {one.name for one in installed()} if unknown else ():
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
        for function in marked(module):
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
            f"{where_of(error, name)}",
            stacklevel=2,
        )
        return
    yield module
    for info in pkgutil.iter_modules(getattr(module, "__path__", []), f"{name}."):
        if not info.name.rpartition(".")[2].startswith(("_", "test", "conftest")):
            yield from _modules(info.name, whose)


def _has_something(module: ModuleType) -> bool:
    """Whether anything in the module is marked."""
    return next(marked(module), None) is not None
