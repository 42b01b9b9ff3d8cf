"""Rows of a database or of data files, chosen by a query."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from runner import (
    Data,
    Database,
    DataError,
    Profile,
    Query,
    Source,
    Split,
    Splits,
    Wording,
    dataset,
    find_source,
    identifier,
    read_query,
)

from ._files.labels import Asked
from ._sql.labels import Labels
from ._sql.profile import profile_of_query
from ._sql.rows import Layout, Reader, Text
from ._sql.stream import in_memory, streamed

MEMORY_BYTES = 1 << 30
"""However few the rows, more than this is streamed."""


def _identity(
    *,
    source: Source,
    query: str | None,
    identity: str | None,
    secret: str | None,
    **_: Any,
) -> str | Mapping[str, Path]:
    """What the user vouches for; the files; or a checksum over the rows of a database."""
    if identity is not None:
        return f"vouched:{identity}"
    if (origin := find_source(source, secret=secret)).is_files:
        # Files go by their order, not by their names; another query gives other data.
        return {f"{i} {_words(query)}": file for i, file in enumerate(origin.files)}
    return _checksum(source, query, secret)[0]


def _words(query: str | None) -> str:
    """The query, however it is laid out."""
    return " ".join((query or "").split())


@functools.lru_cache(maxsize=64)
def _checksum(source: str, query: str | None, secret: str | None) -> tuple[str, int]:
    """The identity of a query's rows, and their number: one scan, once a process.

    The sum of a hash of each row's text is the same in any order of the rows, and rows that are
    there twice count twice.
    """
    with opened(source, query, secret=secret) as (database, read):
        # NULL must not be equal to any text, nor two columns to one.
        values = ", ".join(
            f"coalesce(chr(31) || {identifier(c.name)}::VARCHAR, chr(30))" for c in read.columns
        )
        [(rows, total)] = database.ask(
            f"SELECT count(*), coalesce(sum(md5_number_lower(concat({values}))), 0) "
            f"FROM (\n{read.text}\n)"
        )
    words = [*(f"{c.name} {c.type}" for c in read.columns), str(rows), str(total), _words(query)]
    return "rows:" + hashlib.sha256("\n".join(words).encode()).hexdigest(), int(rows)


def _profile(
    *,
    source: Source,
    query: str | None,
    label: str | list[str],
    secret: str | None,
    summary: bool,
    **_: Any,
) -> Profile | None:
    """What every column holds, in one scan."""
    if not summary:
        return None
    with opened(source, query, secret=secret) as (database, read):
        return profile_of_query(database, read, names_of(label), query)


@dataset(identity=_identity, profile=_profile)
def sql(
    split: Split,
    *,
    source: Source,
    query: str | None = None,
    label: str | list[str],
    features: list[str] | None = None,
    task: Asked = "auto",
    text: Text = "strings",
    memory_rows: Annotated[int, Ge(0)] = 1_000_000,
    identity: str | None = None,
    secret: str | None = None,
    summary: bool = True,
) -> Data | Splits:
    """Rows of a database or of data files, by a query; streamed where they are many.

    source: a Parquet, CSV or JSON file or pattern, a DuckDB or SQLite file, or
        postgres://user@host/database or mysql://user@host/database, without the password.
    query: one SELECT; files are the table `source`, and all of it without a query.
    label: one column or several.
    features: the columns to learn from; null: all but the label and what split.by names.
    task: auto: floats are values to predict, text, truth values and few whole numbers classes.
    text: columns of text as strings, for a preprocessing to encode, or as integer codes.
    memory_rows: more rows than these are not loaded but read anew in every epoch.
    identity: says what the rows are, where a checksum over all of them would take too long.
    secret: the name of the DuckDB secret that holds the password.
    summary: whether to look over all columns before the first training.
    """
    with opened(source, query, secret=secret, keep=True) as (database, read):
        layout = layout_of(read, names_of(label), features, text, split)
        reader = Reader(database, read, layout)
        rows = reader.count()
        if not database.source.is_files and identity is None:
            expected = _checksum(source, query, secret)[1]
            if rows != expected:
                raise DataError(
                    f"dataset.source={source} has changed since the command began: the query gave "
                    f"{expected} rows, now it gives {rows}"
                )
        return read_rows(reader, Labels(layout.labels, task), split, rows, memory_rows)


def read_rows(
    reader: Reader, labels: Labels, split: Split, rows: int, memory_rows: int
) -> Data | Splits:
    """The rows as arrays if they are few, else as streams, which keep the source open."""
    if rows == 0:
        raise DataError("dataset.query gives no rows: loosen its WHERE, or look at the source")
    if rows <= memory_rows and rows * reader.layout.row_bytes <= MEMORY_BYTES:
        data = in_memory(reader, labels)
        reader.database.close()
        return data
    return streamed(reader, labels, split, rows)


@contextmanager
def opened(
    source: str,
    query: str | None,
    delimiter: str | None = None,
    secret: str | None = None,
    keep: bool = False,
    key: str = "dataset.source=",
) -> Iterator[tuple[Database, Query]]:
    """The source and the checked query; closed at the end, unless it is to be kept."""
    database = Database(find_source(source, delimiter, secret, Wording(key)))
    try:
        yield database, read_query(database, query)
    except BaseException:
        database.close()
        raise
    if not keep:
        database.close()


def layout_of(
    query: Query, label: list[str], features: list[str] | None, text: Text, split: Split
) -> Layout:
    """Which columns are what; DataError for names that are none and types that cannot be used."""
    labels = tuple(query.column(one, "dataset.label") for one in label)
    if not labels:
        raise DataError("dataset.label=[] names no column: give one or more")
    key = None
    if split.column is not None:
        key = query.column(split.column, f"split.by={split.by}")
        if (split.by or "").startswith("time:") and key.family not in ("date", "integer", "float"):
            raise DataError(
                f"split.by={split.by} needs a time or a number, and the column is {key.type}"
            )
    if features is None:
        chosen = [c for c in query.columns if c not in labels and c != key]
    else:
        chosen = [query.column(one, "dataset.features") for one in features]
    if not chosen:
        raise DataError("dataset.features names no column: give one or more beside the label")
    for column in (*chosen, *labels):
        if column in labels and column in chosen:
            raise DataError(f"'{column.name}' is both in dataset.features and in dataset.label")
        if column.family == "other":
            raise DataError(
                f"the column '{column.name}' is of type {column.type}, which is neither number, "
                "truth value, text nor date: leave it out by dataset.features, or compute "
                "columns from it in dataset.query"
            )
    return Layout(tuple(chosen), labels, key, text)


def names_of(label: str | list[str]) -> list[str]:
    """The label's columns."""
    return [label] if isinstance(label, str) else label
