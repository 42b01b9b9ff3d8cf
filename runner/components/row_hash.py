"""The part of every row by its own content: the same on every machine, for ever."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from runner.components.types import Array, SplitPlan

TRAIN, VAL, TEST, UNUSED = 0, 1, 2, 3


def by_hash(split: SplitPlan, *keys: Array) -> Array:
    """The part of every row by a hash of its keys and `split.seed`: int8; `SplitPlan.assign`."""
    # 53 bits are what a float holds exactly: a number from 0 up to 1.
    place = (row_hashes(split.seed, *keys) >> np.uint64(11)) * 2.0**-53
    part = np.full(len(place), TRAIN, dtype=np.int8)
    if split.folds is None:
        part[place < split.test + split.val] = VAL
    else:
        fold = (place - split.test) / (1 - split.test) * split.folds
        part[np.floor(fold) == split.fold] = VAL
    part[place < split.test] = TEST
    return part


def row_hashes(seed: int, *keys: Array) -> Array:
    """A hash of every row's keys: uint64, fixed for ever, whatever the machine.

    1, 1.0 and True are one value, and so are -0.0 and 0.0, all NaN, and equal text in str and
    bytes. The mixing function is that of SplitMix64 (Steele, Lea and Flood 2014).
    """
    hashes = np.full(len(keys[0]), seed, dtype=np.uint64)
    for key in keys:
        for word in _words(np.asarray(key).reshape(len(key), -1)).T:
            hashes = _mixed((hashes + np.uint64(0x9E3779B97F4A7C15)) ^ word)
    return hashes


def _mixed(z: Array) -> Array:
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return z


def _words(values: Array) -> Array:
    """The values as uint64, equal where the values are."""
    kind = values.dtype.kind
    if kind in "mM":
        unit = "datetime64[us]" if kind == "M" else "timedelta64[us]"
        return values.astype(unit).view(np.uint64)
    if kind in "biuf":
        numbers = values.astype(np.float64) + 0.0  # no -0.0
        numbers[np.isnan(numbers)] = np.nan
        words = numbers.view(np.uint64)
        if kind in "iu" and values.dtype.itemsize == 8:
            large = np.abs(numbers) >= 2.0**53  # a float would make neighbours equal
            words[large] = values[large].astype(np.uint64)
        return words
    texts = values.reshape(-1).tolist()
    known = {text: _text_word(text) for text in set(texts)}
    words = np.fromiter((known[text] for text in texts), np.uint64, len(texts))
    return words.reshape(values.shape)


def _text_word(text: Any) -> int:
    said = text if isinstance(text, bytes) else str(text).encode()
    return int.from_bytes(hashlib.blake2b(said, digest_size=8).digest(), "little")
