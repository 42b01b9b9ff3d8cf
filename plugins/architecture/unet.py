"""A network with an output for each pixel."""

from __future__ import annotations

import functools
from typing import Annotated, Any, Literal

from annotated_types import Ge

from runner import ModelError, Search, Task, architecture

from ._activations import Activation
from ._layers import Normalization, Rate, activated, image_input


@architecture
def unet(
    input_shape: tuple[int, ...],
    task: Task,
    *,
    levels: Annotated[int, Ge(1), Search(1, 4)] = 3,
    width: Annotated[int, Ge(1), Search(values=(8, 16, 32, 64))] = 16,
    upward: Literal["transpose", "nearest"] = "transpose",
    activation: Activation = "relu",
    normalization: Normalization = "none",
    dropout: Rate = 0.0,
) -> Any:
    """U-Net (Ronneberger, Fischer, Brox 2015): down, up, and across, an output for each pixel.

    Images of shape (height, width) or (height, width, channels), of any size: they are padded with
    zeros until `levels` halvings come out even, and the outputs cut to the image again. `width`
    filters at full size, twice as many after each halving; two 3x3 convolutions a level, padded
    (the paper's are not), and dropout between the two halves. upward: a transposed convolution, or
    nearest pixels and a convolution. arXiv:1505.04597. Raises ModelError for examples that are no
    images, for tasks without an output for each pixel, and for more levels than the image allows.
    """
    import keras

    layers = keras.layers
    inputs, x = image_input("unet", input_shape)
    size = x.shape[1:3]
    if task.places != size:
        raise ModelError(
            f"architecture=unet gives outputs for each of {size[0]}x{size[1]} pixels, and the "
            f"task is {task.said}: try cnn, or give a dataset with masks"
        )
    most = min(size).bit_length() - 1
    if levels > most:
        raise ModelError(
            f"architecture.levels={levels} halves images of {size[0]}x{size[1]} pixels to less "
            f"than one: take {most or 'mlp, for there is nothing to halve'}"
        )

    def twice(x: Any, filters: int, name: str) -> Any:
        convolution = functools.partial(layers.Conv2D, filters, 3, padding="same")
        for number in (1, 2):
            x = activated(convolution, x, normalization, activation, f"{name}_{number}")
        return x

    def up(x: Any, filters: int, name: str) -> Any:
        if upward == "transpose":
            return layers.Conv2DTranspose(filters, 2, strides=2, name=name)(x)
        x = layers.UpSampling2D(2, name=f"{name}_nearest")(x)
        return layers.Conv2D(filters, 2, padding="same", name=name)(x)

    lacking = [-side % 2**levels for side in size]
    margins = tuple((lack // 2, lack - lack // 2) for lack in lacking)
    if any(lacking):
        x = layers.ZeroPadding2D(margins, name="pad")(x)
    across = []
    for level in range(levels):
        x = twice(x, width * 2**level, f"down_{level + 1}")
        across.append(x)
        x = layers.MaxPooling2D(2, name=f"halve_{level + 1}")(x)
    x = twice(x, width * 2**levels, "bottom")
    if dropout:
        x = layers.Dropout(dropout, name="bottom_dropout")(x)
    for level in reversed(range(levels)):
        x = up(x, width * 2**level, f"double_{level + 1}")
        x = layers.Concatenate(name=f"across_{level + 1}")([across[level], x])
        x = twice(x, width * 2**level, f"up_{level + 1}")
    if any(lacking):
        x = layers.Cropping2D(margins, name="cut")(x)
    return keras.Model(inputs, layers.Conv2D(task.outputs, 1, name="head")(x))
