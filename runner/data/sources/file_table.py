"""Plain files as one table: how they are read is found out here, once."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.data.sources.column import Column
from runner.data.sources.columns import Numbers
from runner.data.sources.dialect import (
    NATIVE,
    SAMPLE,
    as_utf8,
    duckdb_encoding,
    find_dialect,
    known_encoding,
)
from runner.data.sources.files import scan
from runner.data.sources.reading import As, Dialect, Options, Reading
from runner.data.sources.source import RowSource
from runner.data.sources.typed import Found, find_types, option, remarks_on
from runner.system.databases import identifier, literal
from runner.system.temporary import private_folder

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOKED_AT = "sweephouse_looked_at"
LONGEST = 64
"""What is longer is neither a number nor a date."""


class FileTable:
    """The rows of plain files, the table `source` of a query."""

    def __init__(self, source: RowSource, options: Options, known: Reading | None = None) -> None:
        """known: how the files were read in training, which holds for these, too."""
        if source.delimiter is not None:
            options = replace(options, delimiter=source.delimiter)
        if known is not None:
            known = known.said(options)
            options = replace(options, encoding=known.encoding)
        self.source = source
        self.reading = known.of_files if known else Reading(missing=options.missing)
        self.found = Found()
        self.columns: Sequence[Column] = ()
        """The columns as they stand in the files."""
        self._options = options
        self._known = known
        self._lacking: Mapping[str, str] = {}
        self._remove_copies: Callable[[], Any] = lambda: None
        self.files = self._readable()

    def close(self) -> None:
        """Remove what was copied."""
        self._remove_copies()

    def find(self, con: DuckDBPyConnection, names: Sequence[str], labels: Sequence[str]) -> None:
        """Find out how the files are read, as far as that is not known.

        names: columns that they must have. labels: those that new rows may lack, and whose words
        are kept as they are.

        Raises DataError and duckdb.Error.
        """
        dialect, about = self._dialect(con, names) if self.source.kind == "csv" else (None, None)
        self.reading = replace(self.reading, dialect=dialect, encoding=self._options.encoding)
        self.columns = _described(con, self.scan())
        if self._known is not None:
            have = {column.name.lower() for column in self.columns}
            self._lacking = {
                name: as_.type
                for name, as_ in self.reading.columns.items()
                if name in labels and name.lower() not in have
            }
            self.reading = replace(self.reading, columns=self._widened(con))
            return
        words = ", ".join(literal(word) for word in ("", *self.reading.missing))
        by_itself = self.columns
        if dialect is not None:
            types = _described(con, self.scan(f"nullstr = [{words}], sample_size = {SAMPLE}"))
            # There a column that is called as what is missing has no name.
            by_itself = [
                replace(typed, name=column.name)
                for column, typed in zip(self.columns, types, strict=True)
            ]
        self.found = find_types(
            by_itself,
            lambda names: texts_of(con, self.scan(), names),
            self._options,
            as_written=labels,
            every=dialect is not None,
        )
        self.found.about = about
        if dialect is None and not self._options.of_values:
            self.found.add(remarks_on(by_itself, lambda names: texts_of(con, self.scan(), names)))
        if dialect is not None and self._options.numbers == Numbers():
            self._remark_on_thousands(con, by_itself)
        self.reading = replace(self.reading, columns=self.found.columns)
        if dialect is not None and self._has_more_than(SAMPLE, con):
            # A number that is no whole one may come later.
            self.reading = replace(self.reading, columns=self._widened(con))

    def _has_more_than(self, rows: int, con: DuckDBPyConnection) -> bool:
        limited = f"SELECT count(*) FROM (FROM {self.scan()} LIMIT {rows + 1})"
        return bool((con.execute(limited).fetchone() or (0,))[0] > rows)

    def _remark_on_thousands(self, con: DuckDBPyConnection, columns: Sequence[Column]) -> None:
        """Say where 1.234 may be more than a thousand, for 999 has no point."""
        names = [column.name for column in columns if column.family == "float"]
        if not names:
            return
        grouped = literal(r"\s*[+-]?[1-9]\d{0,2}(\.\d{3})*\s*")
        asked = [
            f"bool_and(regexp_full_match(c{i}, {grouped})) AND bool_or(NOT contains(c{i}, '.'))"
            for i in range(len(names))
        ]
        words = ", ".join(literal(word) for word in ("", *self.reading.missing))
        texts = [
            f"CASE WHEN {identifier(n)} NOT IN ({words}) THEN {identifier(n)} END AS c{i}"
            for i, n in enumerate(names)
        ]
        select = (
            f"SELECT {', '.join(asked)} FROM "
            f"(SELECT {', '.join(texts)} FROM {self.scan()} LIMIT {SAMPLE})"
        )
        for name, is_so in zip(names, con.execute(select).fetchone() or (), strict=True):
            if is_so:
                self.found.remarks[name] = (
                    f"the column '{name}' is read with a decimal point, and every point has three "
                    "digits behind it: if 1.234 is more than a thousand, say "
                    f"{option('decimal', ',')} {option('thousands', '.')}"
                )

    def scan(self, typed: str = "all_varchar = true") -> str:
        """The expression that reads the files, as they stand.

        typed: options of a CSV file's reader.
        """
        options = []
        if self.reading.dialect is not None:
            options += [self.reading.dialect.options, typed]
        if len(self.files) > 1:
            options.append("union_by_name = true")
        return scan(f"read_{self.source.kind}", self.files, ", ".join(options))

    def select(self, table: str | None = None) -> str:
        """The SELECT that gives the rows as they are read.

        table: some of the rows as they stand; None: all.
        """
        chosen = self.reading.select(self.columns, table or self.scan(), self.source.where)
        if not self._lacking:
            return chosen
        more = [f"NULL::{kind} AS {identifier(name)}" for name, kind in self._lacking.items()]
        return f"SELECT *, {', '.join(more)} FROM ({chosen})"

    def _readable(self) -> tuple[Path, ...]:
        """The files, or copies of them where DuckDB does not read their encoding."""
        encoding = self._options.encoding
        if self.source.kind != "csv" or (known_encoding(encoding) or "utf8") in NATIVE:
            return self.source.files
        assert encoding is not None
        folder = Path(tempfile.mkdtemp(dir=private_folder(), prefix="text-"))
        # Nobody closes what is streamed to the end.
        self._remove_copies = weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return as_utf8(self.source.files, encoding, folder)

    def _dialect(
        self, con: DuckDBPyConnection, names: Sequence[str]
    ) -> tuple[Dialect, str | None]:
        """That of training, if its columns come out of it; else that of these files."""
        import duckdb

        first = self._known.dialect if self._known is not None else None
        if first is None or self._options.delimiter not in (None, first.delimiter):
            return find_dialect(con, self.source, self.files, self._options, names)
        first = replace(first, encoding=duckdb_encoding(self._options.encoding))
        wanted = {name.lower() for name in self.reading.columns}
        try:
            if self._common(con, first, wanted):
                return first, None
        except duckdb.Error:
            pass  # Another quote or delimiter: it is looked at anew.
        options = replace(self._options, header=first.header)
        return find_dialect(con, self.source, self.files, options)

    def _common(self, con: DuckDBPyConnection, dialect: Dialect, wanted: set[str]) -> int:
        """How many of the columns there are in the first file by this dialect."""
        table = scan("read_csv", self.files[:1], f"{dialect.options}, all_varchar = true")
        return len(wanted & {column.name.lower() for column in _described(con, table)})

    def _widened(self, con: DuckDBPyConnection) -> dict[str, As]:
        """The known columns; those of whole numbers as numbers, where these have others, too."""
        known = dict(self.reading.columns)
        whole = {
            column.name: known[column.name]
            for column in self.columns
            if column.family == "text"
            and column.name in known
            and known[column.name].family == "integer"
        }
        if whole:
            asked = [f"bool_or({_is_fraction(name, read)})" for name, read in whole.items()]
            row = con.execute(f"SELECT {', '.join(asked)} FROM {self.scan()}").fetchone() or ()
            for name, has_fraction in zip(whole, row, strict=True):
                if has_fraction:
                    known[name] = replace(known[name], type="DOUBLE")
        return known


def _is_fraction(name: str, read: As) -> str:
    """In SQL: whether a text is a number, and no whole one."""
    value = identifier(name)
    if read.numbers is not None:
        return f"contains({value}, {literal(read.numbers.decimal)})"
    is_whole = f"NOT contains({value}, '.') AND TRY_CAST({value} AS BIGINT) IS NOT NULL"
    return f"TRY_CAST({value} AS DOUBLE) IS NOT NULL AND NOT ({is_whole})"


def texts_of(con: DuckDBPyConnection, table: str, names: Sequence[str]) -> dict[str, list[str]]:
    """The different texts, or the heads of long ones, of some columns among the first rows."""
    if not names:
        return {}
    heads = [f"left({identifier(n)}::VARCHAR, {LONGEST}) AS c{i}" for i, n in enumerate(names)]
    con.execute(
        f"CREATE OR REPLACE TEMP TABLE {LOOKED_AT} AS SELECT {', '.join(heads)} "
        f"FROM {table} LIMIT {SAMPLE}"
    )
    texts = {}
    for i, name in enumerate(names):
        column = f"SELECT DISTINCT c{i} FROM temp.{LOOKED_AT} WHERE c{i} IS NOT NULL"
        texts[name] = sorted(text for (text,) in con.execute(column).fetchall())
    con.execute(f"DROP TABLE temp.{LOOKED_AT}")
    return texts


def _described(con: DuckDBPyConnection, table: str) -> list[Column]:
    """The columns of a table as DuckDB takes them."""
    return [Column(row[0], row[1]) for row in con.execute(f"DESCRIBE FROM {table}").fetchall()]
