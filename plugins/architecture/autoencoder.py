"""Examples through a few numbers and back."""

from __future__ import annotations

from typing import Any

from runner import Task, architecture

from ._activations import Activation
from ._latent import End, Filters, Latent, Layers, Units, halves


@architecture
def autoencoder(
    input_shape: tuple[int, ...],
    task: Task,
    *,
    latent: Latent = 16,
    layers: Layers = "auto",
    units: Units = (128,),
    filters: Filters = (16, 32),
    activation: Activation = "relu",
    output: End = "linear",
) -> Any:
    """An autoencoder: `latent` numbers for each example, and the example again from these.

    For task=reconstruction. layers: dense ones of `units`, or convolutions of `filters`, each of
    which halves an image of shape (height, width, channels), and their mirror image on the way
    back; auto: convolutions for images. output: sigmoid for values from 0 to 1. The numbers are
    the layer "latent". Hinton, Salakhutdinov 2006, doi:10.1126/science.1127647. Raises ModelError
    for other tasks.
    """
    import keras

    both = halves(
        "autoencoder",
        input_shape,
        task,
        layers=layers,
        units=units,
        filters=filters,
        activation=activation,
        output=output,
    )
    inputs = keras.Input(input_shape)
    numbers = keras.layers.Dense(latent, name="latent")(both.down(inputs))
    return keras.Model(inputs, both.up(numbers))
