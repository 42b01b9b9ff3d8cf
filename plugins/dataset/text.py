"""Texts with labels, from a table or a folder."""

from __future__ import annotations

import codecs
import csv
import json
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from runner import (
    AskedTask,
    Data,
    DataError,
    MissingLabel,
    dataset,
    from_home,
    is_number,
    numbers_or_text,
    one_file,
    targets_of,
)

from ._files.classes import class_files
from ._files.paths import by_name

DELIMITERS = {".csv": ",", ".tsv": "\t", ".tab": "\t", ".txt": "\t"}
JSON_LINES = (".jsonl", ".ndjson")
ENDINGS, TEXTS = (".txt",), "texts"
MARKS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
FIRST = 5
"""Lines that a sentence names."""
LONGEST = 2**31 - 1
"""Characters of a text that csv takes; 131,072, its own limit, are no book."""
WHAT = "a .csv, .tsv or .jsonl file, or a folder of texts"
Row = dict[str, Any]


def _files(*, path: Path, **_: Any) -> list[Path] | dict[str, Path]:
    place = from_home(path)
    if place.is_dir():
        return by_name(class_files(place, ENDINGS, TEXTS).files)
    return [one_file(place, WHAT)]


@dataset(identity=_files)
def text(
    *,
    path: Path,
    text: str = "text",
    label: str = "label",
    columns: Sequence[str] = (),
    delimiter: str | None = None,
    encoding: str | None = None,
    above: float | None = None,
    task: AskedTask = "auto",
    missing_label: MissingLabel = "refuse",
) -> Data:
    """Texts with a label each: a .csv, .tsv or .jsonl file, or a folder of .txt files a class.

    text, label: the columns (of .jsonl, the keys) that hold them. columns: the names of the
    columns where the file's first line does not say them. delimiter: null goes by the suffix; in
    tab-separated files quotes mean nothing. encoding: such as latin-1 or cp1252; null: UTF-8.
    above: makes numbers as labels a binary task, yes where the number is larger. missing_label:
    whether rows without a label are refused or dropped. Of a folder, each folder in it is a class
    and each .txt file below that an example; of train/, test/ and maybe val/ with such folders
    each is that part.

    Features are text, (rows,): preprocessing=[vectorize] makes numbers of it. split.by= takes the
    other columns of a table.
    """
    place = from_home(path)
    part, others, keys = None, {}, None
    if place.is_dir():
        held = class_files(place, ENDINGS, TEXTS)
        labels, part = held.labels, held.part
        texts = [_content(file, encoding) for file in held.files]
        keys = np.array(list(by_name(held.files)), dtype=object)
        where = f"the folders' names in {place}"
    else:
        file = one_file(path, WHAT)
        rows = list(_rows(file, _content(file, encoding), columns, delimiter, text, label))
        if missing_label == "drop":
            rows = [(line, row) for line, row in rows if not _is_blank(row[label])]
        if not rows:
            raise DataError(f"dataset.path={file} has no rows")
        others = _others([row for _, row in rows], (text, label))
        texts = ["" if row[text] is None else str(row[text]) for _, row in rows]
        _refuse_blank(file, label, rows)
        labels = numbers_or_text([_label(row[label]) for _, row in rows])
        keys = np.array([f"line {line}" for line, _ in rows], dtype=object)
        where = f"the column {label} of {file}"
    if above is not None:
        if labels.dtype.kind not in "if":
            odd = next(value for value in labels.tolist() if not is_number(value))
            raise DataError(f"dataset.above={above} needs numbers, and {where} holds {odd!r}")
        labels = (labels > above).astype("int64")
    _tell_of_empty(place, texts)
    targets, kind = targets_of(where, [labels], task)
    return Data(
        np.array(texts, dtype=object), targets[0], kind, columns=others, part=part, keys=keys
    )


def _others(rows: Sequence[Row], used: Sequence[str]) -> dict[str, np.ndarray[Any, Any]]:
    """The columns that every row has beside those used, as numbers or text."""
    names = [name for name in rows[0] if name not in used and all(name in row for row in rows)]
    return {
        name: numbers_or_text(["" if row[name] is None else str(row[name]) for row in rows])
        for name in names
    }


def _tell_of_empty(place: Path, texts: Sequence[str]) -> None:
    """Say how many texts hold nothing, if any; DataError where all of them do."""
    empty = sum(not text.strip() for text in texts)
    if empty == len(texts):
        raise DataError(f"dataset.path={place} holds {empty} texts, and all of them are empty")
    if empty:
        warnings.warn(f"{place}: {empty} of {len(texts)} texts are empty", stacklevel=3)


