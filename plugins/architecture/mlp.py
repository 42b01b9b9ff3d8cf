"""Dense layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from runner import Search, architecture

from ._activations import Activation
from ._layers import Count, Normalization, dense_layers, head

WIDTHS = ((32,), (64,), (128,), (32, 32), (64, 64), (128, 64), (128, 128))


@architecture
def mlp(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    units: Annotated[Sequence[Count], Search(values=WIDTHS)] = (64, 64),
    activation: Activation = "relu",
    normalization: Normalization = "none",
) -> Any:
    """Dense layers, one width each, then a linear head; examples of any shape are flattened.

    Normalization stands between a layer and its activation: batch (Ioffe, Szegedy 2015,
    arXiv:1502.03167) or layer (Ba, Kiros, Hinton 2016, arXiv:1607.06450).
    """
    import keras

    inputs = keras.Input(input_shape)
    x = keras.layers.Flatten(name="flatten")(inputs) if len(input_shape) != 1 else inputs
    x = dense_layers(x, units, activation, normalization)
    return keras.Model(inputs, head(x, outputs))
