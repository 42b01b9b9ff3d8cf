"""Reading journals: which files there are, what each says, and which lines are no records."""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from runner.journal.file import DONE, RUNNING, is_abandoned, run_id_of
from runner.journal.records import (
    KINDS,
    OF_OUTPUTS,
    Care,
    Dataset,
    EvaluationAdded,
    RunStart,
    SearchBegun,
    SkippedRuns,
    Suggestions,
)
from runner.system.paths import open_plain
from warehouse.journals.fields import SAFE_ID
from warehouse.journals.lines import BadLineError, Fields, NewerError, parse
from warehouse.place import Place, this_host

CARE = "care-"
"""How the names of journals begin that hold care, not a run."""
JUDGEMENT = "judgement-"
"""How the names of those begin that hold evaluations of kept weights, made later."""
BESIDE = (CARE, JUDGEMENT)
OF_CARE = (Care.record, SkippedRuns.record, SearchBegun.record, Suggestions.record)
"""What is recorded of runs that are there already, or that a search is about to train."""
AMONG_CARE = (*OF_CARE, Dataset.record)
"""That, and what was said of data by a run that is purged."""
SILENCE = 60.0
"""Seconds without a heartbeat after which another machine's run counts as lost."""

State = Literal["ended", "abandoned", "silent", "running", "odd"]
"""`abandoned`: nobody will write again. `silent`: somebody might, so the file stays. `odd`: it is
among the journals and is none: a pipe, a link, a folder, or a name that no run has."""


@dataclass(frozen=True)
class BadLine:
    """A line that did not go in, by its number, from 1."""

    number: int
    reason: str
    text: bytes

    @property
    def torn(self) -> bool:
        """Whether it is what a process leaves that was killed while it wrote."""
        return self.reason == "torn"


class Row(NamedTuple):
    """A record as its checked fields, and the line that it stands in, from 1."""

    kind: str
    fields: Fields
    line: int


@dataclass
class Reading:
    """The content of one journal: its records, and its lines that are none."""

    run_id: str
    bytes: int
    sha256: str
    rows: list[Row] = field(default_factory=list)
    bad: list[BadLine] = field(default_factory=list)
    newer: str | None = None

    @property
    def start(self) -> Fields | None:
        """The fields of `run_start`; a run cannot go in without."""
        return self.rows[0].fields if self.rows and self.rows[0].kind == "run_start" else None

    @property
    def judgement(self) -> Fields | None:
        """The fields of `judgement`, if the journal is of kept weights evaluated later."""
        return self.rows[0].fields if self.rows and self.rows[0].kind == "judgement" else None

    @property
    def is_care(self) -> bool:
        return self.run_id.startswith(CARE)


@dataclass(frozen=True)
class JournalFile:
    """A journal that is not archived yet."""

    path: Path
    state: State

    @property
    def run_id(self) -> str:
        return run_id_of(self.path)

    @property
    def name(self) -> str:
        """The file's name, for people: what is not UTF-8 in it is escaped."""
        return os.fsencode(self.path.name).decode("utf-8", "backslashreplace")


def waiting(place: Place) -> list[JournalFile]:
    """The journals that are not archived yet, ended ones first, each in the order of their ids."""
    try:
        with os.scandir(place.journals) as entries:
            plain = {
                entry.name: entry.is_file(follow_symlinks=False)
                for entry in entries
                if entry.name.endswith(RUNNING)
            }
    except OSError:
        return []
    names = [name for name in sorted(plain) if plain[name] and _is_a_runs(name)]
    others = [name for name in names if not name.endswith(DONE)]
    journals = [
        JournalFile(place.journals / name, "ended") for name in names if name.endswith(DONE)
    ]
    now = _clock(place) if others else 0.0
    for name in others:
        path = place.journals / name
        if (state := _state(path, now)) is not None:
            journals.append(JournalFile(path, state))
    odd = sorted({*plain} - {*names})
    return journals + [JournalFile(place.journals / name, "odd") for name in odd]


