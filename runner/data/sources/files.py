"""Files by the names that users give them, near names, and the same files as DuckDB takes them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path

from runner.data.sources.leavings import files_matching
from runner.errors import DataError
from runner.system.databases import PATTERN, as_one_file, literal
from runner.system.paths import from_home
from runner.system.terminal import printable


def files_named(text: str) -> list[Path]:
    """The file of this very name, else all that the pattern matches, sorted by path; often none.

    A leading ~ is the home folder, unless a file is called so.
    """
    for path in (Path(text), from_home(text)):
        if is_file(path):
            return [path.absolute()]
    return [path.absolute() for path in files_matching(str(from_home(text)))]


def is_file(path: Path) -> bool:
    """Whether there is a file of this name, whatever the name holds."""
    try:
        return path.is_file()
    # It holds a NUL, or is too long.
    except (OSError, ValueError):
        return False


def scan(reader: str, files: Iterable[Path], options: str = "") -> str:
    """The call of a reader of DuckDB's, such as "read_csv", over these very files.

    A folder called `name=value` adds no column: equal files would be other data elsewhere.
    options: more of them, such as "union_by_name = true".
    """
    listed = ", ".join(literal(_checked(file.absolute())) for file in files)
    more = f", {options}" if options else ""
    return f"{reader}([{listed}], hive_partitioning = false{more})"


def with_plain_names(files: Sequence[Path]) -> Sequence[Path]:
    """The files; DataError where a path is not UTF-8, for DuckDB cannot be told of it.

    Nor can names that are labels be kept then.
    """
    for file in files:
        try:
            str(file).encode()
        except UnicodeEncodeError:
            raise DataError(
                f"{printable(str(file))} has a name that is not UTF-8: rename it"
            ) from None
    return files


def _checked(file: Path) -> str:
    [text] = map(str, with_plain_names([file]))
    if "\\" in text and any(sign in text for sign in PATTERN):
        # To DuckDB a backslash in a pattern parts folders.
        raise DataError(
            f"{text} cannot be read: its path holds a backslash and one of {' '.join(PATTERN)}, "
            "so give it another name"
        )
    return as_one_file(text)


def one_file(path: Path, what: str, key: str = "dataset.path=") -> Path:
    """The file; DataError that says what it should be and names the nearest neighbours.

    what: what the file must be, such as "an .npz file".
    key: what named it, with its = or space.
    """
    file = from_home(path)
    try:
        if file.is_dir():
            raise DataError(f"{key}{file} is a directory: give the path of {what}")
        if not file.is_file():
            near = near_names(file)
            raise DataError(f"{key}{file} does not exist: give the path of {what}{near}")
        if file.stat().st_size == 0:
            raise DataError(f"{key}{file} is empty: it must be {what}")
    except OSError as error:
        raise DataError(f"{key}{file} cannot be read: {error.strerror}") from None
    return file


def near_names(path: Path, folders: Sequence[Path] = ()) -> str:
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
