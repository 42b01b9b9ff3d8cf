"""The members' values side by side: one stacked tensor a variable, one row a member."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.engines.arrays import MemberValues

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


class Stack:
    """Stacked tensors that can be read and written row by row between two calls of a program."""

    def __init__(self, examples: Sequence[Array], members: int) -> None:
        """examples: one member's values; all rows begin with them."""
        self._tensors: list[MemberValues] = [None] * len(examples)
        self._written = {
            i: np.repeat(np.asarray(value)[None], members, axis=0)
            for i, value in enumerate(examples)
        }
        self._read: dict[int, Array] = {}

    def read(self, variable: int, member: int) -> Array:
        """A copy of one member's value."""
        return np.array(self._rows(variable)[member])

    def write(self, variable: int, member: int, value: Any) -> None:
        """Give one member another value."""
        rows = self._rows(variable)
        if variable not in self._written:
            rows = self._written[variable] = rows.copy()
        rows[member] = value

    def fill(self, variable: int, value: Any) -> None:
        """Give all members the same value."""
        rows = self._rows(variable)
        self._written[variable] = np.broadcast_to(value, rows.shape).astype(rows.dtype)

    def tensors(self) -> list[MemberValues]:
        """The stacked tensors as a program takes them, with everything that was written."""
        import tensorflow as tf

        for variable, rows in self._written.items():
            self._tensors[variable] = tf.constant(rows)
            self._read.pop(variable, None)
        self._written.clear()
        return self._tensors

    def replace(self, tensors: Sequence[MemberValues]) -> None:
        """Take the tensors that a program gave back."""
        self._written.clear()
        self._read.clear()
        self._tensors = list(tensors)

    def _rows(self, variable: int) -> Array:
        if variable in self._written:
            return self._written[variable]
        if variable not in self._read:
            self._read[variable] = self._tensors[variable].numpy()
        return self._read[variable]
