"""What the page shows, read from a copy of the newest state; no toolkit in here.

One copy that follows the runs, a cursor that only reads for each question. A question that is
being answered keeps the state that it began with.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import WarehouseError
from runner.system.databases import identifier
from warehouse.follow import Follower
from warehouse.journals.read import waiting
from warehouse.page import asking
from warehouse.page.asking import StoppedError
from warehouse.page.questions import question
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SECONDS = 20.0
"""How long a query of the user's may take."""
OURS = 60.0
"""How long one of ours may."""
NEVER = "\x00nothing has been seen yet"


class Table(NamedTuple):
    """Columns and rows that answer a question."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def by_name(self) -> list[dict[str, Any]]:
        """Each row as column -> value."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


class Answer(NamedTuple):
    """What a query of the user's gives: at most so many rows, and whether there are more."""

    columns: list[str]
    types: list[str]
    rows: list[tuple[Any, ...]]
    is_cut: bool
    seconds: float


class Change(NamedTuple):
    """Runs that are new or other than before, and runs that are no longer to be seen."""

    changed: set[str]
    removed: set[str]


@dataclass
class Feed:
    """The state of one results folder, as the page sees it."""

    place: Place
    generation: int = 0
    """Counts the changes that were seen."""
    problem: str = ""
    """Why the newest state cannot be read, if it cannot: the one before is shown."""
    _follower: Follower | None = None
    _state: str = NEVER
    _marks: dict[str, int] = field(default_factory=dict)
    _changed_at: dict[str, int] = field(default_factory=dict)
    _removed_at: dict[str, int] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def refresh(self) -> bool:
        """Look at the folder; whether anything is to be seen that was not before.

        Raises WarehouseError where it cannot be read and never could.
        """
        with self._lock:
            state = _state_of(self.place)
            try:
                state += self._follower.lake_state() if self._follower else ""
            except WarehouseError as error:  # its server does not answer just now
                is_new, self.problem = self.problem != str(error), str(error)
                return is_new
            if state == self._state:
                return False
            runs = self._follower.catch_up() if self._follower else None
            if runs is None:
                try:
                    follower = Follower(self.place)
                except WarehouseError as error:
                    if self._follower is None:
                        raise
                    is_new, self.problem = self.problem != str(error), str(error)
                    return is_new
                self._forget()
                self._follower = follower
            is_mended, self.problem, self._state = bool(self.problem), "", state
            return self._take_marks(runs) or is_mended

    def close(self) -> None:
        """Let go of the copy that is read."""
        with self._lock:
            self._forget()

    def _forget(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()

    def _take_marks(self, runs: set[str] | None) -> bool:
        """Find out which runs have changed, of all or of some that are there still."""
        marks = dict(self.ask("marks", runs=None if runs is None else sorted(runs)).rows)
        changed = {run_id for run_id, mark in marks.items() if self._marks.get(run_id) != mark}
        removed = self._marks.keys() - marks.keys() if runs is None else set()
        if not changed and not removed:
            return False
        self.generation += 1
        self._changed_at |= dict.fromkeys(changed, self.generation)
        self._removed_at |= dict.fromkeys(removed, self.generation)
        self._marks = marks if runs is None else self._marks | marks
        return True

    def changes(self, since: int) -> Change:
        """What has become of the runs since an earlier generation."""
        changed = {r for r, at in self._changed_at.items() if at > since and r in self._marks}
        removed = {r for r, at in self._removed_at.items() if at > since and r not in self._marks}
        return Change(changed, removed)

    @property
    def run_ids(self) -> set[str]:
        """The runs that are not deleted."""
        return set(self._marks)

    @contextmanager
    def cursor(self, seconds: float = OURS) -> Iterator[DuckDBPyConnection]:
        """A cursor of its own, interrupted when it has taken that long (StoppedError)."""
        import duckdb

        if self._follower is None:
            raise WarehouseError("nothing has been read yet")
        cursor = self._follower.con.cursor()
        cursor.execute("BEGIN TRANSACTION READ ONLY")
        timer = threading.Timer(seconds, cursor.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield cursor
        except duckdb.InterruptException as error:
            raise StoppedError(f"the query was stopped after {seconds:g} seconds") from error
        finally:
            timer.cancel()
            with suppress(duckdb.Error):
                cursor.close()

    def ask(self, name: str, /, *, only: Sequence[str] = (), **values: Any) -> Table:
        """The answer to one of our own questions; of its columns `only` these, if any."""
        text = question(name)
        if only:  # the others are then not even worked out
            text = f"SELECT {', '.join(map(identifier, only))} FROM ({text.rstrip().rstrip(';')})"
        with self.cursor() as cursor:
            rows = cursor.execute(text, values or None).fetchall()
            return Table([column[0] for column in cursor.description or ()], rows)

    def has(self, name: str) -> bool:
        """Whether the warehouse has a view or a macro of that name."""
        return bool(self.ask("has", name=name).rows)

    def ask_freely(self, text: str, limit: int, seconds: float = SECONDS) -> Answer:
        """The answer to a query of the user's, as `asking.ask` gives it."""
        begin = time.perf_counter()
        columns, types, rows = asking.ask(self.place.folder, text, limit + 1, seconds)
        took = time.perf_counter() - begin
        return Answer(columns, types, rows[:limit], len(rows) > limit, took)

    def parquet(self, text: str, limit: int, seconds: float = SECONDS) -> bytes:
        """The same as a Parquet file, its first rows up to a limit."""
        content: bytes = asking.ask(self.place.folder, text, limit, seconds, parquet=True)
        return content


def _state_of(place: Place) -> str:
    """A text that changes with anything that a snapshot would show; without taking the lock."""
    parts = []
    with suppress(OSError):
        for path in (place.database, *place.logs_of(place.database)):
            file = path.stat()
            parts.append(f"{path.name} {file.st_ino} {file.st_size} {file.st_mtime_ns}")
    for journal in waiting(place):
        with suppress(OSError):
            file = journal.path.stat()
            parts.append(f"{journal.name} {journal.state} {file.st_size}")
    return "\n".join(parts)


def pick(rows: Sequence[tuple[Any, ...]], at: int = 0) -> list[Any]:
    """One column of some rows."""
    return [row[at] for row in rows]
