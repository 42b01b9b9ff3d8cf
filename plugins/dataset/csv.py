"""Rows of a CSV file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge

from runner import (
    AskedTask,
    Data,
    MissingLabel,
    Profile,
    SplitPlan,
    Splits,
    Trained,
    Word,
    Wording,
    dataset,
    find_source,
)

from ._sql.rows import Text
from ._sql.table import read_table
from .sql import Decimal, numbered_files, profile_of, table_of, words_of

WORDING = Wording("dataset.path=")
OF_CSV: dict[str, Any] = {"wording": WORDING, "otherwise": "csv"}


def _identity(
    *, path: Path, query: str | None = None, test: Path | None = None, **_: Any
) -> Sequence[Path] | Mapping[str, Path]:
    if query is None and test is None:
        return find_source(str(path), **OF_CSV).files
    first = numbered_files(str(path), words_of(query), **OF_CSV)
    return first | numbered_files(str(test) if test else None, "test", **OF_CSV)


def _profile(*, path: Path, **params: Any) -> Profile | None:
    """What every column holds, in one scan."""
    return profile_of(params, source=str(path), **OF_CSV)


@dataset(identity=_identity, profile=_profile)
def csv(
    split: SplitPlan,
    trained: Trained | None,
    *,
    path: Path,
    query: str | None = None,
    label: Word | list[Word] | dict[Word, AskedTask],
    features: list[Word] | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    missing: Sequence[Word] = (),
    missing_label: MissingLabel = "refuse",
    decimal: Decimal = ".",
    thousands: str | None = None,
    time_format: str | list[str] | None = None,
    weight: Word | None = None,
    test: Path | None = None,
    task: AskedTask = "auto",
    text: Text = "strings",
    memory_rows: Annotated[int, Ge(0)] = 1_000_000,
    summary: bool = True,
) -> Data | Splits:
    """Rows of a CSV file, or of all that a pattern matches; types are found out.

    query: one SELECT over the table `source`; all of it without one.
    label: one column or several, which are values or labels of one task; {age: auto, kind:
        classification} makes a head of each, with its own task.
    features: the columns to learn from; null: all but the label and what split.by names.
    delimiter: what stands between the columns; null: found out.
    header: whether the first line names the columns; null: found out.
    encoding: such as latin-1 or cp1252; null: UTF-8.
    test: another file, whose rows are the test part.
    missing, missing_label, decimal, thousands, time_format, weight: as of the dataset sql.
    task, text, memory_rows, summary: as of the dataset sql.
    """
    # Every param by its own name.
    table = table_of(locals(), source=str(path), **OF_CSV)
    return read_table(table, split, trained)
