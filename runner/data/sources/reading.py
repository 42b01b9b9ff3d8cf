"""How a table is read: found once, in training, and the same for every row that comes later.

Columns of text become what their texts are by expressions of SQL, so that a value that does not
fit is named, with its column.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from runner.data.sources.column import Column, Family
from runner.data.sources.columns import UNIT, Numbers, is_plain
from runner.errors import DataError
from runner.system.databases import identifier, literal

KIND = {
    "integer": "whole number",
    "float": "number",
    "boolean": "truth value",
    "date": "date or time",
    "text": "text",
}


@dataclass(frozen=True)
class Options:
    """What the user says of how a table is written; None and empty: it is found out."""

    delimiter: str | None = None
    header: bool | None = None
    """Whether the first line of a CSV file names the columns."""
    missing: tuple[str, ...] = ()
    """Words that stand for a missing value, beside nothing at all."""
    decimal: str = "."
    thousands: str | None = None
    encoding: str | None = None
    time_format: tuple[str, ...] = ()
    """Formats of strptime for dates and times."""

    @classmethod
    def of(cls, params: Mapping[str, Any]) -> Options:
        """From the params of a dataset, as far as it has them; DataError for what cannot be."""
        formats = params.get("time_format") or ()
        chosen = cls(
            delimiter=params.get("delimiter"),
            header=params.get("header"),
            missing=tuple(str(word) for word in params.get("missing") or ()),
            decimal=params.get("decimal") or ".",
            thousands=params.get("thousands"),
            encoding=params.get("encoding"),
            time_format=(formats,) if isinstance(formats, str) else tuple(formats),
        )
        if chosen.thousands is not None and len(chosen.thousands) != 1:
            raise DataError(
                f"dataset.thousands={chosen.thousands!r} is not valid: give one sign, such as "
                "'dataset.thousands=\",\"'"
            )
        if chosen.thousands == chosen.decimal:
            raise DataError(
                f"dataset.thousands and dataset.decimal are both {chosen.decimal!r}: a number "
                "cannot be told from another so"
            )
        return chosen

    @property
    def numbers(self) -> Numbers:
        """How numbers are written."""
        return Numbers(self.decimal, self.thousands)

    @property
    def of_values(self) -> bool:
        """Whether anything is said of how values are written, rather than the file."""
        return bool(
            self.missing or self.decimal != "." or self.thousands is not None or self.time_format
        )


@dataclass(frozen=True)
class Dialect:
    """How a CSV file parts its cells, as DuckDB's reader takes it."""

    delimiter: str = ","
    quote: str = '"'
    escape: str = '"'
    skip: int = 0
    header: bool = True
    comment: str = ""
    encoding: str | None = None

    @property
    def options(self) -> str:
        """Options of `read_csv`."""
        encoding = f", encoding = {literal(self.encoding)}" if self.encoding else ""
        comment = f", comment = {literal(self.comment)}" if self.comment else ""
        return (
            f"delim = {literal(self.delimiter)}, quote = {literal(self.quote)}, "
            f"escape = {literal(self.escape)}, skip = {self.skip}, "
            f"header = {str(self.header).lower()}{comment}{encoding}"
        )


