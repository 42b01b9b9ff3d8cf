"""Penalties on the size of kernels, added to the loss."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge

from runner import Recipe, Search, regularizer

from ._surgery import graph_model, kernels

Strength = Annotated[float, Ge(0), Search(1e-6, 1e-2, log=True)]


@regularizer
def l1(recipe: Recipe, *, strength: Strength = 1e-5) -> Recipe:
    """Add strength * sum(|w|) of every kernel to the loss (Tibshirani 1996).

    doi:10.1111/j.2517-6161.1996.tb02080.x.
    """
    return _penalize(recipe, "l1", l1=strength, l2=0.0)


@regularizer
def l2(recipe: Recipe, *, strength: Strength = 1e-4) -> Recipe:
    """Add strength * sum(w^2) of every kernel to the loss (Tikhonov 1963)."""
    return _penalize(recipe, "l2", l1=0.0, l2=strength)


@regularizer
def elastic_net(
    recipe: Recipe,
    *,
    l1: Strength = 1e-5,
    l2: Strength = 1e-4,
) -> Recipe:
    """Add l1 * sum(|w|) + l2 * sum(w^2) of every kernel to the loss (Zou and Hastie 2005).

    doi:10.1111/j.1467-9868.2005.00503.x.
    """
    return _penalize(recipe, "elastic_net", l1=l1, l2=l2)


def _penalize(recipe: Recipe, who: str, l1: float, l2: float) -> Recipe:
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
