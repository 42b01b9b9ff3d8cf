"""Penalties on kernels that add to whatever penalty a kernel has already."""

from __future__ import annotations

from typing import Any

from runner import Recipe

from ._surgery import graph_model, kernels


def penalize(recipe: Recipe, who: str, l1: float, l2: float) -> Recipe:
    """Put l1 * sum(|w|) + l2 * sum(w^2) on every kernel of the model.

    The penalty sits on the variables, where Keras looks when it sums them up; one set on a built
    layer would do nothing. Raises ModelError for a subclassed model.
    """
    recipe.model = graph_model(recipe.model, who)
    for kernel in kernels(recipe.model):
        kernel.regularizer = _sum(kernel.regularizer, l1, l2)
    return recipe


def _sum(other: Any, l1: float, l2: float) -> Any:
    """One regularizer for both, of Keras' own kind where the other one is too."""
    import keras

    if other is None or type(other) in (
        keras.regularizers.L1,
        keras.regularizers.L2,
        keras.regularizers.L1L2,
    ):
        l1 += float(getattr(other, "l1", 0.0))
        l2 += float(getattr(other, "l2", 0.0))
        if l1 == 0:
            return keras.regularizers.L2(l2)
        return keras.regularizers.L1(l1) if l2 == 0 else keras.regularizers.L1L2(l1, l2)
    mine = _sum(None, l1, l2)
    return lambda weight: other(weight) + mine(weight)
