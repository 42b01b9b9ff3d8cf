"""The prompt of `sql` without a query: history, completion, and the answer of each statement."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.signals import SignalReader
from runner.system.terminal import say
from warehouse.worked import questions

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

REMEMBERED = 2000
"""Lines of history that are kept."""
HELP = """\
A statement ends with ; and may take several lines. Tab completes tables, columns and words.
.tables        what can be asked          .columns NAME  the columns of one, with their meaning
.queries       the worked questions       .query NAME    ask one of them
.help          this                       .quit          as Ctrl-D does
Ctrl-C forgets the line, or stops the query."""
KEYWORDS = (
    *("SELECT", "FROM", "WHERE", "GROUP", "BY", "ORDER", "LIMIT", "HAVING", "QUALIFY", "JOIN"),
    *("LEFT", "ANTI", "SEMI", "USING", "ON", "AS", "WITH", "DISTINCT", "COUNT", "AVG", "MIN"),
    *("MAX", "MEDIAN", "STDDEV_SAMP", "ARG_MIN", "ARG_MAX", "DESC", "ASC", "PIVOT", "DESCRIBE"),
    *("SUMMARIZE", "CASE", "WHEN", "THEN", "ELSE", "END", "AND", "OR", "NOT", "NULL", "IS"),
    *("IN", "LIKE", "BETWEEN", "UNION", "ALL"),
)
HERE = "database_name = current_database() AND schema_name = 'main'"
"""What is of the warehouse itself: beside it, a team's lake may be attached with its catalog."""
NAMES = f"""
SELECT DISTINCT name FROM (
    SELECT table_name AS name FROM duckdb_tables() WHERE NOT internal AND {HERE}
    UNION ALL SELECT view_name FROM duckdb_views() WHERE NOT internal AND {HERE}
    UNION ALL SELECT column_name FROM duckdb_columns() WHERE NOT internal AND {HERE}
    UNION ALL SELECT concat(function_name, '(') FROM duckdb_functions() WHERE NOT internal
) ORDER BY name
"""
TABLES = f"""
SELECT table_name AS name, 'table' AS kind, comment
FROM duckdb_tables() WHERE NOT internal AND {HERE}
UNION ALL
SELECT view_name, 'view', comment FROM duckdb_views() WHERE NOT internal AND {HERE}
UNION ALL
SELECT concat(function_name, '(', array_to_string(parameters, ', '), ')'), 'macro',
    regexp_extract(comment, '^[^:]*')
FROM duckdb_functions() WHERE NOT internal
ORDER BY kind, name
"""
COLUMNS = f"""
SELECT column_name AS name, data_type AS type, comment
FROM duckdb_columns() WHERE NOT internal AND {HERE} AND table_name = '{{}}'
ORDER BY column_index
"""


Opened = Callable[[], "DuckDBPyConnection"]
"""Gives a connection to the newest state."""
Print = Callable[["DuckDBPyConnection", str], None]
"""Prints what a statement gives."""


def prompt(opened: Opened, answer: Print) -> int:
    """Ask for statements until Ctrl-D; the exit code."""
    with opened() as con:
        names = [name for (name,) in con.execute(NAMES).fetchall()]
    history = _with_readline([*names, *KEYWORDS])
    say("The warehouse in SQL, reading only; .help helps, Ctrl-D ends.")
    try:
        with _Interrupts() as interrupts:
            _converse(opened, answer, interrupts)
    finally:
        if history is not None:
            import readline

            with suppress(OSError):
                history.parent.mkdir(parents=True, exist_ok=True)
                history.touch(mode=0o600)
                readline.set_history_length(REMEMBERED)
                readline.write_history_file(history)
    return 0


