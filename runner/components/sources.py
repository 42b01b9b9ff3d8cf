"""The source of a component, which its runs' fingerprint covers; nothing is imported."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import sys
import types
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any

LOOSE: dict[str, Path] = {}
"""Modules of loose files, and the folder that each lies in: its package, so to speak."""


def source_of(function: Any) -> bytes:
    """The text that the component is made of; equal text, the same component.

    Of one that lies in a file, that is its module and what it imports of its own package. Of one
    from a notebook's cell or a script, the function and what it names of its own module.
    """
    if files := source_files(function):
        return b"".join(file.read_bytes() for file in files)
    return "\n".join(_written(function)).encode()


def source_files(function: Any) -> list[Path]:
    """The component's module and what it imports of its own package, as source files."""
    root = function.__module__.partition(".")[0]
    seen: dict[str, Path] = {}
    if root != "__main__":  # which may be anybody's: of a script, of a notebook, the runner's own
        _follow(function.__module__, root, LOOSE.get(function.__module__), seen)
    return [seen[name] for name in sorted(seen)]


def _follow(name: str, root: str, folder: Path | None, seen: dict[str, Path]) -> None:
    """Collect the module's file, then those of its package, or folder, that its text imports."""
    if name in seen:
        return
    spec = _spec_of(name)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return
    seen[name] = Path(spec.origin)
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    for module in _imported(seen[name], package):
        if folder is not None or module.partition(".")[0] == root:
            found = _spec_of(module)
            inside = folder is None or (found and folder in Path(found.origin or "").parents)
            if found is not None and inside:
                _follow(module, root, folder, seen)


def _written(function: Any) -> Iterator[str]:
    """The text of a function, then of all that it names of its own module, each once."""
    seen: set[str] = set()
    todo = {function.__qualname__: function}
    while todo:
        name, thing = todo.popitem()
        seen.add(name)
        if not isinstance(thing, type | types.FunctionType):
            yield f"{name} = {thing!r}"
            continue
        methods = [thing] if not isinstance(thing, type) else list(vars(thing).values())
        for method in (one for one in methods if isinstance(one, types.FunctionType)):
            yield _text(method)
            for named, value in _named(method):
                own = getattr(value, "__module__", None) == function.__module__
                plain = isinstance(value, bool | int | float | str | None)
                if named not in seen and (plain or own):
                    todo[named] = value


def _text(function: types.FunctionType) -> str:
    """What was typed, or where nobody remembers, what became of it."""
    try:
        return inspect.getsource(function)
    except (OSError, TypeError):
        return "".join(map(_compiled, _codes(function.__code__)))


def _compiled(code: types.CodeType) -> str:
    constants = [one for one in code.co_consts if not isinstance(one, types.CodeType)]
    return repr((code.co_code, code.co_names, constants))


def _named(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The globals that a function names anywhere in it, and what it closes over."""
    for code in _codes(function.__code__):
        for name in code.co_names:
            if name in function.__globals__:
                yield name, function.__globals__[name]
    for name, cell in zip(function.__code__.co_freevars, function.__closure__ or (), strict=True):
        yield name, cell.cell_contents


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    """The code of a function and of those inside of it."""
    yield code
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            yield from _codes(inner)


def _imported(file: Path, package: str) -> Iterator[str]:
    """The names of what the file imports, anywhere in it; a function's as if it were a module."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            base = importlib.util.resolve_name(base, package) if node.level else base
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _spec_of(name: str) -> ModuleSpec | None:
    """Where a module lies; None where the name is that of a function, say.

    Unlike importlib's own, this imports no package on the way: it may load TensorFlow.
    """
    if name in sys.modules:
        return sys.modules[name].__spec__
    parent = name.rpartition(".")[0]
    if not parent:
        return importlib.util.find_spec(name)
    above = _spec_of(parent)
    if above is None or above.submodule_search_locations is None:
        return None
    return PathFinder.find_spec(name, list(above.submodule_search_locations))
