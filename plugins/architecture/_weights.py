"""Weights from a file or an earlier run into a network that somebody else made."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner import ModelError, RunWeights

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]
    Layers = dict[str, dict[str, Array]]
    """Layer -> its weights by name, both in the source's order."""

NAMED = 5
"""How many layers a sentence names at most."""


def put_weights(network: keras.Model, given: RunWeights | Path, name: str) -> None:
    """Give the network the weights of its layers, found by the layers' names, or by their order.

    given: an earlier run, or a .keras, .h5, .weights.h5 or .safetensors file; it may hold more
        layers than the network has, such as a head.
    name: what to call the network in a sentence.

    Raises ModelError, naming layers, where some are missing or have another shape.
    """
    if isinstance(given, Path) and given.name.endswith(".weights.h5"):
        return _load_natively(network, given, name)
    have = _layers_of(given.model()) if isinstance(given, RunWeights) else _read(given)
    wanted = [layer for layer in flat(network) if layer.weights]
    by_layer = _matching(wanted, have)
    if by_layer is None:
        missing = [layer.name for layer in wanted if layer.name not in have]
        raise ModelError(
            f"architecture.weights={given} does not fit {name}: it lacks "
            f"{_some(missing)} of {len(wanted)} layers; it has {_some(list(have))}"
        )
    for layer, arrays in zip(wanted, by_layer, strict=True):
        shapes = [tuple(weight.shape) for weight in layer.weights]
        given_shapes = [array.shape for array in arrays]
        if shapes != given_shapes:
            raise ModelError(
                f"architecture.weights={given} does not fit {name}: its layer {layer.name} has "
                f"weights of shapes {_listed(given_shapes)}, and the network wants "
                f"{_listed(shapes)}"
            )
    for layer, arrays in zip(wanted, by_layer, strict=True):
        layer.set_weights(arrays)


def model_in(path: Path) -> keras.Model:
    """The whole model that a .keras or .h5 file holds; ModelError where it holds none."""
    import keras

    _check_there(path)
    try:
        return keras.models.load_model(path, compile=False)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(
            f"architecture.weights={path} is no model that Keras can load: {reason}"
        ) from error


def flat(model: keras.Model) -> Iterator[Any]:
    """The layers of a model and of the models in it, in order."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from flat(layer)
        else:
            yield layer


def _matching(wanted: list[Any], have: Layers) -> list[list[Array]] | None:
    """The arrays for every layer: by name, or else those that come first, in order of layers."""
    if all(layer.name in have for layer in wanted):
        return [_in_order(layer, have[layer.name]) for layer in wanted]
    # Keras numbers layers without a name of their own, and a file may begin at another number.
    first = list(have.values())[: len(wanted)]
    shapes = [[tuple(weight.shape) for weight in layer.weights] for layer in wanted]
    if [[array.shape for array in arrays.values()] for arrays in first] == shapes:
        return [list(arrays.values()) for arrays in first]
    return None


def _in_order(layer: Any, arrays: dict[str, Array]) -> list[Array]:
    """A layer's arrays in the order of its weights: by name where the names are the same."""
    names = [weight.name for weight in layer.weights]
    if sorted(names) == sorted(arrays):
        return [arrays[name] for name in names]
    return list(arrays.values())


def _layers_of(model: keras.Model) -> Layers:
    """Every layer of a model with its weights; of equal names the first."""
    layers: Layers = {}
    for layer in flat(model):
        if layer.weights:
            values = zip(layer.weights, layer.get_weights(), strict=True)
            layers.setdefault(layer.name, {weight.name: value for weight, value in values})
    return layers


def _read(path: Path) -> Layers:
    """What a file holds; ModelError where it cannot be read."""
    _check_there(path)
    if path.suffix == ".keras":
        return _layers_of(model_in(path))
    if path.suffix in (".h5", ".hdf5"):
        return _read_hdf5(path)
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    raise ModelError(
        f"architecture.weights={path} is no file of weights: give .keras, .h5, .weights.h5 or "
        ".safetensors, imagenet, or run:<id>"
    )


def _read_hdf5(path: Path) -> Layers:
    """Keras 2's format: a whole model, or a group for each layer."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ModelError(f"architecture.weights={path} is no HDF5 file: {error}") from error
    with file:
        if "model_config" in file.attrs:
            return _layers_of(model_in(path))
        if "layer_names" not in file.attrs:
            raise ModelError(f"architecture.weights={path} holds no layers of Keras")
        layers: Layers = {}
        for layer in _names(file.attrs, "layer_names"):
            group = file[layer]
            for weight in _names(group.attrs, "weight_names"):
                # `conv/kernel:0`; a nested model's group holds the weights of all its layers.
                place, _, variable = weight.partition(":")[0].rpartition("/")
                owner = place.rpartition("/")[2] or layer
                layers.setdefault(owner, {})[variable] = group[weight][()]
        return layers


def _names(attributes: Any, key: str) -> list[str]:
    """A list of names in HDF5; long ones are cut into numbered pieces."""
    pieces = [attributes[key]] if key in attributes else []
    while f"{key}{len(pieces)}" in attributes:
        pieces.append(attributes[f"{key}{len(pieces)}"])
    return [n.decode() if isinstance(n, bytes) else str(n) for piece in pieces for n in piece]


def _read_safetensors(path: Path) -> Layers:
    """Tensors by their Keras path, `layer/variable`, as runs keep them."""
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"architecture.weights={path} is no safetensors file: {error}") from error
    layers: Layers = {}
    for name, array in tensors.items():
        layer, _, variable = name.rpartition("/")
        layers.setdefault(layer.rpartition("/")[2], {})[variable] = array
    return layers


def _load_natively(network: keras.Model, path: Path, name: str) -> None:
    """Keras 3's own format for the weights of exactly this network."""
    _check_there(path)
    try:
        network.load_weights(path)
    except Exception as error:
        reason = str(error).partition("\n")[0]
        raise ModelError(f"architecture.weights={path} does not fit {name}: {reason}") from error


def _check_there(path: Path) -> None:
    if not path.is_file():
        raise ModelError(f"architecture.weights={path} is not there: give a file of weights")


def _some(names: list[str]) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more if names else "none"


def _listed(shapes: list[tuple[int, ...]]) -> str:
    return ", ".join(map(str, shapes)) or "none"
