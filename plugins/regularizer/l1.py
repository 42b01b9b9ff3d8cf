"""L1."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from runner import Recipe, regularizer

from ._penalty import penalize


@regularizer
def l1(recipe: Recipe, *, strength: Annotated[float, Ge(0)] = 1e-5) -> Recipe:
    """Add strength * sum(|w|) of every kernel to the loss (Tibshirani 1996)."""
    return penalize(recipe, "l1", l1=strength, l2=0.0)
