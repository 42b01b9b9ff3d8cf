"""Labels of files: by their names, by their folders, or in a table beside them."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from pathlib import Path

from runner import DataError, choices, near_names, one_file


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
    with path.open(encoding="utf-8-sig", newline="") as opened:
        reader = csv.DictReader(opened)
        rows = list(reader)
        have = list(reader.fieldnames or ())
    for name in ("file", "label"):
        if name not in have:
            raise DataError(f"{path} has no column {name}: {choices(name, have)}")
    known = {(path.parent / row["file"]).resolve(): row for row in rows}
    by_name = {Path(row["file"]).name: row for row in rows}
    by_file = []
    for file in files:
        row = known.get(file.resolve()) or by_name.get(file.name)
        if row is None:
            raise DataError(f"{path} says no label for {file.name}{near_names(file)}")
        if None in row.values() or None in row:
            raise DataError(f"{path} has a row for {file.name} that is not {len(have)} cells long")
        by_file.append(row)
    return {name: [row[name] for row in by_file] for name in have if name != "file"}
