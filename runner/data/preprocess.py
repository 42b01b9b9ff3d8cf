"""Fit the preprocessing on the training part, apply it to all parts, and keep it as a model."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Splits, Transform
from runner.config.config import Choice
from runner.data.checks import parts
from runner.data.numbers import number_type, warn_of_merged
from runner.data.parts import ONE, chosen, each, is_text, joined, named
from runner.data.stream import example_of, mapped
from runner.errors import DataError

if TYPE_CHECKING:
    import keras

    from runner.components.types import Array, Features

PIECE = 8192
"""Rows that the preprocessing transforms at once."""


def preprocess(splits: Splits, steps: Sequence[Choice]) -> tuple[Splits, keras.Model]:
    """The transformed parts, and one Keras model that transforms a batch in the same way.

    The model gives what a model takes: float32, and int32 where there are codes. Until then
    numbers that float32 would change are float64 or int64.
    """
    import keras

    # Names start anew, so that equal preprocessing is equal as JSON, whatever ran before.
    keras.utils.clear_session(free_memory=False)
    features, targets = example_of(splits.train)
    codes = dict(splits.vocabulary)
    raw = _inputs(features, _raw_types(features, codes), "raw")
    value: Any = raw
    for step in steps:
        features, targets = example_of(splits.train)
        function = step(
            features=features, targets=targets, task=splits.task, vocabulary=dict(codes)
        )
        if isinstance(function, Transform):
            codes |= function.vocabulary
            function = function.function
        before = _inputs(features, _types_of(value))
        one = keras.Model(before, function(before))
        splits = over_parts(splits, functools.partial(_apply, one))
        value = function(value)
    codes = {name: n for name, n in codes.items() if _holds_codes(name, value)}
    warn_of_merged(example_of(splits.train)[0], splits.feature_names, codes)
    splits = over_parts(splits, functools.partial(_narrow, codes))
    value = _each_tensor(value, lambda name, tensor: _cast(tensor, name in codes))
    model = keras.Model(raw, value, name="preprocessing")
    return replace(splits, vocabulary=codes), model


def over_parts(splits: Splits, change: Callable[[Features], Features]) -> Splits:
    """The splits with the features of every part changed."""
    changed: dict[str, Any] = {
        name: mapped(part, lambda features, _: change(features)) for name, part in parts(splits)
    }
    return replace(splits, **changed)


def as_given(features: Features, vocabulary: Mapping[str, int], where: str) -> Features:
    """The features as a model takes them: float32, codes int32; DataError for text."""

    def convert(name: str, array: Array) -> Array:
        if is_text(array):
            raise DataError(
                f"{where} has text in '{name}' that no preprocessing has made numbers of: "
                "add one that encodes it to preprocessing=[...]"
            )
        return np.asarray(array, dtype=np.int32 if name in vocabulary else np.float32)

    return each(features, convert)


def _inputs(features: Features, dtypes: Mapping[str, str], one: str | None = None) -> Any:
    """Keras inputs in the structure of the features and of these types, by their names."""
    import keras

    several = isinstance(features, dict)
    made = {
        name: keras.Input(
            array.shape[1:],
            dtype=dtypes[name],
            name=name if several else one,
        )
        for name, array in named(features).items()
    }
    return made if several else made[ONE]


def _raw_types(features: Features, codes: Mapping[str, int]) -> dict[str, str]:
    """In which type the model takes each input: one that tells its values apart."""
    several = isinstance(features, dict)
    return {
        name: "string"
        if is_text(array)
        else "int64"
        if array.dtype.kind in "iu" and (several or name in codes)
        else number_type(array)
        for name, array in named(features).items()
    }


def _types_of(value: Any) -> dict[str, str]:
    """The types of what a step is given, as the saved model has them."""
    tensors = value if isinstance(value, dict) else {ONE: value}
    return {name: str(tensor.dtype) for name, tensor in tensors.items()}


def _apply(model: keras.Model, features: Features) -> Features:
    """What the model makes of the rows, in pieces; eager, since a trace would cost more."""
    rows = len(next(iter(named(features).values())))
    made = []
    for begin in range(0, rows, PIECE):
        given = model(_tensors(chosen(features, slice(begin, begin + PIECE)), model))
        made.append(_each_tensor(given, lambda _, tensor: _array_of(tensor)))
    return joined(made)


def _array_of(tensor: Any) -> Array:
    """The tensor's values; text, which TensorFlow gives as bytes, as text again."""
    array = np.asarray(tensor)
    return np.char.decode(array.astype(bytes), "utf-8").astype(object) if is_text(array) else array


def _tensors(features: Features, model: keras.Model) -> Any:
    """The rows as tensors of the types that the model takes."""
    from runner.backend.devices import tensor_of

    dtypes = {tensor.name: tensor.dtype for tensor in model.inputs}
    if not isinstance(features, dict):
        return tensor_of(features, model.inputs[0].dtype)
    return {name: tensor_of(array, dtypes[name]) for name, array in features.items()}


def _each_tensor(value: Any, change: Callable[[str, Any], Any]) -> Any:
    if isinstance(value, dict):
        return {name: change(name, tensor) for name, tensor in value.items()}
    return change(ONE, value)


def _holds_codes(name: str, value: Any) -> bool:
    """Whether it is among what comes out in the end, and still integers."""
    tensor = value.get(name) if isinstance(value, dict) else (value if name == ONE else None)
    return tensor is not None and "int" in str(tensor.dtype)


def _narrow(codes: Mapping[str, int], features: Features) -> Features:
    """The numbers as float32; text, which is refused later, and codes stay."""

    def change(name: str, array: Array) -> Array:
        return array if is_text(array) or name in codes else np.asarray(array, np.float32)

    return each(features, change)


def _cast(tensor: Any, codes: bool) -> Any:
    """The tensor in the type that the model takes; text stays, and is refused later."""
    from keras import ops

    wanted = "int32" if codes else "float32"
    return tensor if tensor.dtype in (wanted, "string") else ops.cast(tensor, wanted)
