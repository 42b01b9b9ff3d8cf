"""Stored files that only deleted runs need: which they are, and their removal."""

from __future__ import annotations

import os
import re
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from runner.errors import WarehouseError
from runner.system.paths import open_plain
from warehouse.care import entry, write
from warehouse.database import in_words, sql_of
from warehouse.place import Place
from warehouse.rebuild import missing_runs
from warehouse.snapshot import newest

YOUNG = 3600.0
"""Seconds for which gc leaves any file alone: a run saves first and refers to it after."""
STORED = re.compile(r"(weights|artifacts)/([0-9a-f]{2})/\2[0-9a-f]{62}\.[a-z0-9]+")
"""The names that `runner.journal.weights.store` gives: a hash below its first two digits."""
_URI = re.compile(rb'"uri"\s*:\s*"([^"]+)"')


@dataclass(frozen=True)
class Garbage:
    """The files that gc may remove, and how much of the store that is."""

    files: list[Path]
    runs: set[str]
    """The deleted runs that they are from."""
    bytes: int
    stored: int
    """Bytes of all files of ours in the store, these included."""

    @property
    def share(self) -> float:
        """The part of the store that would go, from 0 to 1."""
        return self.bytes / self.stored if self.stored else 0.0


def collectable(place: Place) -> Garbage:
    """The weights files and artifacts that gc may remove; the caller holds the lock.

    They have the names that our store gives, a journal has named them, and no run that is not
    deleted needs them: neither as its own nor as those that it was made from.
    """
    with in_words(place), newest(place) as con:
        if missing := missing_runs(con, place):
            raise WarehouseError(
                f"{len(missing)} archived runs are not in {place.database}, so it is "
                "not known which weights they need; run `python -m warehouse rebuild` first"
            )
        stored = con.execute(dict(sql_of("queries"))["stored_files.sql"]).fetchall()
    named = mentioned(place)
    now = now_of(place)
    files, runs, freed, total = [], set(), 0, 0
    for uri, is_needed, run_ids in sorted(stored):
        if (file := stat_of(place, uri)) is None:
            continue
        total += file.st_size
        if not is_needed and uri not in named and now - file.st_mtime > YOUNG:
            files.append(place.folder / uri)
            runs.update(run_ids)
            freed += file.st_size
    return Garbage(files, runs, freed, total)


def now_of(place: Place) -> float:
    """The folder's own time; WarehouseError where it is not ours to write into."""
    try:
        return place.now()
    except OSError as error:
        raise WarehouseError(
            f"{place.journals} cannot be written ({error.strerror}), so nothing can be removed"
        ) from error


def stat_of(place: Place, uri: str) -> os.stat_result | None:
    """The state of a file of our store; None for anything else, and for what a link leads to."""
    if not STORED.fullmatch(uri):
        return None
    path = place.folder / uri
    try:
        if any(folder.is_symlink() for folder in (path.parent.parent, path.parent)):
            return None
        file = path.lstat()
    except OSError:
        return None
    return file if stat.S_ISREG(file.st_mode) else None


def collect(place: Place, garbage: Garbage) -> None:
    """Remove the files, written into a journal first; the caller holds the lock."""
    uris = [path.relative_to(place.folder).as_posix() for path in garbage.files]
    write(place, [entry("collect", None, uri) for uri in uris])
    for uri in uris:
        # A run that saves equal weights touches the file and refers to it.
        file = stat_of(place, uri)
        if file is not None and now_of(place) - file.st_mtime > YOUNG:
            try:
                (place.folder / uri).unlink(missing_ok=True)
            except OSError as error:
                raise WarehouseError(
                    f"{place.folder / uri} cannot be removed ({error.strerror})"
                ) from error


def mentioned(place: Place) -> set[str]:
    """The files that journals name which are not in, sound or not: not ours to judge."""
    uris: set[str] = set()
    for folder in (place.journals, place.rejected):
        for path in folder.glob("*.jsonl*"):
            with suppress(OSError):
                with open_plain(path) as file:
                    named = _URI.findall(file.read())
                uris |= {uri.decode("utf-8", "replace") for uri in named}
    return uris
