"""Rows of a database or of data files, chosen by a query."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from annotated_types import Ge

from runner import (
    AskedTask,
    Data,
    DataError,
    MissingLabel,
    Options,
    Profile,
    Source,
    SplitPlan,
    Splits,
    Trained,
    Word,
    dataset,
    find_source,
    identifier,
)

from ._sql.profile import profile_of_query
from ._sql.rows import Text
from ._sql.table import Table, read_table

Decimal = Literal[".", ","]


def identity_of(
    *, source: Source, identity: str | None, secret: str | None = None, **params: Any
) -> str | Mapping[str, Path]:
    """What the user vouches for; the files; or a checksum over the rows of a database."""
    if identity is not None:
        return f"vouched:{identity}"
    query, test = params.get("query"), params.get("test")
    if find_source(source, secret=secret).is_files:
        # Another query gives other data.
        return numbered_files(source, words_of(query)) | numbered_files(test, "test")
    rows = _checksum(source, query, secret)[0]
    return rows if test is None else f"{rows} test {_checksum(test, query, secret)[0]}"


def numbered_files(source: str | None, words: str, **how: Any) -> dict[str, Path]:
    """The files by their order, not by their names; DataError where it is a database."""
    if source is None:
        return {}
    origin = find_source(str(source), **how)
    if not origin.is_files:
        raise DataError(f"{origin.where} is a database, and dataset.source= are files: give files")
    return {f"{i} {words}": file for i, file in enumerate(origin.files)}


def words_of(query: str | None) -> str:
    """The query, however it is laid out."""
    return " ".join((query or "").split())


@functools.lru_cache(maxsize=64)
def _checksum(source: str, query: str | None, secret: str | None) -> tuple[str, int]:
    """The identity of a query's rows, and their number: one scan, once a process.

    The sum of a hash of each row's text is the same in any order of the rows, and rows that are
    there twice count twice.
    """
    with Table(source, [], query, secret=secret).opened() as (database, read):
        # NULL must not be equal to any text, nor two columns to one.
        values = ", ".join(
            f"coalesce(chr(31) || {identifier(c.name)}::VARCHAR, chr(30))" for c in read.columns
        )
        [(rows, total)] = database.ask(
            f"SELECT count(*), coalesce(sum(md5_number_lower(concat({values}))), 0) "
            f"FROM (\n{read.text}\n)"
        )
    words = [*(f"{c.name} {c.type}" for c in read.columns), str(rows), str(total), words_of(query)]
    return "rows:" + hashlib.sha256("\n".join(words).encode()).hexdigest(), int(rows)


def table_of(params: Mapping[str, Any], **more: Any) -> Table:
    """The table that the params of a dataset describe."""
    fields = Table.__dataclass_fields__
    chosen = {name: value for name, value in params.items() if name in fields}
    if (test := chosen.get("test")) is not None:
        chosen["test"] = str(test)
    for key in ("label", "features", "weight"):
        value = chosen.get(key)
        if isinstance(value, dict):
            chosen[key] = {str(name): task for name, task in value.items()}
        elif value is not None:
            chosen[key] = list(map(str, value)) if isinstance(value, list) else str(value)
    return Table(**chosen | {"options": Options.of(params)} | more)


def profile_of(params: Mapping[str, Any], **more: Any) -> Profile | None:
    """What every column holds, in one scan; None where no look is wanted."""
    if not params["summary"]:
        return None
    table = table_of(params, **more)
    with table.opened() as (database, query):
        return profile_of_query(database, query, table.labels, table.query)


def _profile(**params: Any) -> Profile | None:
    return profile_of(params)


@dataset(identity=identity_of, profile=_profile)
def sql(
    split: SplitPlan,
    trained: Trained | None,
    *,
    source: Source,
    query: str | None = None,
    label: Word | list[Word] | dict[Word, AskedTask],
    features: list[Word] | None = None,
    task: AskedTask = "auto",
    text: Text = "strings",
    missing: Sequence[Word] = (),
    missing_label: MissingLabel = "refuse",
    decimal: Decimal = ".",
    thousands: str | None = None,
    time_format: str | list[str] | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    weight: Word | None = None,
    test: Source | None = None,
    memory_rows: Annotated[int, Ge(0)] = 1_000_000,
    identity: str | None = None,
    secret: str | None = None,
    summary: bool = True,
) -> Data | Splits:
    """Rows of a database or of data files, by a query; streamed where they are many.

    source: a Parquet, CSV or JSON file or pattern, a DuckDB or SQLite file, or
        postgres://user@host/database or mysql://user@host/database, without the password.
    query: one SELECT; files are the table `source`, and all of it without a query.
    label: one column or several, which are values or labels of one task; {age: auto, kind:
        classification} makes a head of each, with its own task.
    features: the columns to learn from; null: all but the label and what split.by names.
    task: auto: floats are values to predict, text, truth values and few whole numbers classes.
    text: columns of text as strings, for a preprocessing to encode, or as integer codes.
    missing: words for a missing value, such as [NA,"?"], beside nothing at all.
    missing_label: rows without a label (or a weight, or what split.by names): refuse or drop.
    decimal, thousands: how people wrote the numbers in columns of text: "," and " " in 1 234,50.
    time_format: strptime's format of dates, such as %d/%m/%Y, or several.
    delimiter, header, encoding: of CSV files; null: found out, and UTF-8.
    weight: a column that says how much each row counts in training.
    test: another source, whose rows are the test part.
    memory_rows: more rows than these are not loaded but read anew in every epoch.
    identity: says what the rows are, where a checksum over all of them would take too long.
    secret: the name of the DuckDB secret that holds the password.
    summary: whether to look over all columns before the first training.
    """
    # Every param by its own name.
    table = table_of(locals())

    def expected() -> int | None:
        if identity is not None or find_source(source, secret=secret).is_files:
            return None
        return _checksum(source, query, secret)[1]

    return read_table(table, split, trained, expected)
