"""What a results folder has taken in, into the team's lake: its journals and the files they name.

It asks no clock, and nothing of what this folder has pushed before: what is there is asked of the
lake, by the hash of a run's journal and the ids of all else. So twice is once, from one machine or
from two, and a push that was killed goes on where it was.
"""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from runner.journal.records import Care
from warehouse.ingest.ingest import batches, ingest
from warehouse.ingest.sift import ReadJournal
from warehouse.journals.archive import Taken
from warehouse.journals.read import BESIDE, CARE, JUDGEMENT, JournalFile, Reading, read
from warehouse.lake.address import Lake
from warehouse.lake.intake import taking
from warehouse.place import Place
from warehouse.rebuild import ENDING, archived
from warehouse.result import SyncResult
from warehouse.snapshot import connect

STAY = ("purge", "collect")
"""Of care, what is about this folder alone: that it has no room for a run, or for its files."""
PATIENCE = 60.0
"""Seconds that a push waits for others at work in the results folder."""


@dataclass
class Pushed:
    """What came of a push."""

    runs: list[str] = field(default_factory=list)
    """Those that are new in the lake."""
    there: int = 0
    """How many more were there before."""
    others: int = 0
    """Journals beside runs that were brought: evaluations, tags and notes, searches."""
    files: int = 0
    """Weights and artifacts that were brought."""
    bytes: int = 0
    """Of these."""
    problems: list[str] = field(default_factory=list)
    """What could not be brought, a sentence each."""


class Progress(NamedTuple):
    """How far a push is."""

    done: int
    """Journals."""
    of: int
    runs: int
    """Those that are new in the lake."""
    files: int
    bytes: int


Tell = Callable[[Progress], object]
"""Told how far it is."""


def push(place: Place, lake: Lake, tell: Tell) -> Pushed:
    """Bring all that the folder has taken in into the lake, which is made if it is not there.

    place: one whose lake it is. Raises WarehouseError where the lake or its files cannot be
    reached, or the folder is none of ours; what was brought by then is in, and whole.
    """
    place.check()
    pushed = Pushed()
    _take_in_what_waits(place, pushed)
    paths = archived(place)
    done = 0

    def told(*_: int) -> None:
        tell(Progress(done, len(paths), len(pushed.runs), pushed.files, pushed.bytes))

    with taking(place, lake, told) as take:
        known = _known(place, [path.name.removesuffix(ENDING) for path in paths])
        for batch in batches(JournalFile(path, "ended") for path in paths):
            with place.locked(PATIENCE):
                journals = list(_new(batch, known, pushed))
                if journals:
                    loaded = take(journals)
                    pushed.runs += loaded.new
                    pushed.files += loaded.files
                    pushed.bytes += loaded.bytes
                    pushed.problems += loaded.problems
                    _note(loaded.taken, pushed)
            done += len(batch)
            told()
    return pushed


def _take_in_what_waits(place: Place, pushed: Pushed) -> None:
    """Ingest: into the folder's own warehouse if it has one, else into the lake at once."""
    result = SyncResult()
    with place.locked(PATIENCE):
        own = dataclasses.replace(place, lake=None) if place.database.exists() else place
        ingest(own, result.add)
    if own is place:
        pushed.runs += result.ingested
    pushed.problems += result.problems


@dataclass(frozen=True)
class _Known:
    """What the lake has."""

    runs: dict[str, str]
    """Run -> sha256 of its journal."""
    entries: set[str]
    """Judgements, and what was entered as care."""


def _known(place: Place, names: Sequence[str]) -> _Known:
    """What it has of the journals of these names; of what was entered, all."""
    with connect(place.folder) as con:
        runs = con.execute(
            "SELECT run_id, journal_sha256 FROM runs WHERE run_id IN (SELECT unnest($1))", [names]
        ).fetchall()
        entries = con.execute(_ENTRIES).fetchall()
    return _Known(dict(runs), {entry for (entry,) in entries})


_ENTRIES = """
SELECT judgement_id FROM judgements
UNION SELECT entry_id FROM care
UNION SELECT entry_id FROM skipped_runs
UNION SELECT entry_id FROM searches
UNION SELECT entry_id FROM suggestions
"""


def _new(batch: Iterable[JournalFile], known: _Known, pushed: Pushed) -> Iterator[ReadJournal]:
    """The journals of a batch that the lake does not have as they are."""
    for journal in batch:
        name = journal.path.name.removesuffix(ENDING)
        try:
            if name.startswith(BESIDE):
                if name.removeprefix(JUDGEMENT) in known.entries:
                    continue
                reading = read(journal.path)
                if name.startswith(CARE) and not (reading := _of_all(reading, known)).rows:
                    continue
            else:
                if known.runs.get(name) == _digest(journal.path):
                    pushed.there += name not in pushed.runs
                    continue
                reading = read(journal.path)
        except FileNotFoundError:  # purged meanwhile
            continue
        except (OSError, EOFError, zlib.error) as error:
            pushed.problems.append(f"archive/{journal.name} cannot be read: {error}")
            continue
        yield journal, reading


def _digest(path: Path) -> str:
    return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()


def _of_all(reading: Reading, known: _Known) -> Reading:
    """Care without what is there, and what is of this folder alone."""
    rows = [
        row
        for row in reading.rows
        if row.fields.get("entry_id") not in known.entries
        and not (row.kind == Care.record and row.fields["action"] in STAY)
    ]
    return dataclasses.replace(reading, rows=rows)


def _note(taken: Iterable[Taken], pushed: Pushed) -> None:
    """Count what became of journals, and say why some are left out."""
    for journal, reading, verdict, reason in taken:
        whose = f"run {reading.run_id}"
        match verdict:
            case "new":
                pushed.others += reading.run_id.startswith(BESIDE)
            case "there" | "twice":
                pushed.there += 1
            case "other":
                pushed.problems.append(
                    f"{whose} is in the lake with other content; the first is kept"
                )
            case "purged":
                pushed.problems.append(f"{whose} was purged from the lake, and stays out of it")
            case _:
                why = reason or reading.newer or "it has no run_start"
                pushed.problems.append(f"archive/{journal.name} cannot go in: {why}")