def _is_a_runs(name: str) -> bool:
    """Whether a journal of a run, of care or of a judgement can have this name."""
    ending = DONE if name.endswith(DONE) else RUNNING
    return SAFE_ID.fullmatch(name.removesuffix(ending)) is not None


def _clock(place: Place) -> float:
    try:
        return place.now()
    except OSError:  # a reader of a folder that is not theirs: nothing there falls silent
        return 0.0


def _state(path: Path, now: float) -> State | None:
    """Whether the run behind an unfinished journal still lives; None where there is no run."""
    try:
        written = path.stat()
        if written.st_size == 0:  # killed before its first record, or about to write it
            return None
        if _host_of(path) == this_host():
            try:
                return "abandoned" if is_abandoned(path) else "running"
            except OSError:  # no locks on this filesystem: listen for the heartbeat
                pass
    except FileNotFoundError:  # it has just ended
        return None
    except OSError:  # not ours to read
        return "running"
    return "silent" if now - written.st_mtime >= SILENCE else "running"


def _host_of(path: Path) -> str | None:
    with path.open("rb") as file:
        first = file.readline()
    try:
        _, fields = parse(first)
    except BadLineError:
        # Its first record is torn: with nothing to lose, judge it as our own.
        return this_host()
    except NewerError:
        return None
    return str(fields.get("host"))


def read(path: Path) -> Reading:
    """Read a journal, plain or compressed, and check it line by line.

    Raises OSError where it cannot be read, EOFError or zlib.error where it is badly compressed.
    """
    with open_plain(path) as file:
        content = file.read()
    if path.suffix == ".gz":
        content = gzip.decompress(content)
    reading = Reading(run_id_of(path), len(content), hashlib.sha256(content).hexdigest())
    seen: set[tuple[object, ...]] = set()
    for number, line, torn in _lines(content):
        try:
            kind, fields = parse(line)
            _fits(reading, kind, fields, seen)
        except NewerError as newer:
            reading.newer = f"line {number}: {newer}"
            return reading
        except BadLineError as bad:
            reading.bad.append(BadLine(number, "torn" if torn else str(bad), line))
        else:
            reading.rows.append(Row(kind, fields, number))
    return reading


def _lines(content: bytes) -> Iterator[tuple[int, bytes, bool]]:
    lines = content.split(b"\n")
    last = len(lines)
    for number, line in enumerate(lines, 1):
        if line:
            yield number, line, number == last


def _fits(reading: Reading, kind: str, fields: Fields, seen: set[tuple[object, ...]]) -> None:
    """Raise BadLineError where a sound record does not fit those before it."""
    if reading.is_care:
        if kind not in AMONG_CARE:
            raise BadLineError(f"a {kind} among care records")
    elif reading.run_id.startswith(JUDGEMENT):
        _fits_judgement(reading, kind, fields)
    else:
        if kind in (*OF_CARE, EvaluationAdded.record):
            raise BadLineError(f"a {kind} record in a run's journal")
        if fields["run_id"] != reading.run_id:
            raise BadLineError(f"belongs to run {fields['run_id']}, not to this journal's")
        if kind != RunStart.record and not reading.rows:
            raise BadLineError(f"a {kind} before any run_start")
    key = (kind, *(fields[name] for name in KINDS[kind].key))
    if key in seen:
        raise BadLineError(f"the same {kind} is there already")
    seen.add(key)


def _fits_judgement(reading: Reading, kind: str, fields: Fields) -> None:
    """Raise BadLineError for a line of a judgement's journal that is not of that judgement."""
    if kind not in (EvaluationAdded.record, *OF_OUTPUTS):
        raise BadLineError(f"a {kind} in a judgement")
    if kind != EvaluationAdded.record and reading.judgement is None:
        raise BadLineError(f"a {kind} before any judgement")
    if reading.judgement is not None and fields["run_id"] != reading.judgement["run_id"]:
        raise BadLineError(f"belongs to run {fields['run_id']}, not to this judgement's")
