"""What comes of a worker's runs, carried to the head while they train: no shared disk is needed.

The head asks for letters, one after the other; each has the next lines of journals, by run and
byte, and the files that these refer to, which come first. A letter is given again until the next
one is asked for, and what is stored already is passed over: so nothing is lost, nothing twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from runner.errors import JournalError
from runner.journal.file import DONE, RUNNING, Journal, run_id_of
from runner.journal.lines import from_line
from runner.journal.records import Record, RunEnd
from runner.journal.results import JOURNALS
from runner.journal.weights import ARTIFACTS, FOLDER, path_of

LETTER = 8_000_000
"""Bytes of files that a letter has at most."""
DRAFT = ".tmp"
"""The ending of files that are not whole yet."""


@dataclass(frozen=True)
class Lines:
    """Whole lines of a run's journal, and where in it they begin."""

    run_id: str
    offset: int
    content: bytes
    is_done: bool
    """Whether the journal ends with them."""


@dataclass(frozen=True)
class Piece:
    """A part of a file that is named by its content, and where in it the part begins."""

    uri: str
    offset: int
    content: bytes
    size: int
    """Of the whole file."""


@dataclass(frozen=True)
class Letter:
    """What is sent at once; pieces are stored before lines, which may refer to them."""

    number: int
    pieces: tuple[Piece, ...]
    lines: tuple[Lines, ...]


class Outbox:
    """A worker's end: letters of what is new in its results folder.

    What has arrived is deleted there, so that the disk of a worker does not fill.
    """

    def __init__(self, results: Path) -> None:
        self._results = results
        self._last: Letter | None = None
        self._number = 0
        self._sent: dict[str, int] = {}
        """Bytes that were read of each journal that is not done."""
        self._lines: list[Lines] = []
        self._files: dict[str, int] = {}
        """Files that are to be sent, and how much of them was."""

    def letter(self, stored: int) -> Letter | None:
        """The next letter, or the last one again; None where there is nothing new.

        stored: the number of the last letter that has arrived.
        """
        if self._last is not None:
            if stored < self._last.number:
                return self._last
            self._forget(self._last)
            self._last = None
        if not self._files and not self._lines:
            self._look()
        pieces = tuple(self._pieces())
        lines = () if self._files else tuple(self._lines)
        if not pieces and not lines:
            return None
        if lines:
            self._lines = []
        self._number += 1
        self._last = Letter(self._number, pieces, lines)
        return self._last

    def _look(self) -> None:
        """Find new lines, then new files: what a line refers to was there before the line."""
        for path in sorted((self._results / JOURNALS).glob(f"*{RUNNING}")):
            run_id, is_done = run_id_of(path), path.name.endswith(DONE)
            offset = self._sent.get(run_id, 0)
            try:
                with path.open("rb") as file:
                    file.seek(offset)
                    content = file.read()
            except FileNotFoundError:  # it has just ended, and is found so the next time
                continue
            content = content if is_done else content[: content.rfind(b"\n") + 1]
            if content or is_done:
                self._sent[run_id] = offset + len(content)
                self._lines.append(Lines(run_id, offset, content, is_done))
        for folder in (FOLDER, ARTIFACTS):
            for path in sorted((self._results / folder).glob("*/*")):
                if path.suffix != DRAFT:
                    self._files.setdefault(f"{folder}/{path.parent.name}/{path.name}", 0)

    def _pieces(self) -> Iterator[Piece]:
        room = LETTER
        while self._files and room > 0:
            uri, offset = next(iter(self._files.items()))
            path = self._results / uri
            size = path.stat().st_size
            with path.open("rb") as file:
                file.seek(offset)
                content = file.read(room)
            room -= max(len(content), 1)
            yield Piece(uri, offset, content, size)
            self._files[uri] = offset + len(content)
            if self._files[uri] >= size:
                del self._files[uri]

    def _forget(self, letter: Letter) -> None:
        for piece in letter.pieces:
            if piece.offset + len(piece.content) >= piece.size:
                (self._results / piece.uri).unlink(missing_ok=True)
        for lines in letter.lines:
            if lines.is_done:
                self._sent.pop(lines.run_id, None)
                (self._results / JOURNALS / f"{lines.run_id}{DONE}").unlink(missing_ok=True)


