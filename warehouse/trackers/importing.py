"""Runs of another tracker into the warehouse: by journals like any other run's, and once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from runner.errors import WarehouseError
from runner.journal.file import RUNNING, check_writable, write_journal
from runner.journal.ids import new_run_id
from runner.journal.records import Care
from runner.journal.results import mark_results
from warehouse.ingest.ingest import sync
from warehouse.journals.read import CARE
from warehouse.place import BusyError, Place
from warehouse.result import SyncResult
from warehouse.snapshot import connect
from warehouse.trackers.foreign import Run
from warehouse.trackers.journal import care_of, records_of

PATIENCE = 60.0
"""Seconds that an import waits for another one."""


@dataclass
class Imported:
    """What came of an import."""

    new: Counter[str] = field(default_factory=Counter)
    """Status -> how many runs have it."""
    changed: int = 0
    """How many of them were there, and had changed since at their tracker."""
    there: int = 0
    """How many more were there as they are."""
    warnings: list[str] = field(default_factory=list)
    """What could not be taken of runs, a sentence each."""
    sync: SyncResult = field(default_factory=SyncResult)

    def sentence(self, source: str) -> str:
        """The outcome in one line."""
        total = self.new.total()
        said = f"imported {total} run{'' if total == 1 else 's'} from {source}"
        if self.new:
            said += f" ({', '.join(f'{n} {status}' for status, n in self.new.most_common())})"
        if self.changed:
            said += f", {self.changed} of them again, since changed there"
        if self.there:
            said += f"; {self.there} there before"
        return said


def take_in(place: Place, runs: Iterable[Run]) -> Imported:
    """Write the journals of runs that are not there, or not as they are now, and take them in.

    Raises WarehouseError where a run cannot be read, another import is at work, or the folder is
    none for results, and JournalError where it cannot be written. What was read before is in then.
    """
    done = Imported()
    with _alone(place):
        known, there = _known(place)
        care: list[Care] = []
        written: set[str] = set()
        try:
            for run in runs:
                fingerprint = run.fingerprint()
                # A copy of a run that has just been written is the same run; so is one of ours.
                is_copy = run.run_id in written or run.exported_from in there
                if is_copy or known.get(run.run_id) == fingerprint:
                    done.there += 1
                    continue
                # What a killed import left, which nobody else writes.
                (place.journals / f"{run.run_id}{RUNNING}").unlink(missing_ok=True)
                write_journal(place.journals, run.run_id, records_of(run))
                done.changed += run.run_id in known
                written.add(run.run_id)
                done.new[run.status] += 1
                done.warnings += run.warnings
                care += care_of(run)
        finally:
            if care := _new(place, care):
                write_journal(place.journals, f"{CARE}{new_run_id()}", care)
            done.sync = sync(place.folder, wait=PATIENCE)
    return done


@contextmanager
def _alone(place: Place) -> Iterator[None]:
    """Keep other imports away, which might bring the same runs."""
    place.check()
    check_writable(place.journals)
    place.folder.mkdir(parents=True, exist_ok=True)
    mark_results(place.folder)
    try:
        with place.locked(PATIENCE, name="import.lock"):
            yield
    except BusyError:
        raise WarehouseError(
            f"another import into {place.folder} is at work: try again when it has ended"
        ) from None


def _new(place: Place, entries: list[Care]) -> list[Care]:
    """Those of the entries that no earlier import has made."""
    if not entries:
        return []
    with connect(place.folder) as con:
        rows = con.execute(
            "SELECT entry_id FROM care WHERE entry_id IN (SELECT unnest($1::VARCHAR[]))",
            [[each.entry_id for each in entries]],
        ).fetchall()
    there = {entry_id for (entry_id,) in rows}
    return [each for each in entries if each.entry_id not in there]


def _known(place: Place) -> tuple[dict[str, str | None], set[str]]:
    """The imported runs that are there, and all runs.

    Of an imported one, what it was made of, and None where a kill left a part of it.
    """
    sync(place.folder, wait=PATIENCE)
    with connect(place.folder) as con:
        rows = con.execute(
            "SELECT run_id, imported_from IS NOT NULL, "
            "CASE WHEN ended_at IS NOT NULL THEN fingerprint END FROM runs"
        ).fetchall()
    known = {run_id: fingerprint for run_id, imported, fingerprint in rows if imported}
    return known, {run_id for run_id, *_ in rows}
