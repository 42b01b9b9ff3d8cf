"""Dropout."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Lt

from runner import Recipe, Search, regularizer

from ._surgery import (
    Graph,
    Names,
    graph_model,
    has_kernel,
    insert,
    is_activation,
    is_recurrent,
    own_activation,
)

Rate = Annotated[float, Ge(0), Lt(1), Search(0.0, 0.5)]


@regularizer(stage="structure")
def dropout(recipe: Recipe, *, rate: Rate = 0.2) -> Recipe:
    """Dropout after every hidden layer's activation (Srivastava et al. 2014).

    Recurrent layers count as activated. Raises ModelError for a subclassed model. Journal of
    Machine Learning Research 15, pages 1929 to 1958.
    """
    import keras

    model = graph_model(recipe.model, "dropout")
    names = Names(model)

    def after(graph: Graph, operation: Any) -> list[Any]:
        activated = has_kernel(operation) and own_activation(operation) is not None
        if not (activated or is_recurrent(operation) or is_activation(operation)):
            return []
        return [keras.layers.Dropout(rate, name=names.after(operation, "dropout"))]

    recipe.model = insert(model, after)
    return recipe
