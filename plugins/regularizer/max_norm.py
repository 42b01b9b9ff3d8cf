"""Max norm."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt

from runner import Recipe, regularizer

from ._surgery import graph_model, kernels


@regularizer
def max_norm(recipe: Recipe, *, limit: Annotated[float, Gt(0)] = 3.0) -> Recipe:
    """Hold the norm of every unit's incoming weights below a limit (Srivastava et al. 2014).

    Applied by the optimizer after each step; an embedding's norm is that of its row. Raises
    ModelError for a subclassed model. Journal of Machine Learning Research 15, pages 1929 to 1958.
    """
    recipe.model = graph_model(recipe.model, "max_norm")
    for kernel in kernels(recipe.model):
        kernel.constraint = _both(kernel.constraint, _constraint(kernel, limit))
    return recipe


def _constraint(kernel: Any, limit: float) -> Any:
    """The constraint over all axes but the units'."""
    import keras

    rank = len(kernel.shape)
    if "embedding" in kernel.name:
        return keras.constraints.MaxNorm(limit, axis=-1)
    # A depthwise kernel ends in (channels, multiplier): both number its units.
    units = 2 if "depthwise" in kernel.name else 1
    return keras.constraints.MaxNorm(limit, axis=tuple(range(rank - units)))


def _both(first: Any, second: Any) -> Any:
    """Two constraints in turn."""
    return second if first is None else lambda weight: second(first(weight))
