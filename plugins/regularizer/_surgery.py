"""Changing a model that never heard of it: find its hidden layers, put layers after them.

The graph is traced once again over the same layers, so weights, penalties and names stay what
and where they are; nothing is cloned. Only Keras' public `clone_model` walks the graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from runner import ModelError

SIDE_WEIGHTS = ("bias", "gamma", "beta", "alpha")
"""Names of weights that scale or shift units and are no kernels, whatever their rank."""
ACTIVATION_LAYERS = ("Activation", "ReLU", "LeakyReLU", "PReLU", "ELU")
NOT_ACTIVATIONS = ("linear", "softmax", "log_softmax", "sparsemax", "glu", "threshold")
"""Keras' activations that, standing alone, do something else: attention, gates, nothing."""


@dataclass
class Graph:
    """A functional model as the list of its calls, each an operation from tensors to tensors."""

    model: Any
    calls: list[tuple[Any, list[int], list[int]]] = field(default_factory=list)
    outputs: list[int] = field(default_factory=list)
    kept: list[Any] = field(default_factory=list)
    """The traced tensors: alive, so that their ids stay theirs."""

    def followers(self, operation: Any) -> Iterator[Any]:
        """The operations that take what this one gives."""
        given = {t for o, _, outputs in self.calls if o is operation for t in outputs}
        return (o for o, inputs, _ in self.calls if not given.isdisjoint(inputs))

    def tail(self) -> Iterator[Any]:
        """The output layers, which no other kernel follows, and what comes after them."""
        followed: set[int] = set()
        for operation, inputs, outputs in reversed(self.calls):
            hidden = not followed.isdisjoint(outputs)
            if not hidden:
                yield operation
            if hidden or has_kernel(operation):
                followed.update(inputs)


def graph_model(model: Any, who: str) -> Any:
    """The model as a functional one over the same layers.

    who: the regularizer, for the sentence. Raises ModelError for a subclassed model.
    """
    import keras

    if isinstance(model, keras.Sequential):
        if not model.built:
            raise ModelError(
                f"regularizer={who} cannot change the Sequential model '{model.name}' before its "
                "input shape is known: begin it with keras.Input(input_shape)"
            )
        return _as_graph(model)
    if not _is_functional(model):
        raise ModelError(
            f"regularizer={who} cannot change {type(model).__name__}, a subclassed model, because "
            "its layers are called in code: build it as a Sequential or functional model, or "
            "regularize inside the architecture"
        )
    return model


def _as_graph(sequential: Any) -> Any:
    """A Sequential model as a functional one over the same layers."""
    import keras

    return keras.Model(sequential.inputs[0], sequential.outputs[0], name=sequential.name)


def _is_functional(model: Any) -> bool:
    """Whether the model is the graph of its layers, not code of its own."""
    functional: list[Any] = [c for c in type(model).__mro__ if c.__name__ == "Functional"]
    return bool(functional) and getattr(type(model), "call", None) is functional[0].call


def is_model(operation: Any) -> bool:
    """Whether it is a nested model whose layers can be reached."""
    import keras

    return isinstance(operation, keras.Sequential) or (
        isinstance(operation, keras.Model) and _is_functional(operation)
    )


def kernels(model: Any) -> list[Any]:
    """The trained weights of rank two or more that are no bias or scale, embeddings among them.

    Frozen ones are not: they are to stay what they are.
    """
    return [
        weight
        for weight in model.weights
        if len(weight.shape) >= 2
        and weight.trainable
        and not any(word in weight.name for word in SIDE_WEIGHTS)
        and "float" in str(weight.dtype)
    ]


def has_kernel(operation: Any) -> bool:
    """Whether it is a layer with a kernel of its own (or a model that holds one)."""
    import keras

    if not isinstance(operation, keras.Layer) or isinstance(operation, keras.layers.Embedding):
        return False
    return bool(kernels(operation)) and not is_normalization(operation)


def is_normalization(operation: Any) -> bool:
    """Whether it normalizes what a kernel gives."""
    return type(operation).__name__.endswith("Normalization")


def is_frozen(operation: Any) -> bool:
    """Whether it is a layer that is not to be trained, as those of a trained backbone."""
    return not getattr(operation, "trainable", True)


def is_recurrent(operation: Any) -> bool:
    """Whether it is an RNN layer, its activations inside of its cell."""
    import keras

    return isinstance(operation, keras.layers.RNN | keras.layers.Bidirectional)


def inner(operation: Any) -> Any:
    """The layer itself, or what TimeDistributed applies to every step."""
    import keras

    return operation.layer if isinstance(operation, keras.layers.TimeDistributed) else operation