class Inbox:
    """The head's end: letters of many workers, written into the results folder.

    Each run has its own journal there, locked while it is open: it is running for everybody who
    looks, until it ends or this process does.
    """

    def __init__(self, results: Path, on_record: Callable[[str, Record], None]) -> None:
        """on_record: takes each record, once it is stored, with the name of its node."""
        self._results, self._on_record = results, on_record
        self._open: dict[str, Journal] = {}
        self._stored: dict[str, int] = {}
        """Bytes of each journal; those of ended runs too, whose lines may come again."""

    def take(self, letter: Letter, node: str) -> None:
        """Store a letter; JournalError where that cannot be done."""
        for piece in letter.pieces:
            self._store(piece)
        for lines in letter.lines:
            self._append(lines, node)

    def end(self, end: RunEnd, node: str) -> None:
        """End an open run whose worker will not."""
        journal = self._open.pop(end.run_id, None)
        if journal is None:
            return
        with journal:
            journal.append(end)
            journal.finish()
        self._on_record(node, end)

    def end_all(self, ends: Callable[[str], RunEnd]) -> None:
        """End every open run, as this process is about to."""
        for run_id in list(self._open):
            with contextlib.suppress(JournalError, OSError, KeyError):
                journal = self._open.pop(run_id)
                journal.append(ends(run_id))
                journal.finish()

    def beat(self) -> None:
        """Show other machines that the open runs go on."""
        for journal in list(self._open.values()):
            journal.beat()

    def _append(self, lines: Lines, node: str) -> None:
        stored = self._stored.get(lines.run_id, 0)
        content = lines.content[max(0, stored - lines.offset) :]
        if lines.offset > stored:
            raise JournalError(
                f"of run {lines.run_id} the bytes {stored} to {lines.offset} have never arrived "
                f"from node {node}"
            )
        if stored and lines.run_id not in self._open:
            return  # it was given up
        if not stored:
            if not content:
                return
            self._open[lines.run_id] = Journal(self._results / JOURNALS, lines.run_id)
        journal = self._open[lines.run_id]
        if content:
            journal.append_lines(content)
        self._stored[lines.run_id] = stored + len(content)
        records = list(_records(content))
        if lines.is_done or any(isinstance(record, RunEnd) for record in records):
            journal.finish()
            del self._open[lines.run_id]
        for record in records:
            self._on_record(node, record)

    def _store(self, piece: Piece) -> None:
        """Store a piece of a file; whole, it gets its name, if it is what the name says."""
        path = path_of(self._results, piece.uri)
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_size == piece.size:
                os.utime(path)  # the garbage collector sees that somebody refers to it again
                return
        draft = path.with_name(f"{path.name}.{os.getpid()}{DRAFT}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("r+b" if piece.offset else "wb") as file:
                file.seek(piece.offset)
                file.write(piece.content)
                file.flush()
                if piece.offset + len(piece.content) < piece.size:
                    return
                os.fsync(file.fileno())
            with draft.open("rb") as file:
                sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            if sha256 != PurePosixPath(piece.uri).name.partition(".")[0]:
                raise JournalError(f"{piece.uri} has arrived damaged: its sha256 differs")
            draft.replace(path)
        except OSError as error:
            with contextlib.suppress(OSError):
                draft.unlink()
            raise JournalError(f"{path} cannot be written ({error.strerror})") from error


def _records(content: bytes) -> Iterator[Record]:
    """The records of whole lines; what a full disk has torn is none."""
    for line in filter(None, content.split(b"\n")):
        with contextlib.suppress(ValueError):
            yield from_line(line)
