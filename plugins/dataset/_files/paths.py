"""Folders, and patterns of files, that a config names, and a sentence where there are none."""

from __future__ import annotations

import glob
from collections.abc import Sequence
from pathlib import Path

from runner import DataError, as_pattern, files_named, from_home, near_names, with_plain_names


def one_folder(path: Path, what: str, key: str = "dataset.path") -> Path:
    """The folder; DataError that says what it should be. key: the config's key that named it."""
    folder = from_home(path)
    if not folder.is_dir():
        fault = "is a file" if folder.is_file() else f"does not exist{near_names(folder)}"
        raise DataError(f"{key}={folder} {fault}: give {what}")
    return folder


def matching(path: Path, what: str, key: str = "dataset.path") -> list[Path]:
    """The files that a pattern such as data/**/*.bin matches, sorted by path; never none.

    A file of this very name is that file. what: what they must be, such as "data files".
    key: the config's key that named them.
    """
    pattern = from_home(path)
    if pattern.is_dir():
        raise DataError(f"{key}={pattern} is a directory: give a pattern, such as {pattern / '*'}")
    if files := files_named(str(pattern)):
        return list(with_plain_names(files))
    parents = as_pattern(str(pattern.parent))
    folders = [Path(name) for name in glob.glob(parents, recursive=True)]  # noqa: PTH207
    if not any(folder.is_dir() for folder in folders):
        raise DataError(f"{key}={pattern} matches no file: there is no folder {pattern.parent}")
    raise DataError(
        f"{key}={pattern} matches no file: give a pattern of {what}{near_names(pattern, folders)}"
    )


def by_name(files: Sequence[Path]) -> dict[str, Path]:
    """The files by their paths below the folder that they share, for an identity."""
    root = files[0].parent
    while not all(file.is_relative_to(root) for file in files):
        root = root.parent
    return {file.relative_to(root).as_posix(): file for file in files}
