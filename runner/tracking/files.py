"""The weights of a script, as arrays by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.errors import ConfigError

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def tensors_of(weights: Any) -> dict[str, Array]:
    """Weights by name: of a Keras model, a `state_dict()`, a mapping or a list of arrays.

    Raises ConfigError for anything else.
    """
    if hasattr(weights, "get_weights") and hasattr(weights, "weights"):  # Keras' model
        named = [(weight.path, weight) for weight in weights.weights]
    elif hasattr(weights, "state_dict"):  # PyTorch's module
        named = list(weights.state_dict().items())
    elif isinstance(weights, Mapping):
        named = list(weights.items())
    elif isinstance(weights, list | tuple):
        named = [(f"{number:04d}", array) for number, array in enumerate(weights)]
    else:
        raise ConfigError(
            f"a {type(weights).__name__} holds no weights: give a Keras model, a PyTorch module, "
            "or arrays by name"
        )
    return {str(name): _array(value) for name, value in named}


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor of PyTorch's
        value = value.detach().cpu()
    elif hasattr(value, "numpy"):
        value = value.numpy()
    array = np.ascontiguousarray(value)
    if array.dtype == object:
        raise ConfigError(f"weights of type {type(value).__name__} are no array of numbers")
    return array
