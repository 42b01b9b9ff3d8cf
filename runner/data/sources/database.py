"""A source of rows, opened read-only in DuckDB, where a query reads that source alone."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from runner.data.sources.dialect import other_encoding
from runner.data.sources.extensions import load_extension
from runner.data.sources.file_table import FileTable
from runner.data.sources.json_depth import refuse_deep
from runner.data.sources.reading import Options, Reading
from runner.data.sources.source import RowSource
from runner.errors import DataError
from runner.system.databases import CLOSED, identifier, literal, shut, spill_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PASSWORDS = {"postgres": "PGPASSWORD", "mysql": "MYSQL_PWD"}
SYSTEM = ("information_schema", "pg_catalog", "mysql", "performance_schema", "sys")
"""Schemas that hold nobody's data."""
MYSQL_OFF = (
    # It fails for count(*) over a query (1.5.5).
    "mysql_aggregate_pushdown_enabled",
    # An epoch may take longer than its five minutes.
    "mysql_query_timeout_enabled",
)
MEMORY = "512MB"
"""What DuckDB may hold for a query; beyond that it spills to disk."""
MEMORY_OF_SCANS = "32MB"
"""What it may hold where rows are only read, so that it does not keep what it has read."""
RAGGED = r"CSV Error on Line: (\d+).*Number of Columns: (\d+) Found: (\d+)"
"""Line, columns and cells, in DuckDB's words about a line that is not as the others."""
COPY = "copied"
"""The database of a folder that rows may be copied into."""


class Database:
    """The source, open in DuckDB; every use by a thread of its own takes a cursor."""

    def __init__(
        self,
        source: RowSource,
        folder: Path | None = None,
        options: Options | None = None,
        known: Reading | None = None,
        names: Sequence[str] = (),
        labels: Sequence[str] = (),
        times: Sequence[str] = (),
    ) -> None:
        """Open it read-only, and find out how files are read; DataError where that cannot be.

        folder: where rows may be copied to and files written; without one, only read.
        options: what the user says of how it is written.
        known: how it was read in training, which holds for it, too.
        names: columns that it must have. labels: those among them that new rows may lack, and
            whose words are kept as they are. times: columns that must be times.
        """
        self.source = source
        self.options = options or Options()
        self.known = known
        self.times = times
        self._folder = folder
        self.files = FileTable(source, self.options, known) if source.is_files else None
        try:
            if self.files is not None and source.kind == "json":
                refuse_deep(self.files.files)
            self.con = self._connected(MEMORY)
        except BaseException:
            self._close_files()
            raise
        if self.files is not None:
            try:
                with self._in_words(), closing(self.con.cursor()) as cursor:
                    self.files.find(cursor, names, labels)
            except BaseException:
                self.close()
                raise

    def _connected(self, memory: str, threads: int | None = None) -> DuckDBPyConnection:
        """A connection to the source, to the folder, and to nothing else."""
        import duckdb

        con = duckdb.connect(
            str(self._folder / f"{COPY}.duckdb") if self._folder else ":memory:",
            config={
                **CLOSED,
                "memory_limit": memory,
                "temp_directory": str(self._folder or spill_folder()),
                "python_enable_replacements": "false",
            },
        )
        try:
            with self._in_words():
                self._attach(con)
                # A query reads its source alone, or its identity would not be the source's.
                folders = [self._folder] if self._folder else []
                files = self.files.files if self.files else self.source.files
                shut(con, files, folders, memory=memory, threads=threads)
        except BaseException:
            con.close()
            raise
        return con

    def _attach(self, con: DuckDBPyConnection) -> None:
        source = self.source
        with suppress(Exception):
            con.execute("SET GLOBAL TimeZone = 'UTC'")
        if source.is_files:
            return
        if source.kind != "duckdb":
            load_extension(con, source.kind)
        if source.kind == "mysql":
            for setting in MYSQL_OFF:
                con.execute(f"SET GLOBAL {setting} = false")
        options = [f"TYPE {source.kind}", "READ_ONLY"]
        options += [f"SECRET {identifier(source.secret)}"] if source.secret else []
        place = str(source.files[0]) if source.files else _uri(source)
        con.execute(f"ATTACH {literal(place)} AS origin ({', '.join(options)})")

    @contextmanager
    def cursor(self) -> Iterator[DuckDBPyConnection]:
        """A connection of its own to the source; what DuckDB raises becomes one sentence."""
        cursor = self.con.cursor()
        try:
            with self._in_words():
                if self.files is not None:
                    cursor.execute(f"CREATE TEMP VIEW source AS {self.files.select()}")
                else:
                    cursor.execute("USE origin")
                yield cursor
        finally:
            cursor.close()

    def ask(self, sql: str) -> list[tuple[Any, ...]]:
        """All rows that the SQL gives."""
        with self.cursor() as cursor:
            return cursor.execute(sql).fetchall()

    def tables(self) -> list[str]:
        """What an attached database holds, by name."""
        system = ", ".join(literal(schema) for schema in SYSTEM)
        names = self.ask(
            "SELECT table_name FROM (SELECT database_name, schema_name, table_name, internal "
            "FROM duckdb_tables() UNION ALL "
            "SELECT database_name, schema_name, view_name, internal FROM duckdb_views()) "
            "WHERE database_name = 'origin' AND NOT internal "
            f"AND schema_name NOT IN ({system})"
        )
        return sorted(name for (name,) in names)

    def need_little(self) -> None:
        """Have DuckDB hold no more than a scan of one range after the other needs."""
        # Anew, for what is shut takes no more settings.
        self.con.close()
        self.con = self._connected(MEMORY_OF_SCANS, threads=1)

    def close(self) -> None:
        """Let go of the source."""
        self.con.close()
        self._close_files()

    def _close_files(self) -> None:
        if self.files is not None:
            self.files.close()

    @contextmanager
    def _in_words(self) -> Iterator[None]:
        """Turn what DuckDB raises about the source or the query into one sentence."""
        import duckdb

        try:
            yield
        # In the middle of a stream, Arrow passes it on as an OSError.
        except (duckdb.Error, OSError) as error:
            raise DataError(_explained(str(error), self.source)) from None


