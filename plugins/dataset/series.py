"""One long time series, cut into windows."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from runner import DataError, Split, Splits, Task, choices, dataset, one_file

from ._files.blocks import PARTS, NumberedRows, streams, whole

Array = np.ndarray[Any, Any]
WHAT = "a .csv or .npy file with a row for each step"
Count = Annotated[int, Ge(1)]
UNUSED = -1


def _files(*, path: Path, **_: Any) -> list[Path]:
    return [one_file(path, WHAT)]


@dataset(identity=_files)
def series(
    split: Split,
    *,
    path: Path,
    target: str | int = 0,
    columns: Sequence[str | int] = (),
    time: str | None = None,
    window: Count = 24,
    horizon: Count = 1,
    stride: Count = 1,
    memory: Annotated[int, Ge(0)] = 1024,
) -> Splits:
    """A .csv or .npy file of a time series, a row a step: from a window of steps to the next ones.

    Features are `window` steps of `columns` (none named: of all that are numbers), targets the
    `horizon` values of the column `target` after them; an example begins every `stride` steps.
    Columns go by name or number. time: a column of a .csv file to sort the rows by.

    The split is by time: the latest steps are test, those before them val. A window that would
    reach over a border, target and all, is left out, so that no part sees a step of another.
    With split.folds, fold i validates on the step after those that it trains on. memory: MiB of
    features up to which the windows are held in memory; beyond that they are cut when read.
    """
    if split.by not in (None, f"time:{time}"):
        raise DataError(
            f"split.by={split.by} would put overlapping windows into different parts: "
            "dataset=series divides by time, so leave split.by out"
        )
    file = one_file(path, WHAT)
    table = _array(file) if file.suffix.lower() == ".npy" else _table(file, time)
    goal = table.number(target, "target")
    chosen = [table.number(column, "columns") for column in columns] or table.numeric
    values = table.values(sorted({*chosen, goal}))
    order = {column: i for i, column in enumerate(sorted({*chosen, goal}))}
    inputs = values[:, [order[column] for column in chosen]]
    goals = values[:, order[goal]]
    reach = window + horizon
    if len(values) < reach:
        raise DataError(
            f"dataset.window={window} and horizon={horizon} need {reach} steps, and {file} has "
            f"{len(values)}"
        )
    starts = np.arange(0, len(values) - reach + 1, stride)
    part_of = _parts(split, len(values), starts, reach)
    starts, part_of = starts[part_of != UNUSED], part_of[part_of != UNUSED]
    _check(split, part_of, reach, len(values))

    def read(rows: Array) -> tuple[Array, Array]:
        at = starts[rows][:, None]
        return inputs[at + np.arange(window)], goals[at + window + np.arange(horizon)]

    source = NumberedRows(
        what=f"dataset.path={file}",
        rows=len(starts),
        row_bytes=4 * (window * len(chosen) + horizon),
        read=read,
        part=lambda rows: part_of[rows],
        files=[file],
    )
    task = Task.regression(horizon)
    return whole(source, task) if source.fits <= memory else streams(source, split, task)


def _parts(split: Split, steps: int, starts: Array, reach: int) -> Array:
    """The part of every window by the steps that it reaches; UNUSED where they are of two."""
    test = steps - round(steps * split.test)
    if split.folds is None:
        val = test - round(steps * split.val)
        borders, parts = [0, val, test, steps], [0, 1, 2]
    else:
        # Folds go forward: each validates on a piece, and trains on all that was before.
        train = round(test * (split.fold + 1) / (split.folds + 1))
        val = round(test * (split.fold + 2) / (split.folds + 1))
        borders, parts = [0, train, val, test, steps], [0, 1, UNUSED, 2]
    part_of = np.full(len(starts), UNUSED)
    for (begin, end), part in zip(pairwise(borders), parts, strict=True):
        part_of[(starts >= begin) & (starts + reach <= end)] = part
    return part_of


def _check(split: Split, part_of: Array, reach: int, steps: int) -> None:
    """Raise DataError where a part that should have windows has none."""
    shares = (1.0, float(split.folds or split.val), split.test)
    for part, (name, share) in enumerate(zip(PARTS, shares, strict=True)):
        if share and not (part_of == part).any():
            raise DataError(
                f"no window of {reach} steps (dataset.window and horizon together) fits into "
                f"{name}, which is a part of {steps} steps: take a shorter one, or a larger "
                f"split.{name}"
            )


@dataclass(frozen=True)
class Table:
    """The columns of a file, by name where there are names."""

    file: Path
    names: Sequence[str]
    cells: Array
    """Numbers (steps, columns), or text that is not read yet."""
    numeric: Sequence[int]
    """The columns that hold numbers in the first row."""

    def number(self, column: str | int, key: str) -> int:
        """Which column that is; DataError where there is none such."""
        if isinstance(column, str) and column in self.names:
            return list(self.names).index(column)
        if str(column).isdecimal() and int(column) < self.cells.shape[1]:
            return int(column)
        have = ", ".join(self.names) or f"the numbers 0 to {self.cells.shape[1] - 1}"
        raise DataError(f"dataset.{key}={column} is no column of {self.file}: there are {have}")

    def values(self, columns: Sequence[int]) -> Array:
        """These columns as float32, (steps, columns); DataError for what is no number."""
        if self.cells.dtype.kind in "fiub":
            numbers = np.asarray(self.cells[:, columns], "float32")
        else:
            numbers = np.stack([self._numbers(column) for column in columns], axis=1)
        if np.isinf(numbers).any() or np.isnan(numbers).any():
            step, column = np.argwhere(~np.isfinite(numbers))[0]
            name = self.names[columns[column]] if self.names else columns[column]
            raise DataError(
                f"{self.file} has no finite number in the column {name} at step {step}: fill the "
                "gaps first, or leave the column out by dataset.columns="
            )
        return numbers

    def _numbers(self, column: int) -> Array:
        texts = self.cells[:, column]
        try:
            return np.where(texts == "", "nan", texts).astype("float32")
        except ValueError:
            step = next(i for i, text in enumerate(texts) if not _is_number(text))
            raise DataError(
                f"{self.file} has {str(texts[step])!r} in the column {self.names[column]} at step "
                f"{step}, which is no number"
            ) from None


def _array(file: Path) -> Table:
    """A .npy file of shape (steps,) or (steps, columns)."""
    try:
        values = np.load(file, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        raise DataError(f"dataset.path={file} is not a .npy file, or is cut off") from None
    if values.ndim not in (1, 2) or values.dtype.kind not in "fiub":
        raise DataError(
            f"dataset.path={file} has shape {values.shape} and type {values.dtype}: a series is "
            "of numbers, (steps,) or (steps, columns)"
        )
    values = values.reshape(len(values), -1)
    return Table(file, (), values, range(values.shape[1]))


def _table(file: Path, time: str | None) -> Table:
    """A .csv file whose first line names the columns, its rows in the order of time."""
    rows = list(_lines(file))
    if len(rows) < 2:
        raise DataError(f"dataset.path={file} has no rows below its first line")
    names, cells = rows[0], np.array(rows[1:])
    if time is not None:
        if time not in names:
            raise DataError(f"dataset.time={time} is no column of {file}: {choices(time, names)}")
        key = cells[:, names.index(time)]
        if all(_is_number(text) for text in key):
            key = key.astype("float64")
        cells = cells[np.argsort(key, kind="stable")]
    numeric = [i for i, text in enumerate(cells[0]) if _is_number(text) and names[i] != time]
    if not numeric:
        raise DataError(f"dataset.path={file} has no column of numbers in its first row")
    return Table(file, names, cells, numeric)


def _lines(file: Path) -> Iterator[list[str]]:
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            reader = csv.reader(opened)
            width = 0
            for cells in reader:
                if cells and (width or len(cells)) != len(cells):
                    raise DataError(
                        f"{file} has {len(cells)} cells in line {reader.line_num}, and {width} "
                        "columns"
                    )
                if cells:
                    width = len(cells)
                    yield cells
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"dataset.path={file} is no .csv table: {error}") from None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return text == ""
    return True
