"""A source too large for memory, read by row numbers, as the streams of its parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from runner import DataError, SplitPlan, Splits, Stream, Task

Array = np.ndarray[Any, Any]
Stamps = dict[Path, tuple[int, int]]
PARTS = ("train", "val", "test")
MIB = 2**20
BLOCK_ROWS, BLOCK_BYTES = 65_536, 16 * MIB
"""A block holds no more than either."""
SAMPLE_ROWS, SAMPLE_BYTES = 100_000, 64 * MIB
GLANCE_ROWS = 1_000
"""Rows of the sample of val and of test, which nothing is fitted on."""


@dataclass(frozen=True)
class NumberedRows:
    """Rows that can be read by their numbers."""

    what: str
    """What a sentence calls it, such as "dataset.path=big.bin"."""
    rows: int
    row_bytes: int
    """Bytes that one row takes in memory once it is read."""
    read: Callable[[Array], tuple[Array, Array]]
    """Features and targets of the rows of these ascending numbers."""
    part: Callable[[Array], Array]
    """The part of each of these rows: 0 train, 1 val, 2 test."""
    files: Sequence[Path]
    """What the rows are read from."""

    def only(self, kept: Array) -> NumberedRows:
        """The source with these rows alone, numbered anew."""
        if len(kept) == self.rows:
            return self
        return replace(
            self,
            rows=len(kept),
            read=lambda rows: self.read(kept[rows]),
            part=lambda rows: self.part(kept[rows]),
        )

    @property
    def fits(self) -> float:
        """MiB that all rows take in memory."""
        return self.rows * self.row_bytes / MIB

    @property
    def everything(self) -> tuple[Array, Array]:
        """Features and targets of all rows."""
        return self.read(np.arange(self.rows))


def block_rows(row_bytes: int) -> int:
    """How many rows a block has."""
    return max(1, min(BLOCK_ROWS, BLOCK_BYTES // max(1, row_bytes)))


def blocks(rows: int, row_bytes: int) -> Iterator[Array]:
    """The numbers of the rows of every block, in the source's order."""
    step = block_rows(row_bytes)
    return (np.arange(at, min(at + step, rows)) for at in range(0, rows, step))


def whole(source: NumberedRows, task: Task) -> Splits:
    """The source in its parts, held in memory."""
    part_of = source.part(np.arange(source.rows))
    features, targets = source.everything
    chosen = [part_of == part for part in range(len(PARTS))]
    train, val, test = ((features[rows], targets[rows]) if rows.any() else None for rows in chosen)
    if train is None:
        raise DataError(f"the split of {source.what} leaves no row to train on")
    return Splits(train, val, test, task)


def streams(source: NumberedRows, split: SplitPlan, task: Task) -> Splits:
    """The source in its parts; a byte a row is all that stays in memory."""
    every = [source.part(rows) for rows in blocks(source.rows, source.row_bytes)]
    part_of = np.concatenate(every).astype(np.int8)
    made = []
    for part in range(len(PARTS)):
        count = int((part_of == part).sum())
        made.append(_stream(source, part_of, part, count, split.seed) if count else None)
    return divided(source.what, source.rows, made, split, task)


def divided(
    what: str, rows: int, made: Sequence[Stream | None], split: SplitPlan, task: Task
) -> Splits:
    """The streams of train, val and test; DataError where one that should have rows has none."""
    wanted = (1.0, split.folds or split.val, split.test)
    for name, share, part in zip(PARTS, wanted, made, strict=True):
        if share and part is None:
            raise DataError(
                f"{what} has {rows} rows, and none of them falls into {name}: the shares of the "
                "split hold on average, so take another split.seed or more rows"
            )
    train, val, test = made
    assert train is not None
    return Splits(train, val, test, task)


def part_of_rows(
    split: SplitPlan, given: Array | None, keys: Callable[[Array], Sequence[Array]]
) -> tuple[Callable[[Array], Array], SplitPlan]:
    """The function that gives rows their part, and the split by which what is not given is drawn.

    given: the part of every row where the source says it; its training rows may be drawn for val.
    keys: the content of rows, as `SplitPlan.assign` takes it.
    """
    if given is None:
        return lambda rows: split.assign(*keys(rows)), split
    rest = split.rest(np.bincount(given, minlength=len(PARTS)).tolist())
    if not (rest.val or rest.folds):
        return lambda rows: given[rows], rest
    return lambda rows: np.where(given[rows] == 0, rest.assign(*keys(rows)), given[rows]), rest


def only_by_content(split: SplitPlan, what: str) -> None:
    """Raise DataError where the config asks for a column to divide by, and there is none."""
    if split.column is not None:
        raise DataError(
            f"split.by={split.by} names a column, and {what} has none: take split.by=hash"
        )


def _stream(source: NumberedRows, part_of: Array, part: int, count: int, seed: int) -> Stream:
    """One part's rows as a stream."""
    step = block_rows(source.row_bytes)
    before = stamps(source.files)

    def read(order: np.random.Generator | None) -> Iterator[tuple[Array, Array]]:
        unchanged(before)
        begins = np.arange(0, source.rows, step)
        if order is not None:
            order.shuffle(begins)
        for begin in begins:
            rows = begin + np.flatnonzero(part_of[begin : begin + step] == part)
            if len(rows):
                yield source.read(rows)

    chosen = sample_rows(part, count, source.row_bytes, seed)
    pieces, begin = [], 0
    for rows in blocks(source.rows, source.row_bytes):
        mine = rows[part_of[rows] == part]
        of_block = chosen[(chosen >= begin) & (chosen < begin + len(mine))] - begin
        begin += len(mine)
        if len(of_block):
            pieces.append(source.read(mine[of_block]))
    features, targets = (np.concatenate(both) for both in zip(*pieces, strict=True))
    return Stream(count, (features, targets), read)


def sample_rows(part: int, count: int, row_bytes: int, seed: int) -> Array:
    """Which of so many rows of a part make its sample, ascending, drawn over all of them."""
    limit = min(SAMPLE_ROWS if part == 0 else GLANCE_ROWS, count)
    limit = max(1, min(limit, SAMPLE_BYTES // max(1, row_bytes)))
    random = np.random.Generator(np.random.Philox(key=[seed, part]))
    return np.sort(random.choice(count, limit, replace=False, shuffle=False))


def stamps(files: Sequence[Path]) -> Stamps:
    """Size and time of change of every file."""
    stats = {file: file.stat() for file in files}
    return {file: (stat.st_size, stat.st_mtime_ns) for file, stat in stats.items()}


def unchanged(before: Stamps) -> None:
    """Raise DataError where a file is not what it was: the next epoch would be of other data."""
    for file, stamp in before.items():
        try:
            same = stamps([file])[file] == stamp
        except OSError as error:
            raise DataError(f"{file} is gone since it was first read: {error.strerror}") from None
        if not same:
            raise DataError(f"{file} has changed since it was first read: train anew")
