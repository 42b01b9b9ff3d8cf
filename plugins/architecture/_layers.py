"""What several architectures share: params' types, normalization, the first layers."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

from annotated_types import Ge, Lt

from runner import ModelError, Search

Count = Annotated[int, Ge(1)]
Rate = Annotated[float, Ge(0), Lt(1), Search(0.0, 0.5)]
"""Of dropout."""
Normalization = Literal["none", "batch", "layer"]


def normalized(x: Any, normalization: Normalization, activation: str, name: str) -> Any:
    """The tensor normalized over its last axis, then activated; each only where asked for."""
    import keras

    if normalization == "batch":
        x = keras.layers.BatchNormalization(name=f"{name}_norm")(x)
    elif normalization == "layer":
        x = keras.layers.LayerNormalization(name=f"{name}_norm")(x)
    if activation == "linear":
        return x
    return keras.layers.Activation(activation, name=f"{name}_activation")(x)


def activated(
    layer: Callable[..., Any], x: Any, normalization: Normalization, activation: str, name: str
) -> Any:
    """What the layer gives, normalized where asked for, which takes the place of its bias.

    layer: a class of Keras with all of its arguments but activation, use_bias and name.
    """
    if normalization == "none":
        return layer(activation=activation, name=name)(x)
    return normalized(layer(use_bias=False, name=name)(x), normalization, activation, name)


def dense_layers(
    x: Any, units: Sequence[int], activation: str, normalization: Normalization = "none"
) -> Any:
    """Dense layers, one width each."""
    import keras

    for number, width in enumerate(units, 1):
        layer = functools.partial(keras.layers.Dense, width)
        x = activated(layer, x, normalization, activation, f"dense_{number}")
    return x


def head(x: Any, outputs: int, dropout: float = 0.0) -> Any:
    """Linear outputs of shape (batch, outputs), after dropout if there is any."""
    import keras

    if dropout:
        x = keras.layers.Dropout(dropout, name="head_dropout")(x)
    return keras.layers.Dense(outputs, name="head")(x)


def image_input(who: str, input_shape: tuple[int, ...]) -> tuple[Any, Any]:
    """The model's input, and the images with a channel axis; ModelError where they are none."""
    import keras

    if len(input_shape) not in (2, 3):
        raise ModelError(
            f"architecture={who} takes images of shape (height, width) or "
            f"(height, width, channels), and the examples have shape {input_shape}: "
            "try mlp or linear"
        )
    inputs = x = keras.Input(input_shape)
    if len(input_shape) == 2:
        x = keras.layers.Reshape((*input_shape, 1), name="channel")(x)
    return inputs, x
