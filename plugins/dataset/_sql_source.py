"""Where rows come from: a file, a pattern of files or a database, opened read-only in DuckDB."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from runner import (
    CLOSED,
    DataError,
    files_named,
    load_extension,
    scan,
    shut,
    spill_folder,
    with_plain_names,
)

from ._files import near, one_file

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Kind = Literal["parquet", "csv", "json", "duckdb", "sqlite", "postgres", "mysql"]
FILES: tuple[Kind, ...] = ("parquet", "csv", "json")
SUFFIXES: dict[str, Kind] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".csv": "csv",
    ".tsv": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".duckdb": "duckdb",
    ".ddb": "duckdb",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
}
COMPRESSED = (".gz", ".zst")
SCHEMES: dict[str, Kind] = {
    "postgres": "postgres",
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
}
PASSWORDS = {"postgres": "PGPASSWORD", "mysql": "MYSQL_PWD"}
SYSTEM = ("information_schema", "pg_catalog", "mysql", "performance_schema", "sys")
"""Schemas that hold nobody's data."""
WHAT = (
    "a .parquet, .csv, .json, .duckdb or .sqlite file, a pattern of files, or a URI such as "
    "postgres://user@host/database"
)
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


@dataclass(frozen=True)
class Source:
    """What `dataset.source` names."""

    text: str
    """As the config has it."""
    kind: Kind
    files: tuple[Path, ...] = ()
    """The files, sorted; of a database in a file that one, of a server none."""
    delimiter: str | None = None
    """Of CSV files; None: DuckDB finds out."""
    secret: str | None = None
    """The DuckDB secret that holds the password."""

    @property
    def is_files(self) -> bool:
        """Whether the rows are the content of plain files, the table `source` in a query."""
        return self.kind in FILES


def find(text: str, delimiter: str | None = None, secret: str | None = None) -> Source:
    """The source that a text names; DataError where there is none such."""
    scheme, is_uri, _ = text.partition("://")
    if is_uri:
        if scheme.lower() not in SCHEMES:
            known = ", ".join(f"{name}://" for name in SCHEMES)
            raise DataError(
                f"dataset.source={text} is of no kind known here: give {known} or {WHAT}"
            )
        return Source(text, SCHEMES[scheme.lower()], secret=secret)
    files = tuple(files_named(text))
    if not files and any(mark in text for mark in "*?["):
        raise DataError(f"dataset.source={text} matches no file{near(Path(text))}")
    if len(files) < 2:
        files = (one_file(files[0] if files else Path(text), WHAT, key="dataset.source"),)
    with_plain_names(files)
    kinds = {_kind_of(file) for file in files}
    if len(kinds) > 1 or not kinds <= {*FILES, *(["duckdb", "sqlite"] if len(files) == 1 else [])}:
        raise DataError(
            f"dataset.source={text} matches {len(files)} files of the kinds "
            f"{', '.join(sorted(kinds))}: a pattern is for Parquet, CSV or JSON files of one kind"
        )
    return Source(text, kinds.pop(), files, delimiter)


def _kind_of(file: Path) -> Kind:
    """By suffix, and for others by the first bytes."""
    name = file.name.lower()
    for tail in COMPRESSED:
        name = name.removesuffix(tail)
    if (kind := SUFFIXES.get(Path(name).suffix)) is not None:
        return kind
    try:
        with file.open("rb") as opened:
            head = opened.read(16)
    except OSError as error:
        raise DataError(f"dataset.source={file} cannot be read: {error.strerror}") from None
    if head.startswith(b"SQLite format 3"):
        return "sqlite"
    if head[8:12] == b"DUCK":
        return "duckdb"
    if head.startswith(b"PAR1"):
        return "parquet"
    raise DataError(f"dataset.source={file} is of no kind known here: give {WHAT}")


