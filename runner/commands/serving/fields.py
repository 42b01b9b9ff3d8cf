"""What a row holds that a run's model is asked about: names, types, shapes, categories."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.commands.prediction import as_input, feature_names
from runner.data.parts import input_name
from runner.data.sources.columns import is_plain
from runner.data.sources.reading import KIND, As, Reading
from runner.model.inputs import inputs_of, takes_one, typed

if TYPE_CHECKING:
    import keras

    from runner.components.types import Features
    from runner.sweep.earlier import EarlierRun

    Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Field:
    """One value of a row, or one array of values."""

    name: str
    dtype: str
    """As the model takes it, such as float32."""
    shape: tuple[int | None, ...] = ()
    """Of one row; None: of any length."""
    read_as: As | None = None
    """As what training read it, where it came of a table."""
    missing: tuple[str, ...] = ()
    """Words that training took for nothing."""
    categories: tuple[str | int, ...] = ()
    """What the run's preprocessing tells apart; whatever else is one category more."""

    @property
    def is_text(self) -> bool:
        """Whether its values are text."""
        return self.dtype == "string"

    @property
    def takes(self) -> str:
        """Its values in words: text, number, date or time, whole number, truth value."""
        if self.read_as is not None and self.read_as.family in KIND:
            return KIND[self.read_as.family]
        if self.is_text:
            return "text"
        return "whole number" if self.dtype.startswith(("int", "uint")) else "number"

    @property
    def width(self) -> int:
        """How many numbers a row of it has."""
        return math.prod(size or 1 for size in self.shape)

    @property
    def missing_numbers(self) -> list[float]:
        """The missing words that are numbers."""
        return [float(word) for word in self.missing if is_plain([word])]

    @property
    def plain(self) -> dict[str, Any]:
        """It as JSON takes it."""
        body = {
            "name": self.name,
            "takes": self.takes,
            "dtype": self.dtype,
            "shape": list(self.shape),
            "format": self.read_as.format if self.read_as else None,
            "missing": list(self.missing),
            "categories": list(self.categories),
        }
        return {key: value for key, value in body.items() if value or key == "shape"}


@dataclass(frozen=True)
class Form:
    """The fields of a row, in order, and how a model gets them."""

    fields: tuple[Field, ...]
    reading: Reading
    """How the table was read in training."""
    inputs: Mapping[str, Any]
    """The model's, by name."""

    @property
    def only(self) -> Field | None:
        """The one field, where there is but one."""
        return self.fields[0] if len(self.fields) == 1 else None

    def features(self, columns: Sequence[Array]) -> Features:
        """The columns, one for each field, as the model takes them."""
        if not takes_one(self.inputs):
            inputs = self.inputs.items()
            pairs = zip(inputs, columns, strict=True)
            return {name: as_input(column, one) for (name, one), column in pairs}
        [one] = self.inputs.values()
        table = columns[0] if len(columns) == 1 else np.stack(columns, axis=1)
        return typed(table.reshape(len(table), *_sized(table, one)), one)


def _sized(table: Array, one: Any) -> tuple[int, ...]:
    """The shape of a row that the input takes; what may be of any length, as long as it is."""
    wanted = tuple(one.shape[1:])
    if None in wanted:
        return tuple(int(size) for size in table.shape[1:])
    return wanted


def form_of(kept: EarlierRun, model: keras.Model) -> Form:
    """The form of rows for a run's model."""
    inputs = inputs_of(model)
    reading = Reading.recorded(kept.data.get("reading")) or Reading()
    read_as = reading.of_results.columns
    names, known = feature_names(kept), _categories(model)

    def field(name: str, one: Any, shape: tuple[int | None, ...] = ()) -> Field:
        of_table = read_as.get(name)
        words = reading.missing if of_table is not None else ()
        return Field(name, one.dtype, shape, of_table, words, known.get(one.name, ()))

    if not takes_one(inputs):
        columns = {input_name(column): column for column in (*read_as, *names)}
        return Form(
            tuple(field(columns.get(n, n), one, _shape(one)) for n, one in inputs.items()),
            reading,
            inputs,
        )
    [(name, one)] = inputs.items()
    sizes = tuple(one.shape[1:])
    if None not in sizes and names and len(names) == math.prod(sizes):
        return Form(tuple(field(name, one) for name in names), reading, inputs)
    return Form((field(name, one, _shape(one)),), reading, inputs)


def _shape(one: Any) -> tuple[int | None, ...]:
    """The shape of a row of an input; a single value may have an axis of its own."""
    shape = tuple(one.shape[1:])
    return () if shape == (1,) else shape


def _categories(model: keras.Model) -> dict[str, tuple[str | int, ...]]:
    """Name of an input -> the categories that a lookup behind it knows."""
    import keras

    known = {}
    for layer in model.layers:
        if isinstance(layer, keras.layers.StringLookup | keras.layers.IntegerLookup):
            words = layer.get_vocabulary(include_special_tokens=False)
            tensor = layer.input
            known[tensor.name] = tuple(getattr(word, "item", lambda w=word: w)() for word in words)
    return known
