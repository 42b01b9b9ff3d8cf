"""A copy of the database that follows runs while they train, for who looks again and again.

A snapshot is made anew for every epoch of every run. Here a copy stays open, and only the journals
that have grown are laid over it once more.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from runner.system.databases import CLOSED, shut
from warehouse.database import Writer
from warehouse.ingest.ingest import overlay
from warehouse.journals.read import BESIDE, JournalFile
from warehouse.lake.opening import in_words, state_of
from warehouse.lake.reading import NO_STATE, attached, make, read_beside
from warehouse.place import Place
from warehouse.shelf import Hold, new_draft, remove
from warehouse.snapshot import copying, fill, laid_over, on_shelf

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Seen = dict[str, tuple[str, int]]
"""Run, or whatever else has a journal -> the journal's state and its bytes."""


class Follower:
    """An open copy, and what of the folder it shows. Raises WarehouseError as `connect` does.

    Ask it by cursors of `con`, which reaches no other file.
    """

    def __init__(self, place: Place) -> None:
        place.check()
        self._place = place
        with copying(place):
            self._base, journals = _base(place), laid_over(place)
            self._seen = _seen(journals)
            on_shelf(place, lambda shelf: self._copy(shelf, journals))
            self._staging = Path(tempfile.mkdtemp(prefix="sweephouse-"))
            path = self._folder / place.database.name
            if place.lake is not None:
                self.con = read_beside(path, place.lake, threads=1)
                self._lake_state = self.lake_state()
            else:
                self.con = _open(path, self._staging)

    def lake_state(self) -> str:
        """What changes with anything that is taken into the lake; empty where there is none."""
        if (lake := self._place.lake) is None:
            return ""
        with in_words(lake), closing(self.con.cursor()) as cursor:
            state = state_of(cursor, lake)
            if state == NO_STATE:  # it may have been made since
                with closing(attached(lake)) as con:
                    state = state_of(con, lake)
            return str(state)

    def catch_up(self) -> set[str] | None:
        """Take in what journals have grown by: their runs. None where it takes a new copy."""
        import duckdb

        if _base(self._place) != self._base:
            return None
        journals = laid_over(self._place)
        seen = _seen(journals)
        if self._place.lake is not None:
            is_same = seen == self._seen and self.lake_state() == self._lake_state
            return set() if is_same else None
        if not _goes_on(self._seen, seen):
            return None
        grown = {name for name, state in seen.items() if self._seen.get(name) != state}
        try:
            writer = Writer(self.con, self._staging)
            overlay(writer, self._place, [each for each in journals if each.run_id in grown])
        except duckdb.Error:
            return None
        self._seen = seen
        return grown

    def close(self) -> None:
        """Let go of it; a cursor that is open still answers."""
        del self.con  # closing it would close its cursors
        shutil.rmtree(self._staging, ignore_errors=True)
        self._hold.release()
        remove(self._folder)

    def _copy(self, shelf: Path, journals: Sequence[JournalFile]) -> None:
        folder = new_draft(shelf)
        self._folder, self._hold = folder, Hold(folder)
        path = folder / self._place.database.name
        try:
            if self._place.lake is not None:
                with attached(self._place.lake) as con, in_words(self._place.lake):
                    make(con, path, journals, self._place.folder)
            else:
                fill(path, self._place, journals)
        except BaseException:
            self._hold.release()
            remove(folder)
            raise


def _open(path: Path, staging: Path) -> DuckDBPyConnection:
    import duckdb

    con = duckdb.connect(str(path), config=CLOSED)
    con.execute("SET GLOBAL TimeZone = 'UTC'")
    # Its folder may be gone by then.
    con.execute("PRAGMA disable_checkpoint_on_shutdown")
    # One thread: small questions take a third less of the processors, which are for runs.
    shut(con, folders=[staging], threads=1)
    return con


def _base(place: Place) -> list[tuple[str, int, int, int]]:
    """What changes with anything that is ingested."""
    state = []
    for path in (place.database, *place.logs_of(place.database)):
        with suppress(OSError):
            file = path.stat()
            state.append((path.name, file.st_ino, file.st_size, file.st_mtime_ns))
    return state


def _seen(journals: Sequence[JournalFile]) -> Seen:
    seen: Seen = {}
    for journal in journals:
        with suppress(OSError):
            seen[journal.run_id] = (journal.state, journal.path.stat().st_size)
    return seen


def _goes_on(before: Seen, now: Seen) -> bool:
    """Whether journals of runs only came, grew and ended since."""
    if any(name.startswith(BESIDE) for name in now.keys() - before.keys()):
        return False
    for name, (state, size) in before.items():
        if (state, size) == now.get(name):
            continue
        new_state, new_size = now.get(name, ("gone", 0))
        if state != "running" or new_state not in ("running", "ended") or new_size <= size:
            return False
    return True
