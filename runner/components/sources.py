"""The source files of a component, which its runs' fingerprint covers; nothing is imported."""

from __future__ import annotations

import ast
import importlib.util
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from typing import Any


def source_files(function: Any) -> list[Path]:
    """The component's module and what it imports of its own package, as source files."""
    root = function.__module__.partition(".")[0]
    seen: dict[str, Path] = {}
    _follow(function.__module__, root, seen)
    return [seen[name] for name in sorted(seen)]


def _follow(name: str, root: str, seen: dict[str, Path]) -> None:
    """Collect the module's file, then those of its package that its text imports."""
    if name in seen:
        return
    spec = _spec_of(name)
    if spec is None or not spec.origin or not spec.origin.endswith(".py"):
        return
    seen[name] = Path(spec.origin)
    package = name if spec.submodule_search_locations else name.rpartition(".")[0]
    for module in _imported(seen[name], package):
        if module.partition(".")[0] == root and _spec_of(module) is not None:
            _follow(module, root, seen)


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
