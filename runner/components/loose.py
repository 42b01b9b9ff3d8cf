"""Components of no installed plugin: of a loose file (`--plugin net.py`), or of a notebook's cell.

A run records of them the file's whole path, or "notebook", and a hash of the source, where it has
the distribution and version of others.
"""

from __future__ import annotations

import hashlib
import importlib.util
import inspect
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from runner.components.component import (
    BY_CONTENT,
    Registry,
    add,
    marked,
    where_of,
)
from runner.components.decorators import MARKS
from runner.components.faults import complaint_of, kind_of, listens, unheard
from runner.components.kinds import PROJECT
from runner.components.listeners import Listener
from runner.components.sources import LOOSE, source_of
from runner.errors import ConfigError, PluginError, in_one_line
from runner.journal.records import UsedComponent
from runner.system.extensions import left_out
from runner.system.paths import from_home

OPTION = "--plugin"
PLUGINS = "SWEEPHOUSE_PLUGINS"
"""Environment variable: files with components, between colons; `--plugin` adds to it, so that the
processes of a command have them, too."""
NOTEBOOK = "notebook"
"""What stands for the distribution of a function that was registered."""


def taken(words: Sequence[str]) -> list[str]:
    """The words without `--plugin FILE`; the files are in the environment from then on.

    Raises ConfigError where no file follows, or it is not there.
    """
    rest, files = [], []
    todo = list(words)
    while todo:
        word = todo.pop(0)
        name, equals, value = word.partition("=")
        if name != OPTION:
            rest.append(word)
            continue
        if not equals:
            if not todo or todo[0].startswith("-"):
                raise ConfigError(f"{OPTION} needs a file after it: {OPTION} my_network.py")
            value = todo.pop(0)
        files.append(_file(value))
    if files:
        before = os.environ.get(PLUGINS, "").split(os.pathsep)
        every = dict.fromkeys([*filter(None, before), *map(str, files)])
        os.environ[PLUGINS] = os.pathsep.join(every)
    return rest


def _file(text: str) -> Path:
    """The Python file of that name, whole."""
    path = from_home(Path(text)).absolute()
    if not path.is_file() or path.suffix != ".py":
        raise ConfigError(
            f"{OPTION} {text} is no Python file: give one that is there, such as my_network.py"
        )
    return path


def add_files(registry: Registry, disabled: dict[str, bool]) -> None:
    """Add the components of every file that the environment names."""
    for text in filter(None, os.environ.get(PLUGINS, "").split(os.pathsep)):
        add_file(registry, _file(text), disabled)


def add_file(registry: Registry, path: Path, disabled: dict[str, bool] | None = None) -> None:
    """Add all components of a file, and its listeners; PluginError where one breaks its contract.

    Raises ConfigError where the file cannot be imported, or holds no component.
    """
    module = _imported(path)
    origin = (path.stem, str(path), version_of(path))
    found = [one for one in marked(module) if one.__module__ == module.__name__]
    if not found:
        raise ConfigError(
            f"{path} has no component: nothing in it is decorated, as with @architecture"
        )
    disabled = dict.fromkeys(left_out(), False) if disabled is None else disabled
    for function in found:
        if listens(function):
            if (complaint := unheard(function)) is not None:
                raise PluginError(complaint)
            event = getattr(function, f"{PROJECT}_impl").get("specname") or function.__name__
            takes = tuple(inspect.signature(function).parameters)
            registry.listeners.append(Listener(event, path.stem, function, takes))
            continue
        if (complaint := complaint_of(function)) is not None:
            raise PluginError(complaint)
        add(registry, kind_of(function), function, origin, disabled)


def add_function(registry: Registry, function: Any) -> None:
    """Add a decorated function to the components; a later one takes its place.

    Raises PluginError for what is no component, and where a plugin has one of that name.
    """
    if not hasattr(function, MARKS):
        raise PluginError(
            f"register takes a component, and {getattr(function, '__name__', function)!r} is "
            "none: decorate it, as with @architecture"
        )
    if (complaint := complaint_of(function)) is not None:
        raise PluginError(complaint)
    kind, marks = kind_of(function), getattr(function, MARKS)
    for name in (marks.name, *marks.aliases):
        other = registry.components.get((kind.name, name))
        if other is not None and other.distribution != NOTEBOOK:
            raise PluginError(
                f"there is a {kind.name} '{name}' of {other.distribution} already: call yours "
                f'otherwise, as in @{kind.name}(name="my_{name}")'
            )
        registry.components.pop((kind.name, name), None)
    version = f"{BY_CONTENT}{hashlib.sha256(source_of(function)).hexdigest()[:12]}"
    add(registry, kind, function, (NOTEBOOK, NOTEBOOK, version), {})


def version_of(path: Path) -> str:
    """What stands for the version of a file: a hash of its content."""
    return f"{BY_CONTENT}{hashlib.sha256(path.read_bytes()).hexdigest()[:12]}"


def bring_back(registry: Registry, components: Sequence[UsedComponent]) -> list[str]:
    """Add the files from which a run had components; a sentence for each that has changed.

    components: as the run recorded them.

    Raises ConfigError where one came from a notebook, or its file is gone.
    """
    changed = []
    for one in components:
        where, then = one["distribution"] or "", one["version"] or ""
        if not then.startswith(BY_CONTENT):
            continue
        what = f"{one['kind']} '{one['name']}'"
        here = registry.components.get((one["kind"], one["name"]))
        if here is None:
            if where == NOTEBOOK:
                raise ConfigError(
                    f"the {what} was registered by a notebook or a script, which this command "
                    f"does not read: write it into a file and give {OPTION} FILE"
                )
            if not Path(where).is_file():
                raise ConfigError(
                    f"the {what} came from {where}, which is gone: give {OPTION} FILE where it is "
                    "now"
                )
            add_file(registry, Path(where))
            here = registry.find(one["kind"], one["name"])
        if here.version != then:
            how = f"it came from {where} and is {here.distribution}'s now"
            if where == here.distribution:
                how = f"{where} has changed since"
            changed.append(f"the {what} is not what it was: {how}")
    return list(dict.fromkeys(changed))


def _imported(path: Path) -> ModuleType:
    """The module that a file holds, executed once a process; ConfigError where it fails."""
    name = _module_name(path)
    if name in LOOSE:
        return sys.modules[name]
    if str(path.parent) not in sys.path:
        sys.path.append(str(path.parent))  # last: what lies beside it hides no library
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    # It may fail in any way, SystemExit included.
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise ConfigError(
            f"{OPTION} {path} cannot be imported: {in_one_line(error)}{where_of(error, name)}"
        ) from error
    LOOSE[name] = path.parent
    return module


def _module_name(path: Path) -> str:
    """The name of the file's module: its own, unless that is another module's."""
    name = re.sub(r"\W", "_", path.stem)
    there = sys.modules.get(name)
    spec = there.__spec__ if there else importlib.util.find_spec(name)
    if name != "__main__" and (spec is None or Path(spec.origin or "") == path):
        return name
    return f"{name}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
