"""L1 and L2 together."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from runner import Recipe, regularizer

from ._penalty import penalize


@regularizer
def elastic_net(
    recipe: Recipe,
    *,
    l1: Annotated[float, Ge(0)] = 1e-5,
    l2: Annotated[float, Ge(0)] = 1e-4,
) -> Recipe:
    """Add l1 * sum(|w|) + l2 * sum(w^2) of every kernel to the loss (Zou and Hastie 2005)."""
    return penalize(recipe, "elastic_net", l1=l1, l2=l2)
