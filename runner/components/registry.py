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
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pluggy

from runner.components import kinds
from runner.components.decorators import MARKS, Marks
from runner.components.kinds import EVENTS, KINDS, PROJECT, SEARCH_KINDS, Kind, kind_named
from runner.components.listeners import Listener
from runner.components.signature import Model, Param, check, model_of, params_of
from runner.errors import ConfigError, PluginError, choices, in_one_line

ENTRY_POINTS = "runner"
DISABLE = "SWEEPHOUSE_DISABLE"
"""Environment variable: names of plugins, or kind/name of components, between commas."""


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

    def __call__(self, offers: Mapping[str, Any], params: Mapping[str, Any]) -> Any:
        """Call the function with what it takes of the offers, and its params."""
        return self.function(*(offers[name] for name in self.needs), **params)


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
            wrong = not _listens(function) or _unheard(function) is not None
            return None if wrong else super().parse_hookimpl_opts(plugin, name)
        if _complaint(function) is not None:
            return None
        return super().parse_hookimpl_opts(plugin, name)


@functools.cache
def load() -> Registry:
    """Every installed plugin's components; the built-in ones come by the same door.

    Raises PluginError where two components of a kind have one name. A plugin that cannot be
    imported, and a component that breaks its contract, are named in a warning.
    """
    disabled = {name.strip() for name in os.environ.get(DISABLE, "").split(",") if name.strip()}
    manager = _Plugins(PROJECT)
    manager.add_hookspecs(kinds)
    registry = Registry()
    for entry in sorted(importlib.metadata.entry_points(group=ENTRY_POINTS)):
        if entry.name not in disabled:
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
    return registry


def _load_plugin(
    entry: importlib.metadata.EntryPoint, manager: pluggy.PluginManager, registry: Registry
) -> None:
    """Import one plugin's modules and register them; a failure is a warning."""
    dist = entry.dist
    origin = f"{dist.name}@{dist.version}" if dist else "unknown@"
    try:
        modules = list(_modules(importlib.import_module(entry.module)))
    # A plugin may fail in any way, SystemExit included, and must not take the runner down.
    except (Exception, SystemExit) as error:
        warnings.warn(
            f"plugin '{entry.name}' ({origin.replace('@', ' ')}) is left out: "
            f"importing {entry.module} failed with {in_one_line(error)}",
            stacklevel=2,
        )
        return
    for module in modules:
        if manager.is_registered(module):
            continue  # another entry point leads to it too
        manager.register(module, name=f"{entry.name}|{origin}|{module.__name__}")
        for function in vars(module).values():
            # Functions only: asking a lazily loaded module for an attribute would import it.
            if not inspect.isfunction(function) or function.__module__ != module.__name__:
                continue
            marks = getattr(function, MARKS, None)
            if not isinstance(marks, Marks):
                if _listens(function) and (complaint := _unheard(function)) is not None:
                    warnings.warn(complaint, stacklevel=2)
                continue
            if (complaint := _complaint(function)) is not None:
                registry.broken[_kind_of(function).name, marks.name] = complaint
                warnings.warn(complaint, stacklevel=2)


def _modules(root: ModuleType) -> Iterator[ModuleType]:
    """The module and, if it is a package, all below it except tests and private ones."""
    yield root
    for info in pkgutil.iter_modules(getattr(root, "__path__", []), f"{root.__name__}."):
        if not info.name.rpartition(".")[2].startswith(("_", "test", "conftest")):
            yield from _modules(importlib.import_module(info.name))


def _kind_of(function: Any) -> Kind:
    """The kind that the function's decorator named."""
    return kind_named(getattr(function, f"{PROJECT}_impl")["specname"])


def _listens(function: Any) -> bool:
    """Whether it is marked as one that is told of an event."""
    return hasattr(function, f"{PROJECT}_impl") and not hasattr(function, MARKS)


def _unheard(function: Any) -> str | None:
    """Why a function that wants to be told of an event is not, if anything is wrong with it."""
    name = getattr(function, f"{PROJECT}_impl").get("specname") or function.__name__
    where = f"'{function.__name__}' in {function.__module__} is told of nothing"
    if name not in EVENTS:
        return f"{where}: there is no event '{name}': {choices(name, EVENTS)}"
    offers = EVENTS[name].offers
    takes = [p.name for p in inspect.signature(function).parameters.values()]
    if odd := [one for one in takes if one not in offers]:
        return f"{where}: it takes '{odd[0]}', and {name} may take {', '.join(offers)}"
    return None


