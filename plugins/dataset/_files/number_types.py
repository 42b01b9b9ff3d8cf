"""The types of numbers that a binary file may hold."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from runner import DataError

Number = Literal[
    "uint8",
    "int8",
    "uint16",
    "int16",
    "uint32",
    "int32",
    "uint64",
    "int64",
    "float16",
    "float32",
    "float64",
]
ByteOrder = Literal["little", "big"]
LARGEST = 2**31
"""NumPy knows no type of as many bytes."""


def number_type(name: Number, order: ByteOrder) -> np.dtype[Any]:
    """NumPy's type for numbers as they stand in a file."""
    return np.dtype(name).newbyteorder("<" if order == "little" else ">")


def numbers_type(key: str, name: Number, order: ByteOrder, shape: Sequence[int]) -> np.dtype[Any]:
    """That for so many of them side by side; DataError, which names the key, for too many."""
    number = number_type(name, order)
    if (size := math.prod(shape) * number.itemsize) >= LARGEST:
        raise DataError(
            f"dataset.{key} is too large: it takes {size} bytes of each example, and a file's "
            f"examples have fewer than {LARGEST}"
        )
    return np.dtype((number, tuple(shape)))
