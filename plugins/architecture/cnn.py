"""Convolutions and pooling."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runner import ModelError, architecture

from ._activations import Activation
from ._layers import Count, Normalization, activated, dense_layers, head, image_input


@dataclass(frozen=True)
class Block:
    """One convolution and the pooling after it."""

    filters: Count
    kernel: Count = 3
    stride: Count = 1
    pool: Count = 2
    """Side of the pooling window; 1 for no pooling."""


@architecture
def cnn(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    blocks: Sequence[Count | Block] = (Block(32), Block(64)),
    units: Sequence[Count] = (),
    padding: Literal["same", "valid"] = "same",
    pooling: Literal["max", "average"] = "max",
    reduce: Literal["flatten", "average", "max"] = "flatten",
    activation: Activation = "relu",
    normalization: Normalization = "none",
) -> Any:
    """Convolution blocks (`blocks=[32,{filters:64,pool:1}]`), dense `units`, a linear head.

    Examples of shape (height, width) or (height, width, channels). A block is a number of filters,
    or {filters, kernel, stride, pool}; pool is the side of the pooling window after it, 1 for
    none. The last maps are flattened, or reduced to the average or the largest value of each (Lin,
    Chen, Yan 2014, arXiv:1312.4400). Normalization stands between a convolution and its
    activation. Raises ModelError for examples that are no images, and where nothing would be left
    of one.
    """
    import keras

    pool = {"max": keras.layers.MaxPooling2D, "average": keras.layers.AveragePooling2D}[pooling]
    inputs, x = image_input("cnn", input_shape)
    for number, entry in enumerate(blocks, 1):
        block = entry if isinstance(entry, Block) else Block(entry)
        _check_size(x.shape[1:3], block, number, padding)
        layer = functools.partial(
            keras.layers.Conv2D,
            block.filters,
            block.kernel,
            strides=block.stride,
            padding=padding,
        )
        x = activated(layer, x, normalization, activation, f"conv_{number}")
        if block.pool > 1:
            x = pool(block.pool, name=f"pool_{number}")(x)
    if reduce == "flatten":
        x = keras.layers.Flatten(name="flatten")(x)
    elif reduce == "average":
        x = keras.layers.GlobalAveragePooling2D(name="average")(x)
    else:
        x = keras.layers.GlobalMaxPooling2D(name="max")(x)
    x = dense_layers(x, units, activation, normalization)
    return keras.Model(inputs, head(x, outputs))


def _check_size(size: tuple[int, int], block: Block, number: int, padding: str) -> None:
    """Raise ModelError where the image is smaller than the block's kernel or pooling window."""
    lost = block.kernel - 1 if padding == "valid" else 0
    after = [(side - lost + block.stride - 1) // block.stride for side in size]
    where = f"architecture.blocks[{number - 1}]: the image is {size[0]}x{size[1]} there"
    if min(after) < 1:
        raise ModelError(
            f"{where}, too small for a {block.kernel}x{block.kernel} kernel without padding: "
            "take a smaller kernel, fewer blocks or padding=same"
        )
    if min(after) < block.pool:
        raise ModelError(
            f"{where} and {after[0]}x{after[1]} after the convolution, too small to be pooled "
            f"by {block.pool}: take fewer blocks, or pool: 1 in this one"
        )
