"""The results folder: how its name is read, and how it is told from anybody's other folder."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

from runner.errors import WarehouseError
from runner.system.paths import from_home

ENVIRONMENT = "SWEEPHOUSE_RESULTS"
DEFAULT = "results"
MARKER = ".sweephouse"
"""The file that is written into a results folder at its birth."""
JOURNALS = "journals"
"""The folder of journals below it."""
_MARKER_TEXT = "A results folder of Sweephouse: its journals, warehouse and weights.\n"
_JOURNAL = re.compile(
    r"(care-|judgement-)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(\.done)?\.jsonl(\.gz)?"
)
DATABASE = "warehouse.duckdb"
_CACHES = ("file-hashes.json", "data-profiles.json")
"""What tells a folder that was born before there was a marker."""


def results_folder(name: str | os.PathLike[str] | None = None, base: Path | None = None) -> Path:
    """The folder that is named, else the environment's, else `results`; an empty name is none.

    The runner and the warehouse read the name here and nowhere else: `~` is the home, every other
    sign stands for itself. base: what a relative name counts from, the present folder by default.
    Raises WarehouseError where the name cannot be that of a results folder.
    """
    if not isinstance(name, str | os.PathLike | None) or isinstance(os.fspath(name or ""), bytes):
        raise WarehouseError(f"results={name!r:.80} is not valid: give the name of a folder")
    chosen = os.fspath(name or "") or os.environ.get(ENVIRONMENT) or DEFAULT
    try:
        chosen.encode()
    except UnicodeEncodeError:
        shown = chosen.encode("utf-8", "backslashreplace").decode()
        raise WarehouseError(
            f"the results folder {shown} has a name that is not UTF-8; choose another"
        ) from None
    if "\0" in chosen:
        raise WarehouseError("the results folder has a NUL in its name; choose another")
    folder = from_home(chosen)
    try:
        folder = (base / folder if base is not None else folder).absolute()
    except FileNotFoundError:
        raise WarehouseError(
            f"the present folder is gone, so there is no results folder {chosen} in it; "
            f"give a whole path with --results, results= or {ENVIRONMENT}"
        ) from None
    if "?" in str(folder):
        raise WarehouseError(
            f"the results folder {folder} has a '?' in its name, which DuckDB cannot open: what "
            "follows it would be options; choose another"
        )
    try:
        is_file = folder.exists() and not folder.is_dir()
    except OSError as error:  # its name is too long, or nobody may look
        raise WarehouseError(f"{folder} can be no results folder ({error.strerror})") from None
    if is_file:
        raise WarehouseError(f"{folder} is a file, not a results folder")
    return folder


def is_results(folder: Path) -> bool:
    """Whether the folder has our marker or, if older, journals, a database or caches of ours."""
    return any(_is_file(folder / name) for name in (MARKER, *_CACHES)) or holds_runs(folder)


def holds_runs(folder: Path) -> bool:
    """Whether the folder has a database or journals of ours."""
    journals = folder / JOURNALS
    return (
        _is_file(folder / DATABASE)
        or _holds_journals(journals)
        or _holds_journals(journals / "archive")
    )


def check_results(folder: Path) -> None:
    """Raise WarehouseError where the folder is there, is not empty and is not a results folder."""
    try:
        strange = folder.is_dir() and any(folder.iterdir()) and not is_results(folder)
    except OSError as error:
        raise WarehouseError(f"{folder} cannot be read: {error.strerror}") from error
    if strange:
        raise WarehouseError(
            f"{folder} is not a results folder: it has no {MARKER}, no journals and no warehouse; "
            f"nothing was touched. Choose another with --results or {ENVIRONMENT}"
        )


def mark_results(folder: Path) -> None:
    """Write the marker if there is none; a folder that cannot be written goes without."""
    with contextlib.suppress(OSError):
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        file = os.open(folder / MARKER, flags, 0o644)
        try:
            os.write(file, _MARKER_TEXT.encode())
        finally:
            os.close(file)


def _is_file(path: Path) -> bool:
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:
        return False


def _holds_journals(folder: Path) -> bool:
    """Whether files there have the names of journals of ours, which hold a UUID."""
    try:
        with os.scandir(folder) as entries:
            return any(_JOURNAL.fullmatch(entry.name) for entry in entries)
    except OSError:
        return False
