"""Files in folders and by patterns, without those that are no data.

Those are hidden ones, and what systems and programs leave behind: checkpoints of notebooks,
previews, locks, halves of downloads. They are passed over at every depth, unless the user names
them, and a line says how many there are.
"""

from __future__ import annotations

import glob
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from runner.errors import DataError
from runner.system.terminal import printable

HIDDEN_BEGINS = (".", "~")
"""Hidden files, and locks of Office."""
HIDDEN_ENDS = ("~", ".crdownload", ".swp", ".tmp")
LEAVINGS = {
    "#recycle",
    "#snapshot",
    "$recycle.bin",
    "@eadir",
    "@recycle",
    "@tmp",
    "__macosx",
    "__pycache__",
    "_success",
    "_temporary",
    "desktop.ini",
    "ehthumbs.db",
    "icon\r",
    "lost+found",
    "recycler",
    "system volume information",
    "thumbs.db",
}
NAMED = 3
"""Names that the line gives."""


def is_leaving(name: str) -> bool:
    """Whether a file or folder of this name is hidden, or left behind by a system."""
    return (
        name.startswith(HIDDEN_BEGINS)
        or name.endswith(HIDDEN_ENDS)
        or (name.startswith("#") and name.endswith("#"))
        or name.lower() in LEAVINGS
    )


def files_below(folder: Path) -> list[Path]:
    """All files of the folder that may be data, at every depth, sorted; links are followed."""
    files, leavings = [], []
    for file, leaving in _walk(folder, set()):
        if leaving is None:
            files.append(file)
        else:
            leavings.append(leaving)
    _tell(folder, leavings)
    return sorted(files)


def files_matching(pattern: str) -> list[Path]:
    """The files that may be data among those that the pattern matches, sorted."""
    if "\0" in pattern:
        return []
    plain, rest = _plain_part(Path(pattern))
    matches = glob.glob(as_pattern(pattern), recursive=True, include_hidden=True)  # noqa: PTH207
    files = [path for path in map(Path, sorted(matches)) if path.is_file()]
    named = [part for part in rest if is_leaving(part)]
    depth = len(plain.parts)
    leavings = {file: _first_leaving(file.parts[depth:], named) for file in files}
    _tell(Path(pattern), [name for name in leavings.values() if name])
    return [file for file, name in leavings.items() if name is None]


def as_pattern(text: str) -> str:
    """The pattern in which each folder that there is by its very name is that folder.

    Names may hold brackets, as data[1] does.
    """
    plain, rest = _plain_part(Path(text))
    return str(Path(glob.escape(str(plain)), *rest))


def _plain_part(pattern: Path) -> tuple[Path, Sequence[str]]:
    """The folders at the pattern's beginning that there are by their very names, and the rest."""
    parts = pattern.parts
    plain = Path()
    for at, part in enumerate(parts):
        if glob.has_magic(part) and not os.path.lexists(plain / part):
            return plain, parts[at:]
        plain /= part
    return plain, ()


def _first_leaving(parts: Iterable[str], named: Sequence[str]) -> str | None:
    """The first of the path's parts that is a leaving and that the user has not named."""
    for part in parts:
        if is_leaving(part) and not any(fnmatch(part, pattern) for pattern in named):
            return part
    return None


def _walk(
    folder: Path, above: set[tuple[int, int]], leaving: str | None = None
) -> Iterator[tuple[Path, str | None]]:
    """Every file below the folder, and the leaving that it is or lies in; DataError.

    above: the folders that this one lies in, as the file system numbers them: links can put one
    into itself.
    """
    try:
        status = folder.stat()
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError as error:
        if leaving is None:
            raise DataError(f"the folder {folder} cannot be read: {error.strerror}") from None
        yield folder, leaving
        return
    here = status.st_dev, status.st_ino
    if here in above:
        return
    for entry in entries:
        mark = leaving or (entry.name if is_leaving(entry.name) else None)
        if entry.is_dir():
            yield from _walk(Path(entry.path), above | {here}, mark)
        elif entry.is_file():
            yield Path(entry.path), mark


def _tell(where: Path, leavings: Sequence[str]) -> None:
    """Say how many files were passed over, if any, and what they lie in or are."""
    if not leavings:
        return
    names = sorted(set(leavings))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    files = "1 file" if len(leavings) == 1 else f"{len(leavings)} files"
    warnings.warn(
        f"{printable(str(where))}: {files} passed over, hidden or left behind by a system "
        f"({', '.join(map(printable, names[:NAMED]))}{more})",
        # Of one place, so that Python says it once.
        stacklevel=1,
    )