def _content(file: Path, encoding: str | None) -> str:
    """The file as text; DataError where it is not of the encoding."""
    content = file.read_bytes()
    # Either may begin with a mark that is no text.
    of_file = "utf-16" if content[:2] in MARKS else "utf-8-sig"
    try:
        text = content.decode(encoding or of_file).removeprefix("\ufeff")
        return text.replace("\r\n", "\n").replace("\r", "\n")
    except LookupError:
        raise DataError(
            f"dataset.encoding={encoding} is no encoding: give utf-8, latin-1, cp1252 or another"
        ) from None
    except UnicodeDecodeError as error:
        kind = encoding or of_file.removesuffix("-sig").upper()
        raise DataError(
            f"{file} is not {kind} text: byte {error.start} is not; dataset.encoding= says what "
            "it is, such as latin-1 or cp1252"
        ) from None


def _rows(
    file: Path, content: str, columns: Sequence[str], delimiter: str | None, text: str, label: str
) -> Iterator[tuple[int, Row]]:
    """The rows by their line numbers; DataError where one lacks the text or the label."""
    lines = content.split("\n")
    if file.suffix.lower() in JSON_LINES:
        rows = _json_rows(file, lines)
    else:
        rows = _table_rows(file, lines, columns, delimiter)
    for line, row in rows:
        for key, name in (("text", text), ("label", label)):
            if name not in row:
                have = ", ".join(str(column) for column in row if column is not None)
                raise DataError(
                    f"dataset.{key}={name} is no column of {file} (line {line}), which has {have}"
                    + ("" if columns else "; dataset.columns= names them where line 1 does not")
                )
        yield line, row


def _json_rows(file: Path, lines: Sequence[str]) -> Iterator[tuple[int, Row]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if not isinstance(row, dict):
            raise DataError(f"{file} is no JSON object in line {number}: {line[:60]!r}")
        yield number, row


def _table_rows(
    file: Path, lines: Sequence[str], columns: Sequence[str], delimiter: str | None
) -> Iterator[tuple[int, Row]]:
    suffix = file.suffix.lower()
    between = delimiter or DELIMITERS.get(suffix)
    if between is None or len(between) != 1:
        raise DataError(
            f"dataset.path={file} has the suffix '{suffix}', which does not tell its delimiter: "
            "give dataset.delimiter= (one character), or a .csv, .tsv or .jsonl file"
        )
    csv.field_size_limit(LONGEST)
    quoting: Any = csv.QUOTE_NONE if between == "\t" else csv.QUOTE_MINIMAL
    whole = (line.removesuffix("\r") + "\n" for line in lines)
    reader = csv.reader(whole, delimiter=between, quoting=quoting)
    names = list(columns)
    try:
        for cells in reader:
            if not cells:
                continue
            if not names:
                names = cells
                if len(set(names)) < len(names):
                    twice = next(name for name in names if names.count(name) > 1)
                    raise DataError(f"{file} has two columns called '{twice}': rename one")
                continue
            if len(cells) != len(names):
                raise DataError(
                    f"{file} has {len(cells)} cells in line {reader.line_num}, and its columns "
                    f"are {len(names)}: {', '.join(names)}"
                )
            yield reader.line_num, dict(zip(names, cells, strict=True))
    except csv.Error as error:
        raise DataError(f"{file} is no such table in line {reader.line_num}: {error}") from None


def _is_blank(value: Any) -> bool:
    return value is None or (isinstance(value, str) and not value.strip())


def _refuse_blank(file: Path, column: str, rows: Sequence[tuple[int, Row]]) -> None:
    """Raise DataError where rows have no label, with their number and the first lines."""
    blank = [line for line, row in rows if _is_blank(row[column])]
    if not blank:
        return
    listed = ", ".join(map(str, blank[:FIRST])) + (", …" if len(blank) > FIRST else "")
    place = (
        f"line {listed}"
        if len(blank) == 1
        else f"{len(blank)} of {len(rows)} rows (lines {listed})"
    )
    raise DataError(
        f"{file} has no {column} in {place}: give such rows one, or leave them out with "
        "dataset.missing_label=drop"
    )


def _label(value: Any) -> str:
    """A label as text; truth values of JSON are 0 and 1."""
    return str(int(value)) if isinstance(value, bool) else str(value)
