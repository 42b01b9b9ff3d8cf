"""One linear layer."""

from __future__ import annotations

from typing import Any

from runner import architecture


@architecture
def linear(input_shape: tuple[int, ...], outputs: int, *, bias: bool = True) -> Any:
    """One linear layer: logistic or linear regression, by the task."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten(name="flatten")(inputs) if len(input_shape) != 1 else inputs
    return keras.Model(inputs, keras.layers.Dense(outputs, use_bias=bias, name="head")(x))
