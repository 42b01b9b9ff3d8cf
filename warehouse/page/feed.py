"""What the page shows, read from the newest snapshot; no toolkit in here.

One read-only connection, locked, a cursor for each question. A newer snapshot takes its place
when the folder has changed; a question that is being answered keeps the old one until it is done.
"""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib import resources
from typing import TYPE_CHECKING, Any, NamedTuple

from runner.errors import WarehouseError
from runner.system.databases import refuse_effects
from warehouse.journals.read import waiting
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SECONDS = 20.0
"""How long a query of the user's may take."""
OURS = 60.0
"""How long one of ours may."""
EFFECT = re.compile(r"(?i)(?:en|dis)able_(?:logging|profiling)|truncate_duckdb_logs")
"""Functions that change how DuckDB itself works, as a query or a view names them."""
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


class StoppedError(WarehouseError):
    """A query took longer than it may."""


class Change(NamedTuple):
    """Runs that are new or other than before, and runs that are no longer to be seen."""

    changed: set[str]
    removed: set[str]


def question(name: str) -> str:
    """The text of one of the page's own queries."""
    return resources.files("warehouse.page").joinpath("queries", f"{name}.sql").read_text("utf-8")


@dataclass
class Feed:
    """The state of one results folder, as the page sees it."""

    place: Place
    generation: int = 0
    """Counts the changes that were seen."""
    problem: str = ""
    """Why the newest state cannot be read, if it cannot: the one before is shown."""
    _con: DuckDBPyConnection | None = None
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
            if state == self._state:
                return False
            try:
                con = connect(self.place.folder)
            except WarehouseError as error:
                if self._con is None:
                    raise
                is_new, self.problem = self.problem != str(error), str(error)
                return is_new
            is_mended, self.problem = bool(self.problem), ""
            self._con, self._state = con, state
            return self._take_marks() or is_mended

    def _take_marks(self) -> bool:
        marks = dict(self.ask("marks").rows)
        changed = {run_id for run_id, mark in marks.items() if self._marks.get(run_id) != mark}
        removed = self._marks.keys() - marks.keys()
        if not changed and not removed:
            return False
        self.generation += 1
        self._changed_at |= dict.fromkeys(changed, self.generation)
        self._removed_at |= dict.fromkeys(removed, self.generation)
        self._marks = marks
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

        if self._con is None:
            raise WarehouseError("nothing has been read yet")
        cursor = self._con.cursor()
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

    def ask(self, name: str, /, **values: Any) -> Table:
        """The answer to one of our own questions."""
        with self.cursor() as cursor:
            rows = cursor.execute(question(name), values or None).fetchall()
            return Table([column[0] for column in cursor.description or ()], rows)

    def has(self, name: str) -> bool:
        """Whether the warehouse has a view or a macro of that name."""
        return bool(self.ask("has", name=name).rows)

    def ask_freely(self, text: str, limit: int, seconds: float = SECONDS) -> Answer:
        """The answer to a query of the user's.

        Raises WarehouseError, in DuckDB's words, where it does not work or would do more than
        read; StoppedError where it takes too long.
        """
        begin = time.perf_counter()
        with self._asked(text, seconds) as cursor:
            described = cursor.description or []
            rows = cursor.fetchmany(limit + 1) if described else []
        took = time.perf_counter() - begin
        columns = [column[0] for column in described]
        types = [str(column[1]) for column in described]
        return Answer(columns, types, rows[:limit], len(rows) > limit, took)

    def parquet(self, text: str, limit: int, seconds: float = SECONDS) -> bytes:
        """The answer to a query of the user's as a Parquet file, its first rows up to a limit."""
        try:
            import pyarrow as pa
            from pyarrow import parquet
        except ImportError as error:
            raise WarehouseError("Parquet needs pyarrow: pip install pyarrow") from error
        out = pa.BufferOutputStream()
        with self._asked(text, seconds) as cursor:
            if not cursor.description:
                raise WarehouseError("the query gives no rows")
            parquet.write_table(cursor.to_arrow_table().slice(0, limit), out)
        content: bytes = out.getvalue().to_pybytes()
        return content

    @contextmanager
    def _asked(self, text: str, seconds: float) -> Iterator[DuckDBPyConnection]:
        """A cursor that has been asked; what DuckDB says against it becomes WarehouseError."""
        import duckdb

        if not text.strip():
            raise WarehouseError("the query is empty")
        with self.cursor(seconds) as cursor:
            try:
                _refuse_effects(cursor, text)
                cursor.execute(text)
                yield cursor
            except duckdb.InterruptException:
                raise
            except duckdb.Error as error:
                raise WarehouseError(_brief(error)) from error
            except (OverflowError, ValueError) as error:
                raise WarehouseError(
                    f"the result cannot be shown ({error}); cast it to VARCHAR"
                ) from error


def _refuse_effects(cursor: DuckDBPyConnection, text: str) -> None:
    """Raise duckdb.PermissionException where a statement would change how DuckDB works."""
    import duckdb

    for statement in cursor.extract_statements(text):
        if statement.type == duckdb.StatementType.SELECT and statement.query:
            try:
                refuse_effects(cursor, statement.query)
                continue
            except duckdb.CatalogException as error:
                if "__pivot_enum" not in str(error):
                    raise
        # What cannot be explained: a PIVOT, which is taken apart into several statements; a CALL.
        stored = cursor.execute(question("effects"), [EFFECT.pattern]).fetchall()
        if stored or EFFECT.search(text):
            raise duckdb.PermissionException("Permission Error: this is no reading")


def _brief(error: Exception) -> str:
    """DuckDB's words, or ours for what it refuses."""
    message = str(error).strip()
    refused = ("is no reading", "external access", "disabled by configuration", "read-only mode")
    if any(words in message for words in refused):
        return "this page only reads the warehouse; it writes nothing and reaches no other file"
    return message


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
