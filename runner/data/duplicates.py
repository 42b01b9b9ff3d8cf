"""Examples that stand in several parts, so that a score says less than it seems to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from runner.components.types import Data, Splits, Stream
from runner.data.checks import PARTS
from runner.data.parts import named
from runner.data.splitting import divide

if TYPE_CHECKING:
    from runner.components.types import Array, Features, SplitPlan

CHUNK_BYTES = 2**18
"""What is hashed at once, so that it stays in the processor's cache."""
ODD = np.uint64(0x9E3779B97F4A7C15)
FEW = 0.5
"""With a smaller share of different rows, equal ones are the nature of the data."""


def complaint(data: Data | Splits, split: SplitPlan) -> str | None:
    """The line that says how many rows of val and test are in train, too, equal in all features.

    None where there are none, and for data in streams.
    """
    hashes = _by_part(data, split)
    if hashes is None:
        return None
    train = np.unique(hashes[0])
    shares = []
    for name, part in zip(PARTS[1:], hashes[1:], strict=True):
        if copies := int(np.isin(part, train).sum()):
            shares.append(f"{copies} of {len(part)} rows of {name}")
    if not shares:
        return None
    rows, distinct = sum(map(len, hashes)), len(np.unique(np.concatenate(hashes)))
    fact = f"data: {' and '.join(shares)} are in train, too, equal in every feature"
    if distinct < FEW * rows:
        return f"{fact} (all {rows} rows hold {distinct} different ones)"
    drawn = isinstance(data, Data) and data.part is None and split.by is None
    mend = "split.by=hash keeps them in one part" if drawn else "take them out of one part"
    return f"{fact}; if they are copies, {mend}"


def _by_part(data: Data | Splits, split: SplitPlan) -> list[Array] | None:
    """A hash of each row of train, val and test; None where they cannot be held in memory."""
    if isinstance(data, Data):
        hashes = _hashes(data.features, len(data.targets))
        return [hashes[rows] for rows in divide(data, split)]
    by_part = []
    for part in (data.train, data.val, data.test):
        if isinstance(part, Stream):
            return None
        by_part.append(np.zeros(0, np.uint64) if part is None else _hashes(part[0], len(part[1])))
    return by_part


def _hashes(features: Features, rows: int) -> Array:
    """A hash of every row, uint64: equal in this process for rows that are equal, bit by bit."""
    random = np.random.Generator(np.random.Philox(key=[0, 0]))
    hashes = np.zeros(rows, np.uint64)
    for array in named(features).values():
        by_row = np.asarray(array).reshape(rows, -1)
        if by_row.dtype == object:
            values = by_row.ravel().tolist()
            by_row = np.fromiter(map(hash, values), np.int64, len(values)).reshape(by_row.shape)
        hashes = _mixed(hashes) + _hashes_of_bits(by_row, random)
    return hashes


def _hashes_of_bits(by_row: Array, random: np.random.Generator) -> Array:
    """A sum of the row's words, each times a number drawn for its place: uint64, (rows,)."""
    size = by_row.shape[1] * by_row.itemsize
    word = next(width for width in (8, 4, 2, 1) if size % width == 0)
    factors = random.integers(0, 2**64, size // word, np.uint64, endpoint=False)
    hashes = np.empty(len(by_row), np.uint64)
    step = max(1, CHUNK_BYTES // max(1, size))
    for first in range(0, len(by_row), step):
        chunk = np.ascontiguousarray(by_row[first : first + step])
        words = chunk.view(f"u{word}").astype(np.uint64, copy=False)
        hashes[first : first + step] = _mixed(words) @ factors
    return hashes


def _mixed(words: Array) -> Array:
    """The words with what only their high bits hold in their low ones: sums lose the former."""
    mixed = words * ODD
    mixed ^= mixed >> np.uint64(32)
    return np.asarray(mixed)