class Database:
    """The source, open in DuckDB; every use by a thread of its own takes a cursor."""

    def __init__(self, source: Source) -> None:
        """Open it read-only; DataError where that cannot be."""
        self.source = source
        self._con = self._connected(MEMORY)

    def _connected(self, memory: str, threads: int | None = None) -> DuckDBPyConnection:
        """A connection to the source, and to nothing else."""
        import duckdb

        con = duckdb.connect(
            config={
                **CLOSED,
                "memory_limit": memory,
                "temp_directory": str(spill_folder()),
                "python_enable_replacements": "false",
            }
        )
        try:
            with in_words(self.source):
                self._attach(con)
                # A query reads its source alone, or its identity would not be the source's.
                shut(con, self.source.files, memory=memory, threads=threads)
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
        options += [f"SECRET {name(source.secret)}"] if source.secret else []
        place = str(source.files[0]) if source.files else _uri(source)
        con.execute(f"ATTACH {quoted(place)} AS origin ({', '.join(options)})")

    def cursor(self) -> DuckDBPyConnection:
        """A connection of its own to the same source; the caller closes it."""
        cursor = self._con.cursor()
        with in_words(self.source):
            if self.source.is_files:
                cursor.execute(f"CREATE TEMP VIEW source AS FROM {self.table()}")
            else:
                cursor.execute("USE origin")
        return cursor

    def table(self) -> str:
        """The expression that reads the files."""
        source = self.source
        options = []
        if source.kind == "csv":
            options.append("sample_size = 100000")
            options += [f"delim = {quoted(source.delimiter)}"] if source.delimiter else []
        if len(source.files) > 1:
            options.append("union_by_name = true")
        return scan(f"read_{source.kind}", source.files, ", ".join(options))

    def tables(self) -> list[str]:
        """What an attached database holds, by name."""
        system = ", ".join(quoted(schema) for schema in SYSTEM)
        with in_words(self.source):
            found = self._con.execute(
                "SELECT table_name FROM (SELECT database_name, schema_name, table_name, internal "
                "FROM duckdb_tables() UNION ALL "
                "SELECT database_name, schema_name, view_name, internal FROM duckdb_views()) "
                "WHERE database_name = 'origin' AND NOT internal "
                f"AND schema_name NOT IN ({system})"
            ).fetchall()
        return sorted(name for (name,) in found)

    def need_little(self) -> None:
        """Have DuckDB hold no more than a scan of one range after the other needs."""
        # Anew, for what is shut takes no more settings.
        self._con.close()
        self._con = self._connected(MEMORY_OF_SCANS, threads=1)

    def close(self) -> None:
        """Let go of the source."""
        self._con.close()


def _uri(source: Source) -> str:
    """The URI as DuckDB knows it; beside a secret, in the words of the server's own library."""
    scheme, _, rest = source.text.partition("://")
    if source.secret is None:
        return f"{'mysql' if source.kind == 'mysql' else scheme}://{rest}"
    parts = urlsplit(source.text)
    database = "dbname" if source.kind == "postgres" else "database"
    said = {
        "host": parts.hostname,
        "port": parts.port,
        "user": parts.username,
        database: parts.path.lstrip("/"),
    }
    options = [*said.items(), *parse_qsl(parts.query)]
    return " ".join(f"{key}={unquote(str(value))}" for key, value in options if value)


@contextmanager
def in_words(source: Source) -> Iterator[None]:
    """Turn what DuckDB raises about the source or the query into one sentence."""
    import duckdb

    try:
        yield
    # In the middle of a stream, Arrow passes it on as an OSError.
    except (duckdb.Error, OSError) as error:
        raise DataError(_explained(str(error), source)) from None


def _explained(said: str, source: Source) -> str:
    """One sentence for DuckDB's words; it never holds a password, for none is in the config."""
    first = " ".join(said.partition("\n\n")[0].split())
    reason = first.partition(": ")[2] or first
    where = f"dataset.source={source.text}"
    if re.search(r"password authentication failed|no password supplied|Access denied", said):
        given = PASSWORDS.get(source.kind, "")
        how = "is set but wrong" if os.environ.get(given) else "is not set"
        return (
            f"{where} refuses the user: give the password by the environment variable {given}, "
            f"which {how}, or by a DuckDB secret (dataset.secret=<name>)"
        )
    if re.search(r"[Uu]nable to connect|[Ff]ailed to connect|could not connect", said):
        detail = re.split(r'": |parameters ".*?": ', first)[-1]
        return f"{where} cannot be reached: {detail}"
    if "Could not set lock" in said:
        return f"{where} is being written by another process: close it there, or read a copy"
    if re.search(
        r"not a database|not a valid DuckDB|No magic bytes|too small to be a Parquet", said
    ):
        return f"{where} is damaged or no {source.kind} file: {reason}"
    if found := re.search(r'column "(.+?)": column was declared as (\w+), found "(.*?)"', said):
        return (
            f"{where} mixes types in the column '{found[1]}': it is declared as {found[2]} and "
            f"holds {found[3]!r}; mend the rows, or leave them out in dataset.query"
        )
    if re.search(r"Conversion Error|Mismatch Type|Error when converting column", said):
        return f"{where} mixes types in a column: {reason}"
    if "Permission Error" in said:
        return (
            f"dataset.query, or a view in the source, reads more than {where}: a query is over "
            "its own source alone"
        )
    return f"dataset.query over {source.text} cannot be run: {reason}"


def quoted(text: str) -> str:
    """A text literal in SQL."""
    return "'" + text.replace("'", "''") + "'"


def name(text: str) -> str:
    """A name in SQL."""
    return '"' + text.replace('"', '""') + '"'