@dataclass(frozen=True)
class As:
    """As what a column is read."""

    type: str
    """As DuckDB calls it."""
    format: str | None = None
    """Of dates: strptime's."""
    numbers: Numbers | None = None
    """Of numbers that people wrote: how."""

    @property
    def plain(self) -> Any:
        """It as JSON takes it: mostly the type alone."""
        body = {key: value for key, value in dataclasses.asdict(self).items() if value is not None}
        return self.type if len(body) == 1 else body

    @classmethod
    def recorded(cls, body: Any) -> As:
        """From what `plain` gave."""
        if isinstance(body, str):
            return cls(body)
        numbers = body.get("numbers")
        return cls(body["type"], body.get("format"), Numbers(**numbers) if numbers else None)

    @property
    def family(self) -> Family:
        """What kind of values that is."""
        return Column("", self.type).family

    def of_text(self, value: str, column: str, missing: Sequence[str], where: str) -> str:
        """In SQL: the value of a text, NULL for what is missing; an error for what is no such."""
        words = ", ".join(map(literal, missing))
        nothing = f"{value} IN ({words})" if words else "false"
        if self.family in ("text", "other"):
            return f"CASE WHEN {nothing} THEN NULL ELSE {value} END" if words else value
        wrong = literal(f"{where} mixes types in a column: '{column}' holds ")
        reason = literal(f", which is no {KIND[self.family]}{self._how}")
        otherwise = f"error({wrong} || '''' || left({value}, 60) || '''' || {reason})"
        # Most values are what they should be: the rest is looked at only where they are not.
        blank = f"{value} IS NULL OR trim({value}) = ''"
        known = f"coalesce({self._cast(value)}, CASE WHEN NOT ({blank}) THEN {otherwise} END)"
        return f"CASE WHEN NOT coalesce({nothing}, false) THEN {known} END" if words else known

    @property
    def _how(self) -> str:
        if self.format is not None:
            return f" like {self.format}"
        if self.numbers is not None and self.numbers.options:
            given = " and ".join(f"{k} {v!r}" for k, v in self.numbers.options.items())
            return f" with {given}"
        return ""

    def _cast(self, value: str) -> str:
        if self.format is not None:
            # DuckDB cannot cast at once what holds a time of day to a date.
            return f"CAST(try_strptime(trim({value}), {literal(self.format)}) AS {self.type})"
        if self.numbers is not None:
            digits = f"regexp_replace({value}, {literal(UNIT)}, '', 'g')"
            blanks = r"[\s\x{00a0}\x{202f}\x{2009}]"
            digits = f"regexp_replace({digits}, {literal(blanks)}, '', 'g')"
            if self.numbers.thousands is not None:
                separator = self.numbers.separator
                digits = f"regexp_replace({digits}, {literal(separator)}, '', 'g')"
            minus = r"[\x{2212}\x{2013}]"
            digits = f"regexp_replace({digits}, {literal(minus)}, '-', 'g')"
            if self.numbers.decimal != ".":
                digits = f"replace({digits}, {literal(self.numbers.decimal)}, '.')"
            pattern = literal(self.numbers.pattern)
            number = f"TRY_CAST({digits} AS {self.type})"
            return f"CASE WHEN regexp_full_match({value}, {pattern}) THEN {number} END"
        cast = f"TRY_CAST({value} AS {self.type})"
        if self.family == "integer":
            # It would round 2.5 in silence.
            return f"CASE WHEN NOT contains({value}, '.') THEN {cast} END"
        return cast


