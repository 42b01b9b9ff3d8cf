"""What autoencoders share: an example down to a few numbers, and back to its shape."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge

from runner import ModelError, Search, Task

from ._activations import Activation
from ._layers import Count, activated, dense_layers

Latent = Annotated[int, Ge(1), Search(2, 128, log=True)]
Layers = Literal["auto", "dense", "convolutional"]
Units = Annotated[Sequence[Count], Search(values=((64,), (128,), (256,), (256, 64)))]
Filters = Annotated[Sequence[Count], Search(values=((16,), (16, 32), (32, 64)))]
End = Literal["linear", "sigmoid"]


@dataclass(frozen=True)
class Halves:
    """The two halves of an autoencoder, as functions of tensors."""

    down: Callable[[Any], Any]
    """Examples to (batch, numbers), from which the latent numbers are read."""
    up: Callable[[Any], Any]
    """Latent numbers to examples."""


def halves(
    who: str,
    shape: tuple[int, ...],
    task: Task,
    *,
    layers: Layers,
    units: Sequence[int],
    filters: Sequence[int],
    activation: Activation,
    output: End,
) -> Halves:
    """The halves for examples of this shape.

    Raises ModelError where the task is not to give the examples back, and for convolutions over
    what is no image.
    """
    if task.output_shape != shape:
        raise ModelError(
            f"architecture={who} gives examples of shape {shape} back, and the task is "
            f"{task.said} with outputs of shape {task.output_shape}: add task=reconstruction"
        )
    if layers == "dense" or (layers == "auto" and len(shape) != 3):
        return _dense(shape, units, activation, output)
    if len(shape) != 3:
        raise ModelError(
            f"architecture.layers=convolutional takes images of shape (height, width, channels), "
            f"and the examples have shape {shape}: take dense"
        )
    return _convolutional(shape, filters, activation, output)


def _dense(shape: tuple[int, ...], units: Sequence[int], activation: str, output: str) -> Halves:
    import keras

    def down(x: Any) -> Any:
        x = keras.layers.Flatten(name="flatten")(x) if len(shape) > 1 else x
        return dense_layers(x, units, activation)

    def up(x: Any) -> Any:
        for number, width in enumerate(reversed(units), 1):
            x = keras.layers.Dense(width, activation=activation, name=f"back_{number}")(x)
        flat = len(shape) == 1
        name = "output" if flat else "values"
        x = keras.layers.Dense(math.prod(shape), activation=output, name=name)(x)
        return x if flat else keras.layers.Reshape(shape, name="output")(x)

    return Halves(down, up)


def _convolutional(
    shape: tuple[int, ...], filters: Sequence[int], activation: str, output: str
) -> Halves:
    """Each convolution halves the image, rounded up; on the way back what is too much is cut."""
    import keras

    layers = keras.layers
    height, width, channels = shape
    sizes = [(height, width)]
    for _ in filters:
        sizes.append((-(-sizes[-1][0] // 2), -(-sizes[-1][1] // 2)))
    smallest = (*sizes[-1], filters[-1] if filters else channels)

    def down(x: Any) -> Any:
        for number, count in enumerate(filters, 1):
            layer = functools.partial(layers.Conv2D, count, 3, strides=2, padding="same")
            x = activated(layer, x, "none", activation, f"conv_{number}")
        return layers.Flatten(name="flatten")(x)

    def up(x: Any) -> Any:
        x = layers.Dense(math.prod(smallest), activation=activation, name="spread")(x)
        x = layers.Reshape(smallest, name="image")(x)
        back = zip(reversed(filters), reversed(sizes[:-1]), strict=True)
        for number, (count, (high, wide)) in enumerate(back, 1):
            x = layers.Conv2DTranspose(
                count, 3, strides=2, padding="same", activation=activation, name=f"back_{number}"
            )(x)
            extra = x.shape[1] - high, x.shape[2] - wide
            if any(extra):
                x = layers.Cropping2D(((0, extra[0]), (0, extra[1])), name=f"cut_{number}")(x)
        return layers.Conv2D(channels, 3, padding="same", activation=output, name="output")(x)

    return Halves(down, up)
