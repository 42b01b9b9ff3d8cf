"""The component whose code an error went through, by the traceback that is kept of it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable
from pathlib import Path

from runner.components.registry import Component
from runner.components.sources import source_files

FRAME = re.compile(r'File "([^"\n]+)", line (\d+)')


def culprit(components: Iterable[Component], traceback: str | None) -> str | None:
    """The component, its file and the line, such as loss 'mine' (mine.py, line 12).

    None where the error went through none of the components. Of several the innermost
    counts, and of those in one file the one whose lines they are.
    """
    frames = [(Path(file), int(line)) for file, line in FRAME.findall(traceback or "")]
    chosen = list(components)
    for file, line in reversed(frames):
        near = [component for component in chosen if _is_near(component, file)]
        if near:
            inside = [c for c in near for f, n in frames if f == file and _holds(c, f, n)]
            component = (inside or near)[-1]
            return f"{component.place} ({file.name}, line {line})"
    return None


def _is_near(component: Component, file: Path) -> bool:
    """Whether the file is the component's module, or of its package and imported there."""
    files = source_files(component.function) if file.suffix == ".py" else []
    return any(one.samefile(file) for one in files if one.name == file.name and file.exists())


def _holds(component: Component, file: Path, line: int) -> bool:
    """Whether the line is one of the component's function."""
    source = inspect.getsourcefile(component.function)
    if source is None or Path(source).name != file.name:
        return False
    lines, first = inspect.getsourcelines(component.function)
    return first <= line < first + len(lines)
