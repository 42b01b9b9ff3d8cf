"""Finds out as what every column of a table is read, and what about it may be otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from runner.data.sources.column import Column
from runner.data.sources.columns import (
    MISSING_WORDS,
    Numbers,
    are_truths,
    bare,
    date_formats,
    has_time,
    is_date,
    numbers_written,
    units_in,
)
from runner.data.sources.reading import As, Options
from runner.system.databases import identifier

Texts = Callable[[Sequence[str]], Mapping[str, Sequence[str]]]
"""From names of columns to the different texts in each, as they stand."""
LEADING_ZERO = re.compile(r"0\d+")
OF_HYDRA = ("null", "true", "false", "nan", "inf")
"""Words that are no text to Hydra."""


@dataclass
class Found:
    """Column -> as what it is read, a line about it, or why it cannot be read yet."""

    columns: dict[str, As] = field(default_factory=dict)
    about: str | None = None
    """A line about the whole."""
    remarks: dict[str, str] = field(default_factory=dict)
    doubts: dict[str, str] = field(default_factory=dict)
    options: dict[str, dict[str, str | list[str]]] = field(default_factory=dict)
    """Column -> what to say of the table so that it is read otherwise than as text."""
    alike: dict[str, str] = field(default_factory=dict)
    """Column -> what its texts look like, such as numbers with a comma."""
    decimal: str = "."
    """The sign of decimals by which it is read."""
    formats: dict[str, list[str]] = field(default_factory=dict)
    """Column in doubt -> the formats of strptime by which all its texts are dates."""

    def add(self, remarks: Found) -> None:
        """Take remarks on columns into account that are read as they are."""
        self.remarks |= remarks.remarks
        self.alike |= remarks.alike
        self.options |= remarks.options

    def lines(self, used: Collection[str]) -> list[str]:
        """A line about the whole, one about each column in use, and one that says what to type."""
        lines = [self.about] if self.about else []
        lines += [text for name, text in self.remarks.items() if name in used]
        if words := self.typed(used):
            lines.append(f"to read them so, add {words}")
        return lines

    def typed(self, used: Collection[str]) -> str:
        """The options of the dataset, as they are typed, that read the columns in use."""
        return " ".join(option(key, value) for key, value in self.merged(used)[0].items())

    def merged(
        self, used: Collection[str], before: Mapping[str, str | list[str]] | None = None
    ) -> tuple[dict[str, str | list[str]], list[str]]:
        """The options that read the columns in use, and those columns that they do not read.

        One file has one way of writing numbers; the columns that come first decide.
        before: what is said of it already.
        """
        merged, others = dict(before or {}), []
        for name, options in self.options.items():
            if name not in used:
                continue
            more = {key: value for key, value in options.items() if key not in merged}
            words = [*merged.get("missing", ()), *options.get("missing", ())]
            together = {**merged, **more}
            differ = any(
                merged.get(key, value) != value
                for key, value in options.items()
                if key != "missing"
            )
            if differ or together.get("thousands") == together.get("decimal", self.decimal):
                others.append(name)
                continue
            merged = together | ({"missing": list(dict.fromkeys(words))} if words else {})
        return merged, others


def find_types(
    columns: Iterable[Column],
    texts_of: Texts,
    options: Options,
    as_written: Collection[str] = (),
    every: bool = False,
    times: Collection[str] = (),
) -> Found:
    """As what the columns are read.

    columns: as DuckDB takes them by itself. as_written: labels, whose words are kept: Yes, not
    true. every: look at the texts of all columns, for the file holds nothing else. times: those
    that must be times, though they be text in a database that has no type for them.
    """
    found = Found({column.name: As(column.type) for column in columns}, decimal=options.decimal)
    examined = [
        c for c in columns if c.name in times or _is_examined(c, options, as_written, every)
    ]
    texts = texts_of([column.name for column in examined])
    for column in examined:
        words = {word.strip() for word in options.missing}
        present = [t for t in texts[column.name] if t.strip() and t.strip() not in words]
        if present:
            _examine(column, present, options, found)
    return found


def remarks_on(columns: Iterable[Column], texts_of: Texts) -> Found:
    """What to say of columns of text that stay text, for their table says that they are."""
    text = [column for column in columns if column.family == "text"]
    texts = texts_of([column.name for column in text])
    found = Found()
    for column in text:
        seen = Found()
        present = [t for t in texts[column.name] if t.strip()]
        if formats := date_formats(present) if present else []:
            _remark_on_dates(column.name, present[0], formats, seen)
        elif present:
            _examine_numbers(column, present, Options(), seen)
        if seen.options.get(column.name):
            found.add(seen)
    return found


def _remark_on_dates(name: str, example: str, formats: Sequence[str], found: Found) -> None:
    """Say by which format the texts are dates, or by which they may be."""
    _looks_like(found, name, "dates", example, ())
    found.options[name] = {"time_format": [formats[0]]}
    if len(formats) > 1:
        found.remarks[name] += f"; with {option('time_format', formats[1])} they are other days"


def _is_examined(
    column: Column, options: Options, as_written: Collection[str], every: bool
) -> bool:
    if column.family == "text":
        return every or options.of_values
    if not every:
        return False
    if column.family == "float":
        return options.numbers != Numbers()
    return column.family == "date" or (column.family == "boolean" and column.name in as_written)


def _examine(column: Column, present: Sequence[str], options: Options, found: Found) -> None:
    """Note as what a column of these texts is read."""
    name = column.name
    if column.family == "boolean":
        if not {text.strip().lower() for text in present} <= {"true", "false"}:
            found.columns[name] = As("VARCHAR")
        return
    for form in options.time_format:
        if all(is_date(text, form) for text in present):
            found.columns[name] = _date(form)
            return
    if column.family not in ("text", "date", "float"):
        return
    if column.family == "date" and all(map(_is_iso, present)):
        return
    formats = date_formats(present)
    if len(formats) == 1:
        found.columns[name] = _date(formats[0])
    elif formats:
        found.columns[name] = As("VARCHAR")
        found.formats[name] = formats
        found.doubts[name] = (
            f"the column '{name}' holds dates such as {present[0]!r}, in which the day cannot be "
            f"told from the month: say {option('time_format', formats[0])} or "
            f"{option('time_format', formats[1])}"
        )
    elif column.family != "date":
        _examine_numbers(column, present, options, found)


def _examine_numbers(
    column: Column, present: Sequence[str], options: Options, found: Found
) -> None:
    name, form = column.name, options.numbers
    if all(map(form.matches, present)):
        if code := next(filter(LEADING_ZERO.fullmatch, present), None):
            # 01 and 1 are two codes, as 01234 and 1234 are two places.
            as_numbers = (
                f"SELECT * REPLACE ({identifier(name)}::BIGINT AS {identifier(name)}) FROM source"
            )
            found.remarks[name] = (
                f"the column '{name}' is read as text, for it holds numbers that begin with a 0, "
                f"such as {code!r}: where they are counts, say {option('query', as_numbers)}"
            )
            return
        # Neither 1e3 nor inf.
        whole = not any(re.search(rf"{re.escape(form.decimal)}|[eEnN]", t) for t in bare(present))
        found.columns[name] = As("BIGINT" if whole else "DOUBLE", numbers=form)
        if units := units_in(present):
            found.remarks[name] = (
                f"the column '{name}' is read as numbers, without {' and '.join(units)}: "
                f"{present[0].strip()!r} is {_example(present[0], form)}"
            )
        return
    if column.family == "float":
        if all(map(Numbers().matches, present)) and not all(map(_is_grouped, present)):
            return
        found.columns[name] = As("VARCHAR")
    guess = numbers_written(present)
    if guess is None:
        _examine_beside_words(name, present, found)
        return
    found.columns[name] = As("VARCHAR")
    other, words = guess
    mend: dict[str, str | list[str]] = {
        key: value for key, value in other.options.items() if getattr(options, key) != value
    }
    if words:
        mend["missing"] = [*options.missing, *(word.strip() for word in words)]
    found.options[name] = mend
    example = next(text for text in present if text not in words).strip()
    _looks_like(found, name, "numbers", example, words)


def _examine_beside_words(name: str, present: Sequence[str], found: Found) -> None:
    """Remark on dates and truth values beside words for a missing one."""
    words = sorted({text.strip() for text in present if text.strip().lower() in MISSING_WORDS})
    rest = [text for text in present if text.strip() not in words]
    if not words or not rest:
        return
    kind = "dates" if date_formats(rest) else "truth values" if are_truths(rest) else None
    if kind is not None:
        found.options[name] = {"missing": words}
        _looks_like(found, name, kind, rest[0], words)


def _looks_like(found: Found, name: str, kind: str, example: str, words: Sequence[str]) -> None:
    """Note what texts look like that are read as text."""
    beside = f" beside {_listed(words)}" if words else ""
    found.alike[name] = f"{kind} such as {example!r}{beside}"
    found.remarks[name] = (
        f"the column '{name}' is read as text, and looks like {found.alike[name]}"
    )


def _date(form: str) -> As:
    return As("TIMESTAMP" if has_time(form) else "DATE", format=form)


def _is_iso(text: str) -> bool:
    """Whether DuckDB reads the date without being told how: year, month, day, or a time alone."""
    return text.strip()[4:5] == "-" or ":" in text[:3]


def _is_grouped(text: str) -> bool:
    """Whether the number may be 1.234 for 1234."""
    return Numbers("," if "." in text else ".", ".").matches(text) and "." in text


def _example(text: str, form: Numbers) -> str:
    digits = "".join(c for c in text if c.isdigit() or c in f"+-{form.decimal}")
    return digits.replace(form.decimal, ".")


def option(key: str, value: str | Sequence[str]) -> str:
    """What to type for a param of the dataset, quoted for the shell and for Hydra."""
    return typed(f"dataset.{key}", value)


def typed(key: str, value: str | Sequence[str]) -> str:
    """What to type for a key of the config."""
    if isinstance(value, str):
        quoted = _quoted(value)
    else:
        quoted = f"[{','.join(map(_quoted, dict.fromkeys(value)))}]"
    text = f"{key}={quoted}"
    return text if re.fullmatch(r"[\w.=/%:+-]+", text) else "'" + text.replace("'", "'\\''") + "'"


def _quoted(value: str) -> str:
    """The value as Hydra takes it: between quotes, unless it is a word that is none of its own."""
    plain = re.fullmatch(r"[\w/%+-]+|[A-Za-z_/][\w./:%+-]*", value)
    if plain and value.lower() not in OF_HYDRA:
        return value
    # To Hydra a backslash is one, but before a quote; and ${ begins what is looked up elsewhere.
    escaped = re.sub(r'(\\*)("|$)', lambda m: m[1] * 2 + ('\\"' if m[2] else ""), value)
    return '"' + escaped.replace("${", "\\${") + '"'


def _listed(words: Sequence[str]) -> str:
    return ", ".join(repr(word.strip()) for word in words[:6])
