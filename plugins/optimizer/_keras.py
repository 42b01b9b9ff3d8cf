"""Ranges of the params of Keras' optimizers, and the call of a class."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from runner import ModelError, Search

Positive = Annotated[float, Gt(0)]
NotNegative = Annotated[float, Ge(0)]
Decay = Annotated[float, Ge(0), Lt(1)]
Share = Annotated[float, Ge(0), Le(1)]
LearningRate = Annotated[float, Gt(0), Search(1e-4, 1e-1, log=True)]
Momentum = Annotated[float, Ge(0), Lt(1), Search(0.0, 0.99)]
FirstBeta = Annotated[float, Ge(0), Lt(1), Search(0.8, 0.99)]
Limit = Positive | None
WeightDecay = NotNegative | None
OwnWeightDecay = Annotated[WeightDecay, Search(1e-5, 1e-1, log=True)]
"""Of an optimizer that is made for it."""
Every = Annotated[int, Ge(1)] | None
Batches = Annotated[int, Ge(2)] | None


def make(name: str, params: Mapping[str, Any]) -> Any:
    """The Keras optimizer of that class name with exactly these params.

    Raises ModelError where this Keras has no such class, or where two params exclude each other.
    """
    import keras

    if not hasattr(keras.optimizers, name):
        raise ModelError(f"Keras {keras.__version__} has no optimizer {name}: install a newer one")
    try:
        return getattr(keras.optimizers, name)(**params)
    except ValueError as error:
        reason = " ".join(str(error).split())
        raise ModelError(f"optimizer {name} cannot be made so: {reason}") from error
