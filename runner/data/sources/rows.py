"""The rows of a new source, block by block: files, databases by a query, NumPy arrays.

What DuckDB reads is first copied into a table of a temporary file, so that memory stays bounded
and the rows keep their order whatever the source is.
"""

from __future__ import annotations

import difflib
import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.passwords import refuse_passwords
from runner.data.sources.extensions import load_extension
from runner.data.sources.files import files_named, scan, with_plain_names
from runner.errors import ConfigError, DataError
from runner.system.databases import CLOSED, literal, refuse_effects, shut

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Array = np.ndarray[Any, Any]

READERS = {
    ".parquet": "read_parquet",
    ".csv": "read_csv",
    ".tsv": "read_csv",
    ".txt": "read_csv",
    ".json": "read_json",
    ".jsonl": "read_json",
    ".ndjson": "read_json",
}
DATABASES = (".duckdb", ".db", ".ddb", ".sqlite", ".sqlite3")
ARRAYS = (".npy", ".npz")
SCHEMES = {"postgres": "postgres", "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql"}
BLOCK = 16_384
"""Rows that are read at once."""
MEMORY = "512MB"
"""What DuckDB may use; beyond it writes to the temporary folder."""
DAY = "86400000000.0"


@dataclass(frozen=True)
class Table:
    """Rows with named columns, in a table `source` of a temporary database."""

    con: DuckDBPyConnection
    types: Mapping[str, str]
    """Column -> type, as DuckDB calls it."""
    rows: int
    folder: Path
    """Where alone the connection may write files."""

    def blocks(self, columns: Sequence[str], text: Sequence[str]) -> Iterator[list[Array]]:
        """The columns, some rows at a time; those in `text` as text, the others as float32."""
        said = ", ".join(
            f"{_text(name) if name in text else self._number(name)} AS c{index}"
            for index, name in enumerate(columns)
        )
        for first in range(0, self.rows, BLOCK):
            found = self._ask(
                f"SELECT {said} FROM source WHERE rowid >= {first} AND rowid < {first + BLOCK} "
                "ORDER BY rowid"
            )
            yield [_plain(found[f"c{index}"]) for index in range(len(columns))]

    def _number(self, name: str) -> str:
        """FLOAT, NaN for what is missing; dates are days since 1970, as in training."""
        kind, said = self.types[name], quoted(name)
        if kind == "TIME":
            said = f"(extract('epoch' FROM {said}) / 86400)"
        elif kind.startswith(("DATE", "TIMESTAMP")):
            moment = said if kind.endswith("TIME ZONE") else f"{said}::TIMESTAMP"
            said = f"(epoch_us({moment}) / {DAY})"
        return f"coalesce({said}::FLOAT, 'nan'::FLOAT)"

    def _ask(self, query: str) -> dict[str, Any]:
        import duckdb

        try:
            return self.con.execute(query).fetchnumpy()
        except duckdb.ConversionException as error:
            raise DataError(
                f"the source holds what is no number where the model takes one: {_first(error)}"
            ) from None


def _plain(column: Any) -> Array:
    """DuckDB masks columns that hold NULL; ours no longer do."""
    return np.asarray(column.filled() if isinstance(column, np.ma.MaskedArray) else column)


def _text(name: str) -> str:
    return f"coalesce({quoted(name)}::VARCHAR, '')"


def quoted(name: str) -> str:
    """A name in SQL."""
    return '"' + name.replace('"', '""') + '"'


def is_array(source: str) -> bool:
    """Whether the source is a NumPy file, which has no columns."""
    return Path(source).suffix.lower() in ARRAYS


