"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge

from runner import ModelError, architecture


@architecture
def rnn(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    cell: Literal["lstm", "gru"] = "lstm",
    units: Sequence[Annotated[int, Ge(1)]] = (64,),
    bidirectional: bool = False,
) -> Any:
    """LSTM or GRU layers over (steps, features), one width each, then a linear head.

    Raises ModelError for examples of another rank.
    """
    import keras

    if len(input_shape) != 2:
        raise ModelError(
            "architecture=rnn takes sequences of shape (steps, features), and the examples have "
            f"shape {input_shape}: try mlp{' or cnn' if len(input_shape) == 3 else ''}"
        )
    if not units:
        raise ModelError("architecture=rnn needs a recurrent layer: give units=[64]")
    make = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    inputs = x = keras.Input(input_shape)
    for number, width in enumerate(units, 1):
        name = f"{cell}_{number}"
        layer = make(width, return_sequences=number < len(units), name=name)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
        x = layer(x)
    return keras.Model(inputs, keras.layers.Dense(outputs, name="head")(x))
