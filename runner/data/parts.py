"""Features are one array or several by name; these few functions treat both alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from runner.components.types import Array, Features

ONE = "features"
"""What the one array is called where inputs go by name."""


def input_name(column: str) -> str:
    """What the model's input for a column is called: Keras takes every sign but the slash."""
    return column.replace("/", "\N{DIVISION SLASH}")


def named(features: Features) -> dict[str, Array]:
    """The arrays by name."""
    return features if isinstance(features, dict) else {ONE: features}


def each(features: Features, change: Callable[[str, Array], Array]) -> Features:
    """The features with every array changed; `change` gets its name too."""
    if isinstance(features, dict):
        return {name: change(name, array) for name, array in features.items()}
    return change(ONE, features)


def chosen(features: Features, rows: Array | slice) -> Features:
    """Some of the rows."""
    return each(features, lambda _, array: array[rows])


def joined(pieces: Sequence[Features]) -> Features:
    """The rows of all the pieces, one after the other."""
    if len(pieces) == 1:
        return pieces[0]
    first = pieces[0]
    if isinstance(first, dict):
        return {name: np.concatenate([named(piece)[name] for piece in pieces]) for name in first}
    return np.concatenate([named(piece)[ONE] for piece in pieces])


def is_text(array: Array) -> bool:
    """Whether the values are text, which only preprocessing can make numbers of."""
    return array.dtype.kind in "OSU"


def read_only(array: Array) -> Array:
    """A view of the array that cannot be written to."""
    view = array.view()
    view.flags.writeable = False
    return view