def own_activation(operation: Any) -> Any:
    """The activation inside a layer, None where it is linear or has none."""
    import keras

    activation = getattr(inner(operation), "activation", None)
    return None if activation in (None, keras.activations.linear) else activation


def is_activation(operation: Any) -> bool:
    """Whether it is an activation that stands alone, as a layer or as an operation."""
    import keras

    kind = type(operation).__name__
    if isinstance(operation, keras.layers.Activation):
        name = getattr(operation.activation, "__name__", "custom")
        return name not in NOT_ACTIVATIONS
    if isinstance(operation, keras.Layer):
        return kind in ACTIVATION_LAYERS
    names = {n.replace("_", "") for n in dir(keras.activations) if n not in NOT_ACTIVATIONS}
    return kind.lower() in names


def insert(model: Any, after: Callable[[Graph, Any], list[Any]]) -> Any:
    """The model with new layers behind its hidden operations, in nested models too.

    after: the layers to put behind one operation of a graph; asked once for each operation that
        comes before the output layers.

    Raises ModelError where the model's class cannot be made anew.
    """
    graphs: list[Graph] = []
    _trace(model, graphs)
    # An operation that is an output layer anywhere is one everywhere: it may be shared.
    final = {id(operation) for operation in _final(graphs)}
    new = {
        id(operation): after(graph, operation)
        for graph in graphs
        for operation in _once(graph)
        if id(operation) not in final and not is_model(operation) and not is_frozen(operation)
    }
    return _rebuild(model, new, {})


def _once(graph: Graph) -> list[Any]:
    """Its operations, a shared one once."""
    return list({id(operation): operation for operation, _, _ in graph.calls}.values())


def _final(graphs: list[Graph]) -> Iterator[Any]:
    """The tails of the outermost graph and of the nested models that end it."""
    final_models = {id(graphs[0].model)}
    for graph in graphs:
        if id(graph.model) in final_models:
            for operation in graph.tail():
                yield operation
                final_models.add(id(operation))


def _trace(model: Any, graphs: list[Graph]) -> None:
    """Append the model's graph, then those of the models in it, outermost first."""
    import keras

    graph = Graph(model)
    graphs.append(graph)

    def record(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        given = _tensors((args, kwargs))
        made = _tensors(outputs)
        graph.kept += [*given, *made]
        graph.calls.append((operation, [id(t) for t in given], [id(t) for t in made]))
        return outputs

    copy = _walk(model, lambda operation: operation, record)
    graph.outputs = [id(tensor) for tensor in keras.tree.flatten(copy.outputs)]
    for operation in _once(graph):
        if is_model(operation) and all(g.model is not operation for g in graphs):
            _trace(operation, graphs)


def _tensors(structure: Any) -> list[Any]:
    """The symbolic tensors in nested arguments."""
    import keras

    return [x for x in keras.tree.flatten(structure) if keras.backend.is_keras_tensor(x)]


def _rebuild(model: Any, new: dict[int, list[Any]], done: dict[int, Any]) -> Any:
    """The model traced again with the new layers in place; a shared nested model once."""

    def replace(operation: Any) -> Any:
        if not is_model(operation):
            return operation
        if id(operation) not in done:
            done[id(operation)] = _rebuild(operation, new, done)
        return done[id(operation)]

    def call(operation: Any, *args: Any, **kwargs: Any) -> Any:
        outputs = operation(*args, **kwargs)
        for layer in new.get(id(operation), []):
            outputs = layer(outputs)
        return outputs

    return _walk(model, replace, call)


def _walk(model: Any, replace: Callable[[Any], Any], call: Callable[..., Any]) -> Any:
    """The model's graph called anew, each operation replaced and called as given."""
    import keras

    if isinstance(model, keras.Sequential):
        model = _as_graph(model)
    copy = keras.models.clone_model(model, clone_function=replace, call_function=call)
    if type(copy) is not type(model):
        raise ModelError(
            f"the layers of {type(model).__name__} cannot be changed, because its constructor "
            "does not take (inputs, outputs, name): give it these, or use keras.Model"
        )
    return copy


class Names:
    """New layer names, after the layer that they follow, each once in a model."""

    def __init__(self, model: Any) -> None:
        self._taken = {layer.name for layer in model.layers}

    def after(self, operation: Any, what: str) -> str:
        """`dense_1_dropout`, and so on; with a number where that is taken."""
        name = base = f"{operation.name}_{what}"
        number = 1
        while name in self._taken:
            number += 1
            name = f"{base}_{number}"
        self._taken.add(name)
        return name
