"""How a CSV file is encoded, what parts its cells, and whether its first line names columns."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import shutil
import zlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from runner.data.sources.columns import counts_up
from runner.data.sources.files import scan
from runner.data.sources.reading import Dialect, Options
from runner.data.sources.source import COMPRESSED, RowSource
from runner.errors import DataError
from runner.system.databases import as_one_file, literal

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SAMPLE = 100_000
"""Rows that are looked at to find out how a table is read."""
NATIVE = {"utf8": None, "utf16": "utf-16", "iso88591": "latin-1"}
"""What DuckDB reads by itself, by Python's name without its signs -> DuckDB's."""
GLANCE = 1 << 20
"""Bytes at the head of a file that tell its encoding."""
DELIMITERS = (",", ";", "\t", "|")
PACKED = ".gz"
"""What Python unpacks, too."""
NONE = "(empty)"
"""What DuckDB's sniffer says where it saw no such sign."""


def known_encoding(name: str | None) -> str | None:
    """Python's name of the encoding, without its signs; DataError where there is none such."""
    if name is None:
        return None
    try:
        return re.sub("[^a-z0-9]", "", codecs.lookup(name).name)
    except (LookupError, ValueError):
        raise DataError(
            f"dataset.encoding={name} is no encoding that Python knows: give one such as utf-8, "
            "latin-1, cp1252 or utf-16"
        ) from None


def duckdb_encoding(name: str | None) -> str | None:
    """What DuckDB calls the encoding, or None: UTF-8, or a copy in it."""
    return NATIVE.get(known_encoding(name) or "utf8")


def as_utf8(files: Sequence[Path], encoding: str, folder: Path) -> tuple[Path, ...]:
    """Copies of files of an encoding that DuckDB does not read; DataError where they are not."""
    copies = []
    for number, file in enumerate(files):
        if file.name.endswith(COMPRESSED) and not file.name.endswith(PACKED):
            raise DataError(f"{file} is packed and of the encoding {encoding}: unpack it first")
        copy = folder / f"{number}-{file.name.removesuffix(PACKED)}"
        try:
            with (
                io.TextIOWrapper(_bytes_of(file), encoding, newline="") as source,
                copy.open("w", encoding="utf-8", newline="") as target,
            ):
                shutil.copyfileobj(source, target)
        except UnicodeError as error:
            raise DataError(f"{file} is not of dataset.encoding={encoding}: {error}") from None
        copies.append(copy)
    return tuple(copies)


def _bytes_of(file: Path) -> BinaryIO:
    """The bytes of the file, unpacked."""
    return cast(BinaryIO, gzip.open(file)) if file.name.endswith(PACKED) else file.open("rb")


def find_dialect(
    con: DuckDBPyConnection,
    source: RowSource,
    files: Sequence[Path],
    options: Options,
    names: Collection[str] = (),
) -> tuple[Dialect, str | None]:
    """How the first of the files is written, and a line about what may be otherwise.

    options: what the user says of it. names: columns that it must have, by which a line of
    numbers may be known as the header.

    Raises DataError for a file that is in another encoding, and duckdb.Error.
    """
    import duckdb

    encoding = duckdb_encoding(options.encoding)
    if encoding != "utf-16" and likely_encoding(files[0]) == "utf-16":
        raise DataError(other_encoding(source, files[0], options.encoding))
    given = [f"sample_size = {SAMPLE}"]
    given += [f"delim = {literal(options.delimiter)}"] if options.delimiter else []
    given += [f"header = {str(options.header).lower()}"] if options.header is not None else []
    given += [f"encoding = {literal(encoding)}"] if encoding else []
    place = literal(as_one_file(str(files[0])))
    try:
        described = con.execute(f"FROM sniff_csv({place}, {', '.join(given)})")
    except duckdb.Error as error:
        # UTF-16 is full of NUL, which no dialect fits.
        is_utf_16 = options.encoding is None and likely_encoding(files[0]) == "utf-16"
        if is_utf_16 or re.search("not utf-8|unicode", str(error)):
            raise DataError(other_encoding(source, files[0], options.encoding)) from None
        raise
    row: dict[str, Any] = dict(
        zip((d[0] for d in described.description), described.fetchone() or (), strict=True)
    )
    if len(row["Columns"]) == 1 and options.delimiter is None:
        _refuse_ragged(source, files[0], options)
    dialect = Dialect(
        delimiter=row["Delimiter"],
        quote=row["Quote"] if row["Quote"] != NONE else '"',
        escape=row["Escape"] if row["Escape"] != NONE else '"',
        skip=row["SkipRows"],
        header=row["HasHeader"],
        comment=row["Comment"] if row["Comment"] != NONE else "",
        encoding=encoding,
    )
    dialect = _quoted(con, files[0], dialect, row["Quote"])
    if dialect.header:
        return dialect, _about_equal_names(con, source, files[0], dialect)
    if options.header is not None:
        return dialect, None
    return _with_header(con, source, files[0], dialect, names)