@dataclass(frozen=True)
class Reading:
    """How a table is read: what is recorded with a run."""

    dialect: Dialect | None = None
    """Of CSV files."""
    missing: tuple[str, ...] = ()
    columns: Mapping[str, As] = field(default_factory=dict)
    """Column of files -> as what it is read."""
    results: Mapping[str, As] = field(default_factory=dict)
    """Column of a query -> as what it is read."""
    encoding: str | None = None
    """Of text files, where it is none that DuckDB takes for granted."""
    features: tuple[str, ...] = ()
    """The columns that the model is given, in their order."""
    wide: tuple[str, ...] = ()
    """Those among them that are float64."""

    @property
    def plain(self) -> dict[str, Any]:
        """It as JSON takes it; what is as it mostly is, is left out."""
        body: dict[str, Any] = {
            "columns": {name: column.plain for name, column in self.columns.items()},
            "results": {name: column.plain for name, column in self.results.items()},
            "missing": list(self.missing),
            "dialect": dataclasses.asdict(self.dialect) if self.dialect else None,
            "encoding": self.encoding,
            "features": list(self.features),
            "wide": list(self.wide),
        }
        return {key: value for key, value in body.items() if value}

    @classmethod
    def recorded(cls, body: Any) -> Reading | None:
        """From the record of a run; None where an older one holds none, or it was changed."""
        try:
            assert body
            return cls(
                dialect=Dialect(**body["dialect"]) if body.get("dialect") else None,
                missing=tuple(map(str, body.get("missing", ()))),
                columns={k: As.recorded(v) for k, v in body.get("columns", {}).items()},
                results={k: As.recorded(v) for k, v in body.get("results", {}).items()},
                encoding=body.get("encoding"),
                features=tuple(map(str, body.get("features", ()))),
                wide=tuple(map(str, body.get("wide", ()))),
            )
        except (AssertionError, AttributeError, KeyError, TypeError, ValueError):
            return None

    @property
    def of_results(self) -> Reading:
        """The same for the columns of a query."""
        return dataclasses.replace(self, columns={**self.columns, **self.results})

    @property
    def of_files(self) -> Reading:
        """The same for the columns of files, though it was a database's query in training."""
        return dataclasses.replace(self, columns={**self.results, **self.columns})

    def said(self, options: Options) -> Reading:
        """The same, where it is said now how other rows than those of training are written."""
        columns = {name: _said(column, self, options) for name, column in self.columns.items()}
        return dataclasses.replace(
            self,
            columns=columns,
            missing=tuple(dict.fromkeys([*self.missing, *options.missing])),
            encoding=options.encoding or self.encoding,
        )

    def select(self, columns: Iterable[Column], table: str, where: str) -> str:
        """In SQL: the columns of a table as they are read; DataError where that cannot be."""
        values = {column.name: self._one(column, where) for column in columns}
        if all(value == identifier(name) for name, value in values.items()):
            return f"FROM {table}"
        chosen = (f"{value} AS {identifier(name)}" for name, value in values.items())
        return f"SELECT {', '.join(chosen)} FROM {table}"

    def _one(self, column: Column, where: str) -> str:
        value = identifier(column.name)
        wanted = self.columns.get(column.name)
        if column.type == "JSON" and wanted is not None and wanted.family != "other":
            # So DuckDB takes a column of JSON that holds nothing, or now this and now that.
            value = f"({value} ->> '$')"
            return wanted.of_text(value, column.name, self.missing, where)
        if column.family == "text":
            if column.type != "VARCHAR":
                value = f"{value}::VARCHAR"
            return (wanted or As("VARCHAR")).of_text(value, column.name, self.missing, where)
        value = _without(column, self.missing)
        if wanted is None or wanted.family == column.family:
            return value
        if wanted.family == "text" and column.family == "integer":
            return f"{value}::VARCHAR"
        if wanted.family in NUMERIC and column.family in NUMERIC:
            return value
        if "other" in (wanted.family, column.family):
            return value
        return _nothing_of(wanted, column, where)


NUMERIC = ("integer", "float", "boolean")


def _said(column: As, known: Reading, options: Options) -> As:
    """The column as it is said now; what training has read so already, stays."""
    every, numbers = known.columns.values(), options.numbers
    is_number = column.family in ("integer", "float")
    if is_number and numbers != Numbers() and not any(one.numbers for one in every):
        return dataclasses.replace(column, numbers=numbers)
    formats = options.time_format
    if column.family == "date" and formats and not any(one.format in formats for one in every):
        return dataclasses.replace(column, format=formats[0])
    return column


def _nothing_of(wanted: As, column: Column, where: str) -> str:
    """In SQL: NULL of the wanted type; an error where a column of another type holds a value."""
    value = identifier(column.name)
    sentence = (
        f"{where} has the column '{column.name}' of type {column.type}, which was "
        f"{KIND[wanted.family]} ({wanted.type}) in training: give it as it was then"
    )
    # With the value in it, or DuckDB would raise it before it has seen one.
    wrong = f"error({literal(sentence)} || left({value}::VARCHAR, 0))"
    return f"CASE WHEN {value} IS NOT NULL THEN {wrong} END::{wanted.type}"


def _without(column: Column, missing: Sequence[str]) -> str:
    """The value of a column of numbers, NULL where a missing word is that number."""
    value = identifier(column.name)
    numbers = [word for word in missing if is_plain([word])]
    if not numbers or column.family not in ("integer", "float"):
        return value
    return f"CASE WHEN {value} IN ({', '.join(numbers)}) THEN NULL ELSE {value} END"
