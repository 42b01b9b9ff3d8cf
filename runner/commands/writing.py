"""Files that a command writes for the user: whole or not at all, and never onto what is kept."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from runner.data.identity import CACHE as HASHES
from runner.data.profile import CACHE as PROFILES
from runner.errors import ConfigError
from runner.journal.results import MARKER
from warehouse.place import Place

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)
"""What a disk says that takes no more."""


def refuse_own(to: Path, place: Place, sources: Iterable[Path] = ()) -> None:
    """Raise ConfigError where `to`, by whatever name, is a source or a file of the warehouse.

    And where it cannot be a file at all.
    """
    try:
        to.exists()
        there = next(folder for folder in to.absolute().parents if os.path.lexists(folder))
        if not there.is_dir():
            raise ConfigError(f"--to {to} is not valid: there is no folder {there}")
    except OSError as error:
        raise ConfigError(f"--to {to} is not valid: {error.strerror}") from None
    file = _followed(to)
    for source in sources:
        if file == _followed(source) or _same(file, source):
            raise ConfigError(
                f"--to {to} is not valid: it is the --source {source} itself; give another file"
            )
    folder = _followed(place.folder)
    inside = file.relative_to(folder).parts if file.is_relative_to(folder) else None
    if inside == () or (inside and _is_kept(inside[0], place)) or _same(file, place.database):
        raise ConfigError(
            f"--to {to} is not valid: the results in {place.folder} are kept there; give a file "
            "of your own"
        )


def _is_kept(name: str, place: Place) -> bool:
    """Whether the results folder keeps something of its own under this name."""
    kept = {one.name for one in (place.journals, place.weights, place.artifacts)}
    kept |= {MARKER, HASHES, PROFILES, "ingest-host", "snapshots", "sweeps", "warehouse.lock"}
    # With its write-ahead logs.
    return name in kept or name.startswith(place.database.name)


def _followed(path: Path) -> Path:
    """Where the path leads; a link to itself, unlike for pathlib, is no error."""
    return Path(os.path.realpath(path))


def _same(file: Path, other: Path) -> bool:
    """Whether both are one file, as a hard link is."""
    try:
        return os.path.samefile(file, other)  # noqa: PTH121
    except (OSError, ValueError):
        return False


@contextmanager
def written(to: Path) -> Iterator[Path]:
    """Where to write what shall be at `to`, a file or a folder, which is there at the end.

    It lies beside `to`, so that a disk that fills up or an error leaves what was there before:
    folders that were missing on the way are made, and taken away again where nothing came of it.
    Raises ConfigError where it cannot be written.
    """
    made: list[Path] = []
    try:
        place = _followed(to)
        made = [folder for folder in place.parents if not folder.exists()]
        place.parent.mkdir(parents=True, exist_ok=True)
        # A device or a pipe is written to, not replaced; of a folder only the content is ours.
        special = place.exists() and not place.is_file() and not place.is_dir()
        beside = None if special else place if place.is_dir() else place.parent
        with tempfile.TemporaryDirectory(
            prefix=".sweephouse-", dir=beside, ignore_cleanup_errors=True
        ) as folder:
            draft = Path(folder) / place.name
            yield draft
            if special:
                with draft.open("rb") as source, place.open("wb") as target:
                    shutil.copyfileobj(source, target)
            elif place.is_dir():
                for item in draft.iterdir():
                    item.rename(place / item.name)
            else:
                if place.is_file():
                    shutil.copymode(place, draft)
                draft.replace(place)
    except BaseException as error:
        for new in made:
            with suppress(OSError):  # somebody has put something there meanwhile
                new.rmdir()
        reason = _of_the_disk(error) if isinstance(error, Exception) else None
        if reason is None:
            raise
        raise ConfigError(f"--to {to} cannot be written: {reason}; nothing was changed") from error


def _of_the_disk(error: BaseException) -> str | None:
    """What the system said of the disk, though a library said something else since."""
    if isinstance(error, OSError):
        return error.strerror or str(error)
    behind: BaseException | None = error
    while behind is not None:
        # TensorFlow's errors have the system's words and not its number.
        for reason in map(os.strerror, FULL):
            if reason in str(behind):
                return reason
        behind = behind.__cause__ or behind.__context__
    return None
