"""Journals into the tables, so that one that DuckDB refuses does not keep the others out.

The lines of a journal are checked one by one before; what passes there may still fail in SQL.
Then the batch goes in one journal at a time, and of a journal that fails what is sound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import ChangedError, Writer, changes
from warehouse.ingest.batch import Batch
from warehouse.journals.archive import Taken
from warehouse.journals.lines import dump
from warehouse.journals.read import BadLine, JournalFile, Reading, Row

if TYPE_CHECKING:
    import duckdb

ReadJournal = tuple[JournalFile, Reading]
"""A journal, and what was read in it."""


@dataclass
class Loaded:
    """The outcome of a batch."""

    taken: list[Taken] = field(default_factory=list)
    new: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    """Files of predictions that were left out, a sentence each."""
    files: int = 0
    """Of a lake: weights and artifacts that were brought there."""
    bytes: int = 0
    """Of these files."""

    def add(self, other: Loaded) -> None:
        """Put what became of more journals to it."""
        self.taken += other.taken
        self.new += other.new
        self.lost += other.lost
        self.problems += other.problems
        self.files += other.files
        self.bytes += other.bytes


def load(writer: Writer, results: Path, journals: Sequence[ReadJournal]) -> Loaded:
    """Take journals in, in one transaction; where that fails, each in one of its own.

    Raises ChangedError where the tables are not as we made them, and duckdb.Error where the fault
    is not in the journals: a full disk, too little memory, a broken file.
    """
    import duckdb

    try:
        return _together(writer, results, journals)
    except duckdb.Error as error:
        if not _is_of_content(error):
            raise
        if differences := changes(writer.con):
            raise ChangedError(
                f"{differences[0]}; nothing can be taken in until `python -m warehouse rebuild` "
                "sets the database aside and makes it again from the journals"
            ) from error
    whole = Loaded()
    for journal in journals:
        try:
            whole.add(_together(writer, results, [journal]))
        except duckdb.Error as error:
            if not _is_of_content(error):
                raise
            whole.add(_what_is_sound(writer, results, journal))
    return whole


def _together(
    writer: Writer, results: Path, journals: Sequence[ReadJournal], *, keep: bool = True
) -> Loaded:
    """Load all of them in one transaction; only try it, and undo it, if it is not to be kept."""
    with Batch(writer, results, [journal.run_id for journal, _ in journals]) as batch:
        taken = [Taken(*each, batch.add(*each)) for each in journals]
        batch.load(keep=keep)
        return Loaded(taken, batch.new, batch.lost, batch.problems)


def _is_of_content(error: duckdb.Error) -> bool:
    """Whether an error may come from what the journals say, not from disk, memory or a stop."""
    import duckdb

    elsewhere = (duckdb.OperationalError, duckdb.FatalException, duckdb.InterruptException)
    return not isinstance(error, elsewhere)


def _what_is_sound(writer: Writer, results: Path, read_journal: ReadJournal) -> Loaded:
    """The journal without the records that DuckDB refuses; none of it if its first is one."""
    import duckdb

    journal, reading = read_journal
    refused: list[BadLine] = []

    def refusal(rows: Sequence[Row]) -> str | None:
        tried = dataclasses.replace(reading, rows=list(rows))
        try:
            _together(writer, results, [(journal, tried)], keep=False)
        except duckdb.Error as error:
            if not _is_of_content(error):
                raise
            return str(error).splitlines()[0]
        return None

    def sound(before: list[Row], rows: Sequence[Row]) -> list[Row]:
        """`before`, and those of the rows that go in after it; halved until the bad are alone."""
        if (reason := refusal([*before, *rows])) is None:
            return [*before, *rows]
        if len(rows) == 1:
            refused.append(BadLine(rows[0].line, reason, dump(rows[0].fields)))
            return before
        half = len(rows) // 2
        return sound(sound(before, rows[:half]), rows[half:])

    head = [] if reading.is_care else reading.rows[:1]
    if head and (reason := refusal(head)) is not None:
        return Loaded([Taken(journal, reading, "refused", reason)])
    rows = sound(head, reading.rows[len(head) :])
    kept = dataclasses.replace(reading, rows=rows, bad=[*reading.bad, *refused])
    return _together(writer, results, [(journal, kept)])
