"""The rows of a new source, block by block: files, databases by a query, NumPy arrays.

What DuckDB reads is first copied into a table of a temporary file, so that memory stays bounded
and the rows keep their order whatever the source is.
"""

from __future__ import annotations

import difflib
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.passwords import refuse_passwords
from runner.data.sources.column import Column
from runner.data.sources.database import COPY, Database
from runner.data.sources.files import files_named, with_plain_names
from runner.data.sources.numpy_file import numpy_arrays
from runner.data.sources.query import read_query
from runner.data.sources.reading import Reading
from runner.data.sources.source import Wording, find_source
from runner.errors import DataError

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Array = np.ndarray[Any, Any]

ARRAYS = (".npy", ".npz")
COMMAND = Wording("--source ", "--query ", secret=None, also=".npy, .npz, ")
BLOCK = 16_384
"""Rows that are read at once."""


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
        """The columns, some rows at a time; those in `text` as text, the others as float64.

        Numbers and dates are what they were in training.
        """
        typed = [Column(name, self.types[name]) for name in columns]
        values = ", ".join(
            f"{column.as_text if column.name in text else column.as_double} AS c{index}"
            for index, column in enumerate(typed)
        )
        for first in range(0, self.rows, BLOCK):
            block = self._ask(
                f"SELECT {values} FROM source WHERE rowid >= {first} AND rowid < {first + BLOCK} "
                "ORDER BY rowid"
            )
            yield [_plain(block[f"c{index}"]) for index in range(len(columns))]

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


def is_array(source: str) -> bool:
    """Whether the source is a NumPy file, which has no columns."""
    return Path(source).suffix.lower() in ARRAYS


def arrays_of(source: str) -> dict[str, Array]:
    """The arrays of an .npy or .npz file, an .npy file's called "features"; memory-mapped."""
    try:
        held = numpy_arrays(Path(source), mapped=True)
    except ValueError as error:
        raise DataError(f"--source {source} cannot be read: {error}") from None
    held = held if isinstance(held, dict) else {"features": held}
    for name, array in held.items():
        if array.ndim == 0:
            raise DataError(f"--source {source}: {name} is one value, and no rows")
        if array.dtype.kind not in "fiubSUO":
            raise DataError(f"--source {source}: {name} is of type {array.dtype}, no number")
    return held


@contextmanager
def opened(
    source: str,
    query: str | None,
    known: Reading | None = None,
    labels: Sequence[str] = (),
    query_of_training: str | None = None,
) -> Iterator[Table]:
    """The rows of a file or a database, or of a query over it (a file is the table `source`).

    They are found, opened and queried as a dataset's are, so nothing but the source is read,
    whatever the query or a view in it says.

    known: how the table was read in training. labels: columns of training that these rows may
    lack. query_of_training: asked where no query is given, if both are files or both databases.

    Raises DataError for a source that is none or cannot be read, and for a query that is not
    one SELECT.
    """
    refuse_passwords(source, "--source")
    refuse_passwords(query, "--query")
    was_csv = known is not None and known.dialect is not None
    origin = find_source(source, wording=COMMAND, otherwise="csv" if was_csv else None)
    if query is None and known is not None and origin.is_files == bool(known.columns):
        query = query_of_training
    with (
        tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
        closing(Database(origin, Path(folder), known=known, labels=labels)) as database,
    ):
        checked = read_query(database, query)
        with database.cursor() as cursor:
            cursor.execute(f"CREATE TABLE {COPY}.main.source AS FROM (\n{checked.text}\n)")
        [(count,)] = database.con.execute("SELECT count(*) FROM source").fetchall()
        if not count:
            raise DataError(f"{origin.where} has no rows")
        types = {column.name: column.type for column in checked.columns}
        yield Table(database.con, types, count, Path(folder))


def files_of(source: str) -> list[Path]:
    """The files that the source names; of a server's database none."""
    return [] if "://" in source else list(with_plain_names(files_named(source)))


def _first(error: Exception) -> str:
    """The first sentence of what was raised, in one line."""
    return " ".join(str(error).partition("\n\n")[0].split())


def missing(wanted: Sequence[str], have: Sequence[str]) -> str:
    """A clause about the names that are not there, with the near ones."""
    clauses = []
    for name in wanted:
        near = difflib.get_close_matches(name, have, n=1)
        clauses.append(f"'{name}'" + (f" (did you mean '{near[0]}'?)" if near else ""))
    return ", ".join(clauses)
