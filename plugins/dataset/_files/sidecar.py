"""Labels of files: by their names, by their folders, or in a table beside them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from runner import DataError, choices, near_names, one_file

Row = dict[str, str]


def by_pattern(files: Sequence[Path], pattern: str | None) -> list[str]:
    """What the pattern's group finds in each file's name; DataError where it finds nothing."""
    if pattern is None:
        raise DataError(
            "dataset.label=name needs dataset.pattern=: a regular expression with one group, "
            r"such as '_(\w+)\.bin$'"
        )
    try:
        search = re.compile(pattern)
    except re.error as error:
        raise DataError(f"dataset.pattern={pattern} is no regular expression: {error}") from None
    if search.groups != 1:
        raise DataError(
            f"dataset.pattern={pattern} has {search.groups} groups: it must have one, in "
            "parentheses, around the label"
        )
    matches = [search.search(file.name) for file in files]
    for file, match in zip(files, matches, strict=True):
        if match is None or match[1] is None:
            raise DataError(f"dataset.pattern={pattern} finds no label in the name {file.name}")
    return [match[1] for match in matches if match is not None]


def by_table(files: Sequence[Path], table: Path | None) -> dict[str, list[str]]:
    """The columns of a CSV file with a row for each file, `label` and others, in files' order.

    Its column `file` holds paths against the table's folder, or names.
    """
    if table is None:
        raise DataError(
            "dataset.label=csv needs dataset.csv=: a table with the columns file and label"
        )
    path = one_file(table, "a CSV file with the columns file and label", "dataset.csv=")
    have, rows = _read(path)
    for name in ("file", "label"):
        if name not in have:
            raise DataError(f"{path} has no column {name}: {choices(name, have)}")
    known: dict[Path, Row] = {}
    by_name: dict[str, list[Row]] = {}
    for row in rows:
        place = (path.parent / (row["file"] or "")).resolve()
        if known.setdefault(place, row) != row:
            raise DataError(f"{path} has two rows for {row['file']}, which differ")
        by_name.setdefault(place.name, []).append(row)
    by_file = []
    for file in files:
        exact = known.get(file.resolve())
        same = [exact] if exact else by_name.get(file.name, [])
        if not same:
            raise DataError(f"{path} says no label for {file.name}{near_names(file)}")
        row = same[0]
        if any({**other, "file": ""} != {**row, "file": ""} for other in same):
            raise DataError(
                f"{path} has {len(same)} rows for files called {file.name}, and none for {file}: "
                "give paths against the table's folder"
            )
        if None in row.values() or None in row:
            raise DataError(f"{path} has a row for {file.name} that is not {len(have)} cells long")
        by_file.append(row)
    return {name: [row[name] for row in by_file] for name in have if name != "file"}


def _read(table: Path) -> tuple[list[str], list[Row]]:
    """The columns' names and the rows; DataError for what is no such table."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.DictReader(opened)
            rows = [row for row in reader if any(row.values())]
            return list(reader.fieldnames or ()), rows
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"dataset.csv={table} is no table of text, UTF-8: {error}") from None
