"""Rows of a CSV file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from runner import Data, Profile, Split, Splits, Wording, dataset, find_source

from ._files.labels import Asked
from ._sql.labels import Labels
from ._sql.profile import profile_of_query
from ._sql.rows import Reader, Text
from .sql import layout_of, names_of, opened, read_rows

KEY = "dataset.path="


def _files(*, path: Path, **_: Any) -> Sequence[Path]:
    return find_source(str(path), wording=Wording(KEY)).files


def _profile(
    *, path: Path, label: str | list[str], delimiter: str | None, summary: bool, **_: Any
) -> Profile | None:
    """What every column holds, in one scan."""
    if not summary:
        return None
    with opened(str(path), None, delimiter, key=KEY) as (database, query):
        return profile_of_query(database, query, names_of(label), None)


@dataset(identity=_files, profile=_profile)
def csv(
    split: Split,
    *,
    path: Path,
    label: str | list[str],
    features: list[str] | None = None,
    delimiter: str | None = None,
    task: Asked = "auto",
    text: Text = "strings",
    memory_rows: Annotated[int, Ge(0)] = 1_000_000,
    summary: bool = True,
) -> Data | Splits:
    """Rows of a CSV file, or of all that a pattern matches; types are found out by DuckDB.

    label: one column or several.
    features: the columns to learn from; null: all but the label and what split.by names.
    delimiter: what stands between the columns; null: found out.
    task, text, memory_rows, summary: as of the dataset sql, which takes a query too.
    """
    with opened(str(path), None, delimiter, keep=True, key=KEY) as (database, query):
        layout = layout_of(query, names_of(label), features, text, split)
        reader = Reader(database, query, layout)
        return read_rows(reader, Labels(layout.labels, task), split, reader.count(), memory_rows)
