"""The form of what goes into a model, one array or a dict by name, and of what comes out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Input
from runner.data.parts import ONE
from runner.data.prepare import Prepared

if TYPE_CHECKING:
    import keras

    Array = np.ndarray[Any, Any]


def like_data(data: Prepared, make: Callable[[str, Input], Any]) -> Any:
    """Make something for each input of the data, in the structure in which a model gets them."""
    made = {name: make(name, one) for name, one in data.inputs.items()}
    return made if data.several else next(iter(made.values()))


def keras_inputs(data: Prepared, one: str | None = None) -> Any:
    """Keras inputs in the structure of the data.

    one: the name of the only one, where the data are one array.
    """
    import keras

    def made(name: str, given: Input) -> Any:
        name_in_model = name if data.several else one
        return keras.Input(given.shape, dtype=given.dtype, name=name_in_model)

    return like_data(data, made)


def as_authored(model: keras.Model) -> Any:
    """The inputs of a graph of layers in the structure that its author gave them."""
    import keras

    return model.inputs[0] if isinstance(model, keras.Sequential) else model.input


def made_by(model: keras.Model) -> Any:
    """The outputs of a graph of layers: one, or several in the structure that they have."""
    alone = len(model.outputs) == 1 and not isinstance(model.output, dict)
    return model.outputs[0] if alone else model.output


def ends_in_activation(model: keras.Model) -> bool:
    """Whether its last layer is no linear one, so that nothing is to be put on top of it."""
    import keras

    last = model.layers[-1] if model.layers else None
    if isinstance(last, keras.Model):
        return ends_in_activation(last)
    if isinstance(last, keras.layers.Softmax | keras.layers.Rescaling):
        return True
    linear = (None, keras.activations.linear)
    return getattr(last, "activation", None) not in linear


def is_graph(model: keras.Model) -> bool:
    """Whether the model is a graph of layers rather than a subclass with code of its own."""
    try:
        return bool(model.outputs)
    except AttributeError:
        return False


def as_graph(model: keras.Model, data: Prepared) -> keras.Model:
    """The model as a graph of layers, which knows its inputs; one that is none is its layer."""
    import keras

    if is_graph(model):
        return model
    inputs = keras_inputs(data, one=ONE)
    return keras.Model(inputs, model(inputs))


def inputs_of(model: keras.Model) -> dict[str, Any]:
    """The model's inputs by name; the one of a model that takes an array is "features"."""
    given = model.input
    if isinstance(given, dict):
        return given
    tensors = list(given) if isinstance(given, list | tuple) else [given]
    return {ONE: tensors[0]} if len(tensors) == 1 else {t.name: t for t in tensors}


def takes_one(inputs: Mapping[str, Any]) -> bool:
    """Whether the model of these inputs takes one array rather than a dict."""
    return list(inputs) == [ONE]


def fits(shape: tuple[int, ...], one: Any) -> bool:
    """Whether rows of this shape, without the batch axis, go into the input."""
    wanted = tuple(one.shape[1:])
    return len(shape) == len(wanted) and all(
        theirs in (None, ours) for ours, theirs in zip(shape, wanted, strict=True)
    )


def typed(array: Array, one: Any) -> Array:
    """The array in the type that the input takes."""
    return array if one.dtype == "string" else np.asarray(array, dtype=one.dtype)


def as_given_to(model: keras.Model, features: Any) -> Any:
    """The features in the types that the model's inputs have."""
    given = model.input
    if isinstance(features, dict) and isinstance(given, dict):
        return {name: typed(features[name], one) for name, one in given.items()}
    return features if isinstance(features, dict) else typed(features, model.inputs[0])
