"""Files that a config names: one, or all that a pattern matches, and a sentence where none is."""

from __future__ import annotations

import difflib
import glob
from collections.abc import Sequence
from pathlib import Path

from runner import DataError, files_named, with_plain_names


def one_file(path: Path, what: str, key: str = "dataset.path") -> Path:
    """The file; DataError that says what it should be and names the nearest neighbours.

    what: what the file must be, such as "an .npz file".
    key: the config's key that named it.
    """
    file = path.expanduser()
    try:
        if file.is_dir():
            raise DataError(f"{key}={file} is a directory: give the path of {what}")
        if not file.is_file():
            raise DataError(f"{key}={file} does not exist: give the path of {what}{near(file)}")
        if file.stat().st_size == 0:
            raise DataError(f"{key}={file} is empty: it must be {what}")
    except OSError as error:
        raise DataError(f"{key}={file} cannot be read: {error.strerror}") from None
    return file


def one_folder(path: Path, what: str) -> Path:
    """The folder; DataError that says what it should hold."""
    folder = path.expanduser()
    if not folder.is_dir():
        said = "is a file" if folder.is_file() else f"does not exist{near(folder)}"
        raise DataError(f"dataset.path={folder} {said}: give a folder of {what}")
    return folder


def matching(path: Path, what: str, key: str = "dataset.path") -> list[Path]:
    """The files that a pattern such as data/**/*.bin matches, sorted by path; never none.

    A file of this very name is that file. what: what they must be, such as "data files".
    key: the config's key that named them.
    """
    pattern = path.expanduser()
    if pattern.is_dir():
        raise DataError(f"{key}={pattern} is a directory: give a pattern, such as {pattern / '*'}")
    if files := files_named(str(pattern)):
        return list(with_plain_names(files))
    folders = [Path(name) for name in glob.glob(str(pattern.parent), recursive=True)]  # noqa: PTH207
    if not any(folder.is_dir() for folder in folders):
        raise DataError(f"{key}={pattern} matches no file: there is no folder {pattern.parent}")
    raise DataError(
        f"{key}={pattern} matches no file: give a pattern of {what}{near(pattern, folders)}"
    )


def by_name(files: Sequence[Path]) -> dict[str, Path]:
    """The files by their paths below the folder that they share, for an identity."""
    root = files[0].parent
    while not all(file.is_relative_to(root) for file in files):
        root = root.parent
    return {file.relative_to(root).as_posix(): file for file in files}


def near(path: Path, folders: Sequence[Path] = ()) -> str:
    """The end of a sentence: what lies beside a path under a similar name, if anything.

    folders: where to look, if not in the path's own.
    """
    if not (folders or path.parent.is_dir()):
        return f" (there is no folder {path.parent})"
    beside = {item.name for folder in folders or [path.parent] for item in _inside(folder)}
    close = difflib.get_close_matches(path.name, sorted(beside), n=2, cutoff=0.5)
    return f" (near it: {', '.join(close)})" if close else ""


def _inside(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
