"""A Keras model as tensors by name and a graph as JSON, and back."""

from __future__ import annotations

import json
import keyword
import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.errors import ModelError
from runner.model.augment import without_augmentation

if TYPE_CHECKING:
    import keras

    Array = np.ndarray[Any, Any]

Tensors = Mapping[str, "np.ndarray[Any, Any]"]
"""By name, as they are saved."""
_TAKEN = frozenset({"self", "cls", "args", "kwargs", "inputs", "training", "mask", "name"})
"""Names of arguments that Keras or TensorFlow gives a model's call itself."""


def with_preprocessing(model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
    """The model that takes raw rows, as it is without augmentation."""
    import keras

    model = without_augmentation(model)
    if preprocessing is None:
        return model
    return keras.Model(preprocessing.input, model(preprocessing.output))


def plain_names(names: Iterable[str]) -> dict[str, str]:
    """Name -> one that any program takes as that of an argument; equal for none, whatever case.

    A name that is such a one already keeps it.
    """
    names = list(names)
    plain = {name: name for name in names if _is_plain(name)}
    taken = {name.lower() for name in plain}
    for name in names:
        if name in plain:
            continue
        ascii_name = unicodedata.normalize("NFKD", name.replace("ß", "ss"))
        word = re.sub(r"\W+", "_", ascii_name.encode("ascii", "ignore").decode()).strip("_")
        if not word or not _is_plain(word):
            word = f"column_{word}".rstrip("_")
        new, count = word, 1
        while new.lower() in taken:
            count += 1
            new = f"{word}_{count}"
        taken.add(new.lower())
        plain[name] = new
    return {name: plain[name] for name in names}


def _is_plain(name: str) -> bool:
    """Whether Python, TensorFlow and Keras' own call leave the name to an argument."""
    return (
        re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", name) is not None
        and not keyword.iskeyword(name)
        and name.lower() not in _TAKEN
    )


def with_plain_inputs(model: keras.Model) -> tuple[keras.Model, dict[str, str]]:
    """The model with inputs of plain names, and those that are new: column -> input."""
    import keras

    given = model.input
    names = plain_names(given) if isinstance(given, dict) else {}
    changed = {name: plain for name, plain in names.items() if name != plain}
    if not changed:
        return model, {}
    inputs = {
        plain: keras.Input(batch_shape=given[name].shape, dtype=given[name].dtype, name=plain)
        for name, plain in names.items()
    }
    outputs = model({name: inputs[plain] for name, plain in names.items()})
    return keras.Model(inputs, outputs), changed


def numpy_of(variable: Any) -> Array:
    """A copy of the variable's value that further training does not touch."""
    return np.array(variable.numpy())


def tensors_of(model: keras.Model) -> dict[str, Array]:
    """The model's weights by their path; equal paths are told apart by a count."""
    tensors: dict[str, Array] = {}
    for weight in model.weights:
        name, count = weight.path, 1
        while name in tensors:
            count += 1
            name = f"{weight.path}#{count}"
        tensors[name] = numpy_of(weight)
    return tensors


def assign_tensors(model: keras.Model, tensors: Mapping[str, Array]) -> None:
    """Give the model the weights that `tensors_of` took; ModelError where they do not fit."""
    names = [_stored_as(name, tensors) for name in tensors_of(model)]
    if sorted(names) != sorted(tensors):
        odd = sorted(set(names) ^ set(tensors))
        raise ModelError(f"the saved weights do not fit the model; they differ in {odd[0]}")
    for name, weight in zip(names, model.weights, strict=True):
        if tuple(weight.shape) != tensors[name].shape:
            raise ModelError(
                f"the saved weights do not fit the model: {name} has shape "
                f"{tensors[name].shape}, the model wants {tuple(weight.shape)}"
            )
        weight.assign(tensors[name])


def _stored_as(name: str, tensors: Mapping[str, Array]) -> str:
    """The stored name of a weight; a model made from JSON may call it by the end of that alone.

    Keras leaves out the outer name there for what a layer such as Bidirectional wraps.
    """
    ends = [stored for stored in tensors if stored.endswith(f"/{name}")]
    return ends[0] if name not in tensors and len(ends) == 1 else name


def graph_of(model: keras.Model) -> str | None:
    """The model as JSON; None where Keras cannot (it is then rebuilt from the config).

    Without what it was compiled with: losses and metrics of plugins would have to be there for
    anybody who reads it.
    """
    try:
        return json.dumps(_uncompiled(json.loads(model.to_json())))
    except Exception:
        return None


def _uncompiled(node: Any) -> Any:
    """The graph, and every model inside of it, without its `compile_config`."""
    if isinstance(node, dict):
        return {key: _uncompiled(item) for key, item in node.items() if key != "compile_config"}
    if isinstance(node, list):
        return [_uncompiled(item) for item in node]
    return node