class _Interrupts:
    """Ctrl-C while the prompt is open, as a context: it ends a line or a query, no more."""

    def __init__(self) -> None:
        self._asked: DuckDBPyConnection | None = None
        self._heard = False
        self._reader = SignalReader("prompt", self._stop_query, lambda: None, lambda: None)

    def __enter__(self) -> _Interrupts:
        self._reader.open()
        # Whoever reads there now would end the command.
        self._reader.take_over(self._hear, even_ignored=False)
        self._reader.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.give_handlers_back()
        self._reader.give_descriptor_back()
        self._reader.close()

    @contextmanager
    def stopping(self, con: DuckDBPyConnection) -> Iterator[None]:
        """Stop what this connection is asked meanwhile."""
        self._asked = con
        try:
            if self._heard:
                raise KeyboardInterrupt
            yield
        except BaseException:
            con.interrupt()  # or closing it waits for the query
            raise
        finally:
            self._asked = None

    def taken(self) -> bool:
        """Whether there was one since this was asked last."""
        heard, self._heard = self._heard, False
        return heard

    def _stop_query(self) -> None:
        """In the reader's thread: the main one hears nothing while DuckDB works."""
        if (con := self._asked) is not None:
            con.interrupt()

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = number == signal.SIGINT
        raise KeyboardInterrupt


def _converse(opened: Opened, answer: Print, interrupts: _Interrupts) -> None:
    lines: list[str] = []
    while True:
        try:
            line = input("   ...> " if lines else "sql> ")
        except EOFError:
            print()
            return
        except KeyboardInterrupt:
            if not interrupts.taken():
                raise
            lines = []
            print()
            continue
        if not lines and line.strip() in (".quit", ".exit"):
            return
        if not lines and not line.strip():
            continue
        lines.append(line)
        dotted = lines[0].lstrip().startswith(".")
        if not dotted and not line.rstrip().endswith(";"):
            continue
        text, lines = "\n".join(lines), []
        try:
            query = _dotted(text.strip()) if dotted else text
            if query is not None:
                with opened() as con, interrupts.stopping(con):
                    answer(con, query)
        # DuckDB makes errors of its own of one that comes while it works.
        except (WarehouseError, KeyboardInterrupt, RuntimeError) as error:
            if interrupts.taken():
                say("stopped")
            elif isinstance(error, WarehouseError):
                say(f"error: {error}")
            else:
                raise


def _dotted(text: str) -> str | None:
    """The query that a word with a dot stands for; None where it has printed what it says."""
    command, _, rest = text.partition(" ")
    name = rest.strip().rstrip(";")
    if command == ".tables":
        return TABLES
    if command == ".columns" and name:
        return COLUMNS.format(name.replace("'", "''"))
    if command == ".queries":
        for each, question in questions().items():
            say(f"{each}: {question.sentence}")
        return None
    if command == ".query":
        if name not in questions():
            raise WarehouseError(f"there is no worked question {name!r}; .queries lists them")
        return questions()[name].sql
    if command != ".help":
        say(f"no command {command}")
    say(HELP)
    return None


def _with_readline(words: Sequence[str]) -> Path | None:
    """Turn on history and completion; where the history is kept. None without readline."""
    try:
        import readline
    except ImportError:
        return None
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    history = Path(state) / "sweephouse" / "sql_history"
    with suppress(OSError):
        readline.read_history_file(history)
    readline.set_completer(completer(words))
    readline.set_completer_delims(" \t\n,()=<>;'\"+*/")
    library = readline.__doc__ or ""
    readline.parse_and_bind("bind ^I rl_complete" if "libedit" in library else "tab: complete")
    return history


def completer(words: Sequence[str]) -> Callable[[str, int], str | None]:
    """What readline asks for the words that begin with a text, one by one."""

    def complete(text: str, state: int) -> str | None:
        """The one at a place; of a qualified name, what comes after its dot is completed."""
        head, dot, tail = text.rpartition(".")
        start = re.escape(tail)
        found = [word for word in words if re.match(start, word, re.IGNORECASE)] if tail else []
        return f"{head}{dot}{found[state]}" if state < len(found) else None

    return complete
