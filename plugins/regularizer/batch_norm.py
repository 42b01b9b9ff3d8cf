"""Batch normalization."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from runner import Recipe, regularizer

from ._surgery import (
    Graph,
    Names,
    graph_model,
    has_kernel,
    inner,
    insert,
    is_normalization,
    is_recurrent,
    own_activation,
)


@regularizer(stage="structure")
def batch_norm(
    recipe: Recipe,
    *,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.99,
    epsilon: Annotated[float, Gt(0)] = 0.001,
) -> Recipe:
    """Batch normalization between hidden layers and their activations (Ioffe, Szegedy 2015).

    After dense and convolution layers that no normalization follows already, and after the
    output of recurrent ones. Raises ModelError for a subclassed model. arXiv:1502.03167.
    """
    import keras

    model = graph_model(recipe.model, "batch_norm")
    names = Names(model)

    def after(graph: Graph, operation: Any) -> list[Any]:
        layer = inner(operation)
        simple = any(hasattr(layer, name) for name in ("kernel", "activation", "pointwise_kernel"))
        if not has_kernel(operation) or not (simple or is_recurrent(operation)):
            return []
        if any(is_normalization(follower) for follower in graph.followers(operation)):
            return []
        first = getattr(layer, "data_format", None) == "channels_first"
        norm = keras.layers.BatchNormalization(
            axis=1 if first else -1,
            momentum=momentum,
            epsilon=epsilon,
            name=names.after(operation, "norm"),
        )
        activation = None if is_recurrent(operation) else own_activation(operation)
        if activation is None:
            return [norm]
        # The activation moves out of the layer, behind the normalization.
        layer.activation = keras.activations.linear
        if not isinstance(activation, keras.Layer):
            name = names.after(operation, "activation")
            activation = keras.layers.Activation(activation, name=name)
        return [norm, activation]

    recipe.model = insert(model, after)
    return recipe