def first_line(con: DuckDBPyConnection, file: Path, dialect: Dialect) -> list[str]:
    """The cells of the first line."""
    plain = replace(dialect, header=False)
    read = scan("read_csv", [file], f"{plain.options}, all_varchar = true")
    return [cell or "" for cell in con.execute(f"FROM {read} LIMIT 1").fetchone() or ()]


def _about_equal_names(
    con: DuckDBPyConnection, source: RowSource, file: Path, dialect: Dialect
) -> str | None:
    """A line about columns of one name, of which the later ones are called otherwise."""
    cells = [cell.strip() for cell in first_line(con, file, dialect)]
    counts = Counter(cell.lower() for cell in cells if cell)
    twice = [cell for cell in dict.fromkeys(cells) if counts[cell.lower()] > 1]
    if not twice:
        return None
    listed = ", ".join(repr(cell) for cell in twice)
    return (
        f"{source.where}: several columns are called {listed}; from the second on they are "
        f"{twice[0]}_1, {twice[-1]}_2, …"
    )


def _quoted(con: DuckDBPyConnection, file: Path, dialect: Dialect, quote: str) -> Dialect:
    """The dialect, without quotes where none were seen and the sign is no quote in this file."""
    import duckdb

    if quote != NONE:
        return dialect
    read = scan("read_csv", [file], f"{dialect.options}, all_varchar = true")
    try:
        con.execute(f"SELECT count(*) FROM (FROM {read} LIMIT {SAMPLE})").fetchall()
    except duckdb.Error:
        return replace(dialect, quote="", escape="")
    return dialect


def _with_header(
    con: DuckDBPyConnection,
    source: RowSource,
    file: Path,
    dialect: Dialect,
    names: Collection[str],
) -> tuple[Dialect, str]:
    """The dialect of a file whose first line are numbers: as names, where they look like it."""
    cells = first_line(con, file, dialect)
    line = ",".join(cells)
    line = line if len(line) <= 60 else f"{line[:59]}…"
    lower = {cell.strip().lower() for cell in cells}
    if names and all(name.lower() in lower for name in names):
        named = True
    else:
        named = counts_up(cells) and len(set(cells)) == len(cells)
    if not named:
        return dialect, (
            f"{source.where}: the first line, {line}, is taken for a row, and the columns are "
            "called column0, column1, …; if it names them, say dataset.header=true"
        )
    return replace(dialect, header=True), (
        f"{source.where}: the first line, {line}, is taken for the names of the columns; if it is "
        "a row, say dataset.header=false"
    )


def _refuse_ragged(source: RowSource, file: Path, options: Options) -> None:
    """Raise DataError where a file seems to have one column, for a line is not as the others."""
    if file.name.endswith(COMPRESSED):
        return
    with file.open(encoding=options.encoding or "utf-8-sig", errors="replace", newline="") as text:
        first = text.readline(GLANCE)
        delimiter = max(DELIMITERS, key=first.count)
        if not first.count(delimiter):
            return
        text.seek(0)
        width = 0
        reader = csv.reader(text, delimiter=delimiter)
        try:
            for cells in reader:
                width = width or len(cells)
                if cells and len(cells) != width:
                    raise DataError(
                        f"{source.where} has {len(cells)} cells in line {reader.line_num}, and "
                        f"{width} columns"
                    )
        except csv.Error:
            return  # DuckDB will say it


def other_encoding(source: RowSource, file: Path, encoding: str | None) -> str:
    """A sentence about a file that is not in UTF-8, with the encoding that reads it."""
    given = encoding or "utf-8"
    if source.wording.source.startswith("--"):
        return f"{source.where} is not in the encoding {given}, as in training: write it anew"
    return (
        f"{source.where} is not in the encoding {given}: say "
        f"dataset.encoding={likely_encoding(file) or 'latin-1'}, or what else it was written in"
    )


def likely_encoding(file: Path) -> str | None:
    """What a file of text seems to be written in; None for UTF-8, and where it is packed."""
    if file.name.endswith(COMPRESSED) and not file.name.endswith(PACKED):
        return None
    try:
        with _bytes_of(file) as opened:
            head = opened.read(GLANCE)
    except (OSError, EOFError, zlib.error):
        return None  # DuckDB will say it
    if head.startswith((codecs.BOM_UTF16_BE, codecs.BOM_UTF16_LE)):
        return "utf-16"
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return "cp1252" if any(0x80 <= byte < 0xA0 for byte in head) else "latin-1"
    return None
