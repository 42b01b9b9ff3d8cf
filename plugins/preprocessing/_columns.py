"""Columns: the inputs of a dict of features by name, or those of a table by number."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from runner import DataError, choices, input_name

Array = np.ndarray[Any, Any]
Features = Array | dict[str, Array]
Function = Callable[[Any], Any]
Columns = Sequence[str | int] | None
"""Names of inputs, or numbers of a table's columns, counted from 0; None for what fits."""
WHOLE = "iub"


def is_text(array: Array) -> bool:
    """Whether the values are text."""
    return array.dtype.kind in "OSU"


def is_category(name: str, array: Array, vocabulary: Mapping[str, int]) -> bool:
    """Whether the values are text, or codes."""
    return is_text(array) or (name in vocabulary and array.dtype.kind in "iu")


def is_number(name: str, array: Array, vocabulary: Mapping[str, int]) -> bool:
    """Whether the values are amounts: neither text, nor codes, nor yes or no."""
    return not is_category(name, array, vocabulary) and array.dtype.kind != "b"


def columns_of(features: Features) -> dict[str, Array]:
    """Every column by its name; of a table of shape (rows, columns) by its number."""
    if isinstance(features, dict):
        return features
    if features.ndim == 1:
        return {"0": features}
    return {str(number): features[:, number] for number in range(features.shape[1])}


def chosen_columns(features: Features, columns: Columns, who: str) -> list[str] | None:
    """The names of the columns that were asked for; None where none was.

    Raises DataError for columns that are not there.
    """
    if columns is None:
        return None
    if not isinstance(features, dict) and features.ndim > 2:
        raise DataError(
            f"preprocessing.{who}.columns={list(columns)} needs a table, and the examples have "
            f"shape {features.shape[1:]}: leave it out"
        )
    have = columns_of(features)
    names = [input_name(str(name)) for name in columns]
    for name in names:
        if name not in have:
            raise DataError(
                f"preprocessing.{who}.columns={list(columns)}: there is no column {name}: "
                f"{choices(name, have)}"
            )
    return names


def by_column(features: Features, functions: Mapping[str, Function]) -> Function:
    """A function of a batch that changes some columns, each by a function of its own.

    The columns of a table are put together again in their order, each as wide as it has become.
    """
    if isinstance(features, dict):
        return lambda batch: {
            name: functions[name](tensor) if name in functions else tensor
            for name, tensor in batch.items()
        }

    def change(batch: Any) -> Any:
        made = [
            functions[name](column) if name in functions else column
            for name, column in tensor_columns(batch).items()
        ]
        return side_by_side(made) if len(batch.shape) > 1 else made[0]

    return change


def tensor_columns(batch: Any) -> dict[str, Any]:
    """The columns of a batch, as `columns_of` names them."""
    if isinstance(batch, dict):
        return batch
    if len(batch.shape) == 1:
        return {"0": batch}
    return {str(number): batch[:, number] for number in range(batch.shape[1])}


def computed_in(tensor: Any) -> str:
    """In which type to compute with the numbers: float64 for what float32 would change."""
    return "float64" if tensor.dtype in ("float64", "int64", "uint64") else "float32"


def as_computed(tensor: Any) -> Any:
    """The tensor in the type in which to compute with it."""
    from keras import ops

    wanted = computed_in(tensor)
    return tensor if tensor.dtype == wanted else ops.cast(tensor, wanted)


def side_by_side(tensors: Sequence[Any]) -> Any:
    """Tensors of shape (batch,) or (batch, width) as one of shape (batch, all widths)."""
    from keras import ops

    wide = [ops.expand_dims(x, -1) if len(x.shape) == 1 else x for x in tensors]
    if any("float" in str(x.dtype) for x in wide):
        exact = any(computed_in(x) == "float64" for x in wide)
        wide = [ops.cast(x, "float64" if exact else "float32") for x in wide]
    return wide[0] if len(wide) == 1 else ops.concatenate(wide, axis=-1)


def on_numbers(
    features: Features,
    vocabulary: Mapping[str, int],
    columns: Columns,
    who: str,
    fit: Callable[[Array], Function],
) -> Function:
    """What `fit` makes of an array, for one array whole, for several inputs each of the numbers.

    who: the component, for the sentences. Raises DataError for columns that are no numbers.
    """
    names = chosen_columns(features, columns, who)
    if names is None and not isinstance(features, dict):
        return fit(_numbers("features", features, who))
    arrays = columns_of(features)
    if names is None:
        names = [name for name, array in arrays.items() if is_number(name, array, vocabulary)]
    return by_column(features, {name: fit(_numbers(name, arrays[name], who)) for name in names})


def _numbers(name: str, array: Array, who: str) -> Array:
    if array.dtype.kind not in "fiub":
        raise DataError(
            f"preprocessing.{who}: '{name}' of type {array.dtype} is no numbers to preprocess"
        )
    return array
