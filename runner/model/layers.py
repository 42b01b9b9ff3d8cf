"""A Keras model as a list of its layers: names, shapes, parameters, and who feeds whom.

The names are the same with and without preprocessing in front, so that a checkpoint's tensors
and those of the best weights can be joined: `dense`, `inner/dense` inside of a nested model,
`preprocessing/normalization` before the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import keras

PREPROCESSING = "preprocessing/"
"""How the names of layers begin that come before the model."""


@dataclass(frozen=True)
class Layer:
    """One layer that is no model itself."""

    name: str
    class_name: str
    output_shape: Sequence[int | None] | None
    """Of one example, of its first output; None where Keras does not know."""
    parameters: int
    inputs: Sequence[str]
    """The layers that feed it; empty for inputs and where the model is no graph."""
    config: str
    """As JSON."""


def layers_of(whole: keras.Model, name: str, graph: str | None) -> list[Layer]:
    """The layers of a model in their order.

    whole: the model, perhaps with its preprocessing in front. name: the model's own, without it.
    graph: `whole` as Keras' JSON, where it can be said so.
    """
    feeding: dict[str, list[str]] = {}
    configs: dict[str, Any] = {}
    if graph is not None:
        body = json.loads(graph)
        _connect(body, _prefix(whole, name), name, [], feeding, configs, top=True)
    return [
        Layer(
            name=path,
            class_name=type(layer).__name__,
            output_shape=_output_shape(layer),
            parameters=int(layer.count_params()) if layer.built else 0,
            inputs=feeding.get(path, []),
            config=json.dumps(configs.get(path) or layer.get_config(), default=str),
        )
        for path, layer in _leaves(whole, _prefix(whole, name), name, top=True)
    ]


def owners_of(whole: keras.Model, name: str) -> dict[int, tuple[str, str]]:
    """For each weight of the model, by `id`, its layer and its name there."""
    owners: dict[int, tuple[str, str]] = {}
    taken: set[tuple[str, str]] = set()
    for path, layer in _leaves(whole, _prefix(whole, name), name, top=True):
        for weight in layer.weights:
            name_there = weight.path.rpartition(f"{layer.name}/")[2] or weight.name
            count = 1
            while (path, name_there) in taken:
                count += 1
                name_there = f"{name_there.partition('#')[0]}#{count}"
            taken.add((path, name_there))
            owners.setdefault(id(weight), (path, name_there))
    for weight in whole.weights:  # those of a subclassed model itself
        owners.setdefault(id(weight), ("", weight.path))
    return owners


def _prefix(whole: keras.Model, name: str) -> str:
    return "" if whole.name == name else PREPROCESSING


def _leaves(
    model: keras.Model, prefix: str, name: str, top: bool = False
) -> Iterator[tuple[str, Any]]:
    """The layers that are no models, with their names; inputs of nested models left out."""
    import keras

    layers = list(model.layers)
    if isinstance(model, keras.Sequential) and top and model.inputs:
        layers = [keras.layers.InputLayer(batch_shape=i.shape, name=i.name) for i in model.inputs]
        layers += model.layers
    for layer in layers:
        if isinstance(layer, keras.Model) and layer.layers:
            inner = "" if layer.name == name else f"{prefix}{layer.name}/"
            yield from _leaves(layer, inner, name)
        elif top or not isinstance(layer, keras.layers.InputLayer):
            yield f"{prefix}{layer.name}", layer


def _output_shape(layer: Any) -> Sequence[int | None] | None:
    import keras

    try:
        outputs = keras.tree.flatten(layer.output)
    except (AttributeError, ValueError):
        return None  # it was never part of a graph
    return list(outputs[0].shape[1:])


def _connect(
    node: Mapping[str, Any],
    prefix: str,
    name: str,
    before: list[str],
    feeding: dict[str, list[str]],
    configs: dict[str, Any],
    top: bool = False,
) -> list[str]:
    """Note for each layer of a model's JSON what feeds it; the layers that give its outputs."""
    config = node["config"]
    given: dict[str, list[str]] = {}
    last = before
    for layer in config.get("layers", ()):
        layer_config = layer["config"]
        called = layer_config.get("name", layer.get("name"))
        sources = last
        if "inbound_nodes" in layer:
            feeders = [given.get(one, []) for one in _histories(layer["inbound_nodes"])]
            sources = list(dict.fromkeys(one for some in feeders for one in some))
        path = f"{prefix}{called}"
        if layer["class_name"] == "InputLayer" and not top:
            given[called] = before
        elif layer_config.get("layers"):
            inner = "" if called == name else f"{path}/"
            given[called] = _connect(layer, inner, name, sources, feeding, configs)
        else:
            feeding[path] = [] if layer["class_name"] == "InputLayer" else sources
            configs[path] = layer_config
            given[called] = [path]
        last = given[called]
    ends = [one for one in _names(config.get("output_layers")) if one in given]
    return [path for one in ends for path in given[one]] or last


def _histories(node: Any) -> Iterator[str]:
    """The names of the layers whose outputs are among a call's arguments."""
    if isinstance(node, Mapping):
        if "keras_history" in node:
            yield node["keras_history"][0]
        else:
            for item in node.values():
                yield from _histories(item)
    elif isinstance(node, list | tuple):
        for item in node:
            yield from _histories(item)


def _names(outputs: Any) -> Iterator[str]:
    """The names in Keras' `output_layers`: one [name, node, tensor], a list or a dict of them."""
    if isinstance(outputs, Mapping):
        for item in outputs.values():
            yield from _names(item)
    elif isinstance(outputs, list) and outputs and isinstance(outputs[0], str):
        yield outputs[0]
    elif isinstance(outputs, list):
        for item in outputs:
            yield from _names(item)
