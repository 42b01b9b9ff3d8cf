"""What people do to kept runs: said in journals of its own, so that a rebuild keeps it."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path

from runner.errors import WarehouseError
from runner.journal.file import Journal
from runner.journal.records import Care, new_run_id, now
from warehouse.database import in_words
from warehouse.ingest.ingest import sync
from warehouse.journals.read import CARE, open_plain
from warehouse.place import Place
from warehouse.rebuild import missing_runs
from warehouse.snapshot import connect, read, snapshot

YOUNG = 3600.0
"""Seconds for which gc leaves any weights alone: a run saves first and refers to them after."""
STORED = re.compile(r"(weights|artifacts)/([0-9a-f]{2})/\2[0-9a-f]{62}\.[a-z0-9]+")
"""The names that `runner.journal.weights.store` gives: a hash below its first two digits."""
_LAST_MOMENT = datetime.max.replace(tzinfo=UTC)
_URI = re.compile(rb'"uri"\s*:\s*"([^"]+)"')


def entry(action: str, run_id: str | None, text: str | None = None) -> Care:
    """One thing done now."""
    return Care(
        entry_id=new_run_id(),
        action=action,  # type: ignore[arg-type]
        entered_at=now(),
        run_id=run_id,
        text=text,
    )


def record(place: Place, entries: Iterable[Care]) -> None:
    """Write what was done into a journal, and take it in if nobody is at work there."""
    _write(place, _in_turn(place, list(entries)))
    sync(place.folder, wait=5.0)


@dataclass(frozen=True)
class Garbage:
    """What gc may remove, and how much of the store that is."""

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
    with in_words(place), read(snapshot(place)) as con:
        if missing := missing_runs(con, place):
            raise WarehouseError(
                f"{len(missing)} archived runs are not in {place.database}, so nothing can be "
                "said about their weights; `python -m warehouse rebuild` first"
            )
        rows = con.execute(resources.files("warehouse").joinpath("stored.sql").read_text())
        stored = rows.fetchall()
    mentioned = _mentioned(place)
    now = place.now()
    files, runs, freed, total = [], set(), 0, 0
    for uri, is_needed, run_ids in sorted(stored):
        if (there := _stat(place, uri)) is None:
            continue
        total += there.st_size
        if not is_needed and uri not in mentioned and now - there.st_mtime > YOUNG:
            files.append(place.folder / uri)
            runs.update(run_ids)
            freed += there.st_size
    return Garbage(files, runs, freed, total)


def _stat(place: Place, uri: str) -> os.stat_result | None:
    """What lies there, if it is a file of our store's: no link, nor reached by one."""
    if not STORED.fullmatch(uri):
        return None
    path = place.folder / uri
    try:
        if any(folder.is_symlink() for folder in (path.parent.parent, path.parent)):
            return None
        there = path.lstat()
    except OSError:
        return None
    return there if stat.S_ISREG(there.st_mode) else None


def collect(place: Place, garbage: Garbage) -> None:
    """Remove weights files, said in a journal first; the caller holds the lock."""
    uris = [path.relative_to(place.folder).as_posix() for path in garbage.files]
    _write(place, [entry("collect", None, uri) for uri in uris])
    for uri in uris:
        # A run that saves equal weights touches the file and refers to it.
        there = _stat(place, uri)
        if there is not None and place.now() - there.st_mtime > YOUNG:
            (place.folder / uri).unlink(missing_ok=True)


def _in_turn(place: Place, entries: list[Care]) -> list[Care]:
    """The entries, each stamped after all that was said of its run before.

    A clock that was ahead once, here or on another machine, would else have the last word.
    """
    with connect(place.folder) as con:
        rows = con.execute(
            "SELECT run_id, max(entered_at) FROM care "
            "WHERE run_id IN (SELECT unnest($1::VARCHAR[])) GROUP BY run_id",
            [[each.run_id for each in entries]],
        ).fetchall()
    newest = {run_id: moment.replace(tzinfo=UTC) for run_id, moment in rows}
    stamped = []
    for each in entries:
        moment = datetime.fromisoformat(each.entered_at)
        last = newest.get(each.run_id)
        if last is not None and moment <= last < _LAST_MOMENT:
            moment = last + timedelta(microseconds=1)
        newest[each.run_id] = moment
        stamped.append(replace(each, entered_at=moment.isoformat(timespec="microseconds")))
    return stamped


def _write(place: Place, entries: Iterable[Care]) -> None:
    with Journal(place.journals, f"{CARE}{new_run_id()}") as journal:
        for each in entries:
            journal.append(each)
        journal.finish()


def _mentioned(place: Place) -> set[str]:
    """The weights that journals name which are not in, sound or not: not ours to judge."""
    found: set[str] = set()
    for folder in (place.journals, place.rejected):
        for path in folder.glob("*.jsonl*"):
            with suppress(OSError):
                with open_plain(path) as file:
                    uris = _URI.findall(file.read())
                found |= {uri.decode("utf-8", "replace") for uri in uris}
    return found