@functools.cache
def _complaint(function: Any) -> str | None:
    """The fault of a component's signature, if any: the function and the contract."""
    kind = _kind_of(function)
    where = f"{kind.name} '{function.__name__}' in {function.__module__}"
    rule = (
        f"a {kind.name} may take {', '.join(kind.offers) or 'nothing'} before `*` "
        "and its own typed params after it"
    )
    for param in inspect.signature(function).parameters.values():
        if param.kind in (param.VAR_POSITIONAL, param.VAR_KEYWORD):
            return f"{where} takes *{param.name}, which the contract has no place for: {rule}"
        if param.kind is param.KEYWORD_ONLY:
            if param.name == "name" and not kind.many:
                return f"{where} has a param 'name', which the config uses itself: call it else"
        elif param.default is not param.empty:
            return f"{where} gives '{param.name}' a default but stands it before `*`: {rule}"
        elif param.name not in kind.offers:
            return f"{where} takes '{param.name}', which the runner does not offer: {rule}"
    mode = getattr(function, MARKS).mode
    if mode is not None and (kind.name != "metric" or mode not in ("min", "max")):
        return f"{where} says mode={mode!r}: a metric may say 'min' or 'max', another kind nothing"
    try:
        params, model = _params_and_model(function)
        required = {p.name for p in params if p.required}
        defaults = {p.name: p.default for p in params if p.name not in required}
        if not required:
            check(model, defaults, kind.key)
        identity = getattr(function, MARKS).identity
        if identity is not None and not _accepts(identity, params):
            return f"{where} has an identity function that does not take the same params after `*`"
        profile = getattr(function, MARKS).profile
        if profile is not None and not _accepts(profile, params):
            return f"{where} has a profile function that does not take the same params after `*`"
    except (PluginError, ConfigError) as error:
        return f"{where} breaks its contract: {error}"
    except Exception as error:
        return f"{where} has a type that cannot be configured: {str(error).partition(chr(10))[0]}"
    return None


@functools.cache
def _params_and_model(function: Any) -> tuple[tuple[Param, ...], Model]:
    """The params that the config may give a component, and the model that checks them."""
    params = tuple(params_of(function))
    return params, model_of(getattr(function, MARKS).name, params)


def _accepts(identity: Any, params: Sequence[Param]) -> bool:
    """Whether the function can be called with exactly these params by name."""
    try:
        inspect.signature(identity).bind(**{param.name: None for param in params})
    except TypeError:
        return False
    return True


def _add(
    registry: Registry,
    kind: Kind,
    function: Any,
    origin: tuple[str, str, str],
    disabled: set[str],
) -> None:
    """Enter one component under its name and aliases."""
    marks: Marks = getattr(function, MARKS)
    if f"{kind.name}/{marks.name}" in disabled:
        return
    component = Component(kind, marks.name, function, marks, *_params_and_model(function), *origin)
    for name in (marks.name, *marks.aliases):
        other = registry.components.get((kind.name, name))
        if other is not None:
            raise PluginError(
                f"two components are called {kind.name} '{name}': one of "
                f"{other.distribution} {other.version} ({other.function.__module__}) and one of "
                f"{component.distribution} {component.version} ({function.__module__}); "
                f"disable one with {DISABLE}=<plugin> or {DISABLE}={kind.name}/{name}"
            )
        registry.components[kind.name, name] = component


def source_files(function: Any) -> list[Path]:
    """The component's module and what it imports of its own package, as source files."""
    root = function.__module__.partition(".")[0]
    seen: dict[str, Path] = {}
    _follow(function.__module__, root, seen)
    return [seen[name] for name in sorted(seen)]


def _follow(name: str, root: str, seen: dict[str, Path]) -> None:
    """Collect the module's file, then those of its package that its text imports."""
    import ast

    if name in seen:
        return
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return
    seen[name] = Path(spec.origin)
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(seen[name].read_text(encoding="utf-8"))):
        modules: list[str] = []
        if isinstance(node, ast.Import):
            modules = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(base, package) if node.level else base
            modules = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for module in modules:
            if module.partition(".")[0] == root and _exists(module):
                _follow(module, root, seen)


def _exists(module: str) -> bool:
    """Whether the name is a module at all (an imported function is not)."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