def arrays_of(source: str) -> dict[str, Array]:
    """The arrays of an .npy or .npz file, an .npy file's called "features"; memory-mapped."""
    try:
        loaded = np.load(source, mmap_mode="r", allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"features": loaded}
        with loaded:
            return {name: loaded[name] for name in loaded.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise DataError(f"--source {source} cannot be read: {_first(error)}") from error


@contextmanager
def opened(source: str, query: str | None) -> Iterator[Table]:
    """The rows of a file or a database, or of a query over it (a file is the table `source`).

    Nothing but the source is read, whatever the query or a view in it says.

    Raises ConfigError for a source that is none, and DataError where it cannot be read.
    """
    import duckdb

    refuse_passwords(source, "--source")
    refuse_passwords(query, "--query")
    options = {**CLOSED, "python_enable_replacements": "false"}
    with (
        tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
        duckdb.connect(str(Path(folder) / "copied.duckdb"), config=options) as con,
    ):
        try:
            select = _attach(con, source, query, Path(folder))
            refuse_effects(con, select)
            con.execute(f"CREATE TABLE copied.main.source AS {select}")
        except duckdb.PermissionException as error:
            raise DataError(
                f"--source {_shown(source)} is read alone, and its tables or --query ask for more "
                f"than it: {_first(error)}"
            ) from None
        except duckdb.Error as error:
            raise DataError(f"--source {_shown(source)} cannot be read: {_first(error)}") from None
        con.execute("USE copied.main")
        con.execute("DROP VIEW IF EXISTS temp.source")
        described = con.execute("DESCRIBE source").fetchall()
        [(count,)] = con.execute("SELECT count(*) FROM source").fetchall()
        if not count:
            raise DataError(f"--source {_shown(source)} has no rows")
        types = {name: kind for name, kind, *_ in described}
        yield Table(con, types, count, Path(folder))


def files_of(source: str) -> list[Path]:
    """The files that the source names; of a server's database none."""
    return [] if "://" in source else list(with_plain_names(files_named(source)))


def _attach(con: DuckDBPyConnection, source: str, query: str | None, folder: Path) -> str:
    """Make the source readable, and nothing else, and return the SELECT over it."""
    files = files_of(source)
    kind = _kind(source, files)
    if kind in READERS.values():
        shut(con, files, [folder], MEMORY)
        options = "union_by_name = true" if len(files) > 1 else ""
        con.execute(f"CREATE TEMP VIEW source AS FROM {scan(kind, files, options)}")
        return _one_select(con, query or "FROM source")
    if kind != "duckdb":
        load_extension(con, kind)
    rest = source.partition("://")[2]
    place = str(files[0]) if files else f"mysql://{rest}" if kind == "mysql" else source
    con.execute(f"ATTACH {literal(place)} AS origin (TYPE {kind}, READ_ONLY)")
    shut(con, folders=[folder], memory=MEMORY)
    con.execute("USE origin")
    if query is not None:
        return _one_select(con, query)
    tables = [name for (name,) in con.execute("SHOW TABLES").fetchall()]
    if len(tables) != 1:
        raise ConfigError(
            f"--source {_shown(source)} has {len(tables)} tables ({', '.join(tables[:20])}): say "
            "which by --query 'SELECT * FROM …'"
        )
    return f"FROM {quoted(tables[0])}"


def _kind(source: str, files: Sequence[Path]) -> str:
    """DuckDB's function that reads the source, or the kind of database that it is."""
    if "://" in source:
        scheme = source.partition("://")[0]
        if scheme not in SCHEMES:
            raise ConfigError(
                f"--source {_shown(source)} is not valid: {scheme}:// is none of "
                f"{', '.join(SCHEMES)}"
            )
        return SCHEMES[scheme]
    endings = {_ending(file) for file in files or [Path(source)]}
    if endings - {*READERS, *DATABASES}:
        known = ", ".join((*READERS, *DATABASES, *ARRAYS))
        raise ConfigError(f"--source {source} is not valid: its ending is none of {known}")
    if not files:
        raise ConfigError(f"--source {source} is not valid: there is no such file")
    readers = {READERS.get(ending, "a database") for ending in endings}
    if len(files) > 1 and (len(readers) > 1 or "a database" in readers):
        raise ConfigError(
            f"--source {source} is not valid: it matches {len(files)} files ending in "
            f"{', '.join(sorted(endings))}, and a pattern is for files of one kind"
        )
    [reader] = readers
    if reader != "a database":
        return reader
    try:
        with files[0].open("rb") as file:
            return "sqlite" if file.read(15) == b"SQLite format 3" else "duckdb"
    except OSError as error:
        raise DataError(f"--source {source} cannot be read: {error.strerror}") from None


def _ending(file: Path) -> str:
    ending = file.suffix.lower()
    return Path(file.stem).suffix.lower() if ending == ".gz" else ending


def _one_select(con: DuckDBPyConnection, query: str) -> str:
    import duckdb

    try:
        query.encode()
    except UnicodeEncodeError:
        raise ConfigError("--query is not valid: it holds what is not UTF-8") from None
    statements = con.extract_statements(query)
    if [one.type for one in statements] != [duckdb.StatementType.SELECT]:
        raise ConfigError("--query is not valid: give exactly one SELECT")
    return f"FROM (\n{query.strip().rstrip(';')}\n)"


def _shown(source: str) -> str:
    """The source without whatever may be a password."""
    return re.sub(r"://[^/@]*@", "://…@", source)


def _first(error: Exception) -> str:
    """The first sentence of what was raised, in one line."""
    return " ".join(str(error).partition("\n\n")[0].split())


def missing(wanted: Sequence[str], have: Sequence[str]) -> str:
    """A clause about the names that are not there, with the near ones."""
    said = []
    for name in wanted:
        near = difflib.get_close_matches(name, have, n=1)
        said.append(f"'{name}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
    return ", ".join(said)
