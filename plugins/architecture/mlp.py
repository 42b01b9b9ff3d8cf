"""Dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from runner import architecture

from ._activations import Activation


@architecture
def mlp(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    units: Sequence[Annotated[int, Ge(1)]] = (64, 64),
    activation: Activation = "relu",
) -> Any:
    """Dense layers, one width each, then a linear head; examples of any shape are flattened."""
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten(name="flatten")(inputs) if len(input_shape) != 1 else inputs
    for number, width in enumerate(units, 1):
        x = keras.layers.Dense(width, activation=activation, name=f"dense_{number}")(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="head")(x))
