"""Fit the preprocessing on the training part, apply it to all parts, and keep it as a model."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.faults import in_words
from runner.components.types import Splits, Task, Transform
from runner.config.config import Choice
from runner.data.checks import parts
from runner.data.heads import targets_by_head
from runner.data.numbers import number_type, warn_of_merged
from runner.data.parts import ONE, chosen, each, is_text, joined, named, read_only
from runner.data.stream import example_of, mapped
from runner.errors import DataError, PluginError, choices

if TYPE_CHECKING:
    import keras

    from runner.components.registry import Component
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
    spoiler: str | None = None
    """The first step that made NaN where there was none."""
    for step in steps:
        features, targets = example_of(splits.train)
        made = _fitted(step, features, targets, splits.task, codes)
        function = made.function
        before = _inputs(features, _types_of(value))
        after = function(before)
        check_transformed(step.component, after, made.vocabulary)
        codes |= made.vocabulary
        one = keras.Model(before, after)
        splits = over_parts(splits, functools.partial(_apply, one, step.component.place))
        if spoiler is None and _has_nan(example_of(splits.train)[0]) > _has_nan(features):
            spoiler = step.component.place
        value = function(value)
    if spoiler is not None and _has_nan(example_of(splits.train)[0]):
        raise DataError(
            f"{spoiler} makes NaN of values that were numbers, missing values (NaN) that nothing "
            "imputes: let it give numbers, or add impute after it"
        )
    codes = {name: n for name, n in codes.items() if _holds_codes(name, value)}
    warn_of_merged(example_of(splits.train)[0], splits.feature_names, codes)
    splits = over_parts(splits, functools.partial(_narrow, codes))
    value = _each_tensor(value, lambda name, tensor: _cast(tensor, name in codes))
    model = keras.Model(raw, value, name="preprocessing")
    return replace(splits, vocabulary=codes), model


def _fitted(
    step: Choice, features: Features, targets: Array, task: Task, codes: Mapping[str, int]
) -> Transform:
    """What a preprocessing makes of the training split, which it may look at and not change."""
    wanted = "a function of a batch of features, or Transform(function, vocabulary)"
    try:
        made = step(
            features=each(features, lambda _, array: read_only(array)),
            targets=_targets(targets, task),
            task=task,
            vocabulary=dict(codes),
        )
    except ValueError as error:
        if "read-only" not in str(error):
            raise
        raise PluginError(
            f"{step.component.place} changes the arrays that it is given, which are read-only "
            f"({error}): let it change a copy, features.copy()"
        ) from error
    transform = made if isinstance(made, Transform) else Transform(made, {})
    if not callable(transform.function) or isinstance(transform.function, type):
        raise step.component.returned(transform.function, wanted)
    check_takes_batch(step.component, transform.function)
    return transform


def _targets(targets: Array, task: Task) -> Any:
    """The targets as the dataset has them: of several heads by name."""
    if task.heads:
        by_head = targets_by_head(task, targets)
        return {name: read_only(array) for name, array in by_head.items()}
    return read_only(targets)


def check_takes_batch(component: Component, function: Any) -> None:
    """Raise PluginError where a function cannot be called with one argument."""
    try:
        inspect.signature(function).bind(None)
    except ValueError:
        return  # nobody knows
    except TypeError:
        takes = ", ".join(inspect.signature(function).parameters)
        raise PluginError(
            f"{component.place} returned a function of ({takes}); it takes one argument, a batch "
            "of features"
        ) from None


def check_transformed(component: Component, after: Any, codes: Mapping[str, int]) -> None:
    """Raise PluginError where a function does not give tensors that have a row for each row.

    after: what it gave for symbolic tensors.
    """
    import keras

    tensors = after if isinstance(after, dict) else {ONE: after}
    for name, tensor in tensors.items():
        which = f" as '{name}'" if isinstance(after, dict) else ""
        if not isinstance(tensor, keras.KerasTensor):
            raise PluginError(
                f"{component.place} gives {in_words(tensor)}{which}, not a tensor or a dict of "
                "tensors by name, computed from the batch by keras.ops or layers"
            )
        if not tensor.shape or tensor.shape[0] is not None:
            raise PluginError(
                f"{component.place} lost the batch axis{which}: it gives shape "
                f"{tuple(tensor.shape)} for a batch of any number of rows"
            )
    for name in codes:
        if name not in tensors:
            raise PluginError(
                f"{component.place} has a vocabulary for no input that it gives: "
                f"{choices(name, tensors)}"
            )


def _has_nan(features: Features) -> bool:
    arrays = named(features).values()
    return any(bool(np.isnan(array).any()) for array in arrays if array.dtype.kind == "f")


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


def _apply(model: keras.Model, where: str, features: Features) -> Features:
    """What the model makes of the rows, in pieces; eager, since a trace would cost more.

    where: the preprocessing, for a sentence.
    """
    rows = len(next(iter(named(features).values())))
    made = []
    for begin in range(0, rows, PIECE):
        given = model(_tensors(chosen(features, slice(begin, begin + PIECE)), model))
        made.append(_each_tensor(given, lambda _, tensor: _array_of(tensor)))
    whole = joined(made)
    for array in named(whole).values():
        if len(array) != rows:
            raise PluginError(
                f"{where} gives {len(array)} rows for {rows}: it may drop or add none"
            )
    return whole


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
