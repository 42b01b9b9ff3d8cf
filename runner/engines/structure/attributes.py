"""The attributes of Keras' objects that bear on what they compute, and those that only keep books.

Nothing here knows a name of a third party's layer: flags, words and configs are taken from
whatever has them.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np

from runner.components.types import WholeNumber

UNTOLD = ("name", "_name", "_path", "_parent_path", "_self_", "_saved_model_", "_called")
"""Beginnings of the names of plain attributes that do not bear on what is computed."""


_strangers = itertools.count()


def unknown(value: Any) -> tuple[str, str, int]:
    """A description of a thing of which nothing is known, so that nothing equals it.

    No `id`: a later thing may have the same.
    """
    return ("unknown", type(value).__qualname__, next(_strangers))


def is_graph(model: Any) -> bool:
    """Whether the model is a graph of layers, be it of a subclass."""
    import keras

    functional = any(kind.__name__ == "Functional" for kind in type(model).__mro__)
    return isinstance(model, keras.Sequential) or functional


def wires_of(model: Any) -> Any:
    """The connections between the layers of a graph, as the model's config has them."""
    try:
        config = model.get_config()
    except Exception:
        return unknown(model)  # a layer cannot say what it was made of
    layers = [
        (layer.get("class_name"), layer.get("name"), repr(layer.get("inbound_nodes")))
        for layer in config.get("layers", [])
    ]
    return (layers, repr((config.get("input_layers"), config.get("output_layers"))))


def config_of(value: Any) -> Any:
    """The config of a layer or an operation without its numbers; None where it has none.

    It says in one more way what is computed: an attribute that is overlooked shows here.
    """
    import keras

    # A model's is that of its layers, each of which is walked.
    if isinstance(value, keras.Model) or not isinstance(value, keras.Operation):
        return None
    try:
        return _blanked({k: v for k, v in value.get_config().items() if k != "name"})
    except Exception:
        return None  # its author has not said; its attributes are walked all the same


def _blanked(value: Any) -> Any:
    """A config without its numbers, and without what initializers are made of."""
    if isinstance(value, WholeNumber | float | np.floating):
        return "number"
    if isinstance(value, Mapping):
        if str(value.get("module", "")).endswith("initializers"):
            return value.get("class_name")
        return [(str(key), _blanked(item)) for key, item in value.items()]
    if isinstance(value, list | tuple):
        return [_blanked(item) for item in value]
    plain = value is None or isinstance(value, bool | int | str | bytes)
    return repr(value) if plain else type(value).__qualname__


def flags_of(value: Any) -> list[tuple[str, str]]:
    """The attributes that are flags or words."""
    return [
        (name, repr(item))
        for name, item in sorted(vars(value).items())
        if isinstance(item, bool | str | None) and not name.startswith(UNTOLD)
    ]


def telling(value: Any) -> list[str]:
    """The names of the attributes that may bear on what an object computes.

    Of what Keras keeps books by, these are flags, words, and what an author gave.
    """
    import keras

    given = (
        keras.regularizers.Regularizer,
        keras.constraints.Constraint,
        keras.DTypePolicy,
        keras.optimizers.schedules.LearningRateSchedule,
    )
    books: frozenset[str] = next(
        (names for kind, names in _books_of() if isinstance(value, kind)), frozenset()
    )
    flags = {name for name, _ in flags_of(value)}
    return [
        name
        for name, item in vars(value).items()
        if not name.startswith("_self_")
        and (
            name not in books
            or name in flags
            or isinstance(item, given)
            # A function of no arguments may stand for an optimizer's rate.
            or (name == "_learning_rate" and inspect.isroutine(item))
        )
    ]


@functools.cache
def _books_of() -> tuple[tuple[type, frozenset[str]], ...]:
    """For each kind of Keras' objects, the attributes by which Keras keeps its books.

    They hold for objects of that kind alone: an attribute `loss` of a model is one, of a loss that
    wraps another it says what is computed.
    """
    import keras

    # Named, so that no count of names moves on: it would show in the names of later models.
    inputs = keras.Input((1,), name="books_in")
    plain = keras.Model(inputs, keras.layers.Dense(1, name="books_out")(inputs), name="books")
    plain.compile(keras.optimizers.SGD(name="books"), "mse")
    layer, model = keras.layers.Layer(name="books"), keras.Model(name="books")
    sequential = keras.Sequential(name="books")
    metric, operation = keras.metrics.Metric(name="books"), keras.Operation(name="books")
    optimizer = {name for name in vars(plain.optimizer) if name.startswith("_")}
    return (
        (keras.Model, frozenset({*vars(plain), *vars(model), *vars(sequential)})),
        (keras.Layer, frozenset(vars(layer)) - {"activity_regularizer"}),
        (keras.Metric, frozenset(vars(metric))),
        (keras.Optimizer, frozenset({*optimizer, "name"})),
        (keras.Loss, frozenset({"name"})),  # which counts up with every one that is made
        (keras.Operation, frozenset(vars(operation))),
    )
