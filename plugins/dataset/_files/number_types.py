"""The types of numbers that a binary file may hold."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

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


def number_type(name: Number, order: ByteOrder) -> np.dtype[Any]:
    """NumPy's type for numbers as they stand in a file."""
    return np.dtype(name).newbyteorder("<" if order == "little" else ">")