def _uri(source: RowSource) -> str:
    """The URI as DuckDB knows it; beside a secret, in the words of the server's own library."""
    scheme, _, rest = source.text.partition("://")
    if source.secret is None:
        return f"{'mysql' if source.kind == 'mysql' else scheme}://{rest}"
    parts = urlsplit(source.text)
    database = "dbname" if source.kind == "postgres" else "database"
    given = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        database: parts.path.lstrip("/"),
    }
    options = [*given.items(), *parse_qsl(parts.query)]
    return " ".join(f"{key}={unquote(str(value))}" for key, value in options if value)


def _explained(message: str, source: RowSource) -> str:
    """One sentence for DuckDB's words; it never holds a password, for none is in the source."""
    first = " ".join(message.partition("\n\n")[0].split())
    reason = first.partition(": ")[2] or first
    where, query = source.where, source.wording.the_query
    if re.search(r"password authentication failed|no password supplied|Access denied", message):
        variable = PASSWORDS.get(source.kind, "")
        how = "is set but wrong" if os.environ.get(variable) else "is not set"
        secret = source.wording.secret
        return (
            f"{where} refuses the user: give the password by the environment variable {variable}, "
            f"which {how}" + (f", or by a DuckDB secret ({secret})" if secret else "")
        )
    if re.search(r"[Uu]nable to connect|[Ff]ailed to connect|could not connect", message):
        detail = re.split(r'": |parameters ".*?": ', first)[-1]
        return f"{where} cannot be reached: {detail}"
    if "Could not set lock" in message:
        return f"{where} is being written by another process: close it there, or read a copy"
    if re.search(
        r"not a database|not a valid DuckDB|No magic bytes|too small to be a Parquet", message
    ):
        return f"{where} is damaged or no {source.kind} file: {reason}"
    if mixed := re.search(r'column "(.+?)": column was declared as (\w+), found "(.*?)"', message):
        return (
            f"{where} mixes types in the column '{mixed[1]}': it is declared as {mixed[2]} and "
            f"holds {mixed[3]!r}; mend the rows, or leave them out in {query}"
        )
    if first.startswith("Invalid Input Error: " + where):
        return reason
    if source.kind == "csv" and re.search("not utf-8 encoded|Invalid unicode", message):
        return other_encoding(source, source.files[0], None)
    if ragged := re.search(RAGGED, message, re.DOTALL):
        return f"{where} has {ragged[3]} cells in line {ragged[1]}, and {ragged[2]} columns"
    if re.search(r"Conversion Error|Mismatch Type|Error when converting column", message):
        return f"{where} mixes types in a column: {reason}"
    if "Permission Error" in message:
        return (
            f"{query}, or a view in the source, reads more than {where}, which is read alone: a "
            "query is over its own source alone"
        )
    return f"{query} over {source.text} cannot be run: {reason}"
