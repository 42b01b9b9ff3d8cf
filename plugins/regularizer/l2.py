"""L2."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from runner import Recipe, regularizer

from ._penalty import penalize


@regularizer
def l2(recipe: Recipe, *, strength: Annotated[float, Ge(0)] = 1e-4) -> Recipe:
    """Add strength * sum(w^2) of every kernel to the loss (Tikhonov 1963)."""
    return penalize(recipe, "l2", l1=0.0, l2=strength)
