"""Residual networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from runner import ModelError, architecture

from ._activations import Activation
from ._layers import Count, Normalization, head, image_input, normalized

SMALL = 64
"""Images below this side keep their size in the stem, as the paper's CIFAR-10 networks do."""


@architecture
def resnet(
    input_shape: tuple[int, ...],
    outputs: int,
    *,
    stages: Sequence[Count] = (2, 2, 2),
    filters: Count = 16,
    stem: Literal["auto", "small", "large"] = "auto",
    activation: Activation = "relu",
    normalization: Normalization = "batch",
) -> Any:
    """A residual network of basic blocks (He, Zhang, Ren, Sun 2016), then a linear head.

    Examples of shape (height, width) or (height, width, channels). `stages` says how many blocks
    of two 3x3 convolutions each stage has; the first has `filters`, and each later one twice as
    many on maps of half the side. [2,2,2,2] with 64 filters is ResNet-18; [3,3,3] with 16 is the
    paper's ResNet-20. A large stem (7x7 by 2, then pooling by 2) is for large images; auto takes
    it from 64 pixels on. Raises ModelError where there is nothing left to halve. arXiv:1512.03385.
    """
    import keras

    layers = keras.layers
    if not stages:
        raise ModelError("architecture=resnet needs a stage of blocks: give stages=[2,2,2]")
    inputs, x = image_input("resnet", input_shape)
    if stem == "auto":
        stem = "large" if min(x.shape[1:3]) >= SMALL else "small"
    kernel, stride = (7, 2) if stem == "large" else (3, 1)
    x = layers.Conv2D(
        filters, kernel, stride, padding="same", use_bias=normalization == "none", name="stem"
    )(x)
    x = normalized(x, normalization, activation, "stem")
    if stem == "large":
        x = layers.MaxPooling2D(3, 2, padding="same", name="stem_pool")(x)
    for stage, blocks in enumerate(stages, 1):
        if stage > 1 and min(x.shape[1:3]) < 2:
            raise ModelError(
                f"architecture.stages has {len(stages)} stages, and stage {stage} would halve "
                f"maps of {x.shape[1]}x{x.shape[2]} (images of {input_shape[0]}x"
                f"{input_shape[1]}): take fewer stages or stem=small"
            )
        for block in range(1, blocks + 1):
            stride = 2 if stage > 1 and block == 1 else 1
            x = _basic_block(
                x,
                filters * 2 ** (stage - 1),
                stride,
                activation,
                normalization,
                f"stage_{stage}_block_{block}",
            )
    x = layers.GlobalAveragePooling2D(name="average")(x)
    return keras.Model(inputs, head(x, outputs))


def _basic_block(
    x: Any,
    filters: int,
    stride: int,
    activation: str,
    normalization: Normalization,
    name: str,
) -> Any:
    """Two 3x3 convolutions beside a shortcut, which is projected where the shape changes."""
    import keras

    def conv(x: Any, kernel: int, stride: int, name: str) -> Any:
        return keras.layers.Conv2D(
            filters,
            kernel,
            stride,
            padding="same",
            use_bias=normalization == "none",
            name=name,
        )(x)

    shortcut = x
    if stride != 1 or x.shape[-1] != filters:
        shortcut = conv(x, 1, stride, f"{name}_shortcut")
        shortcut = normalized(shortcut, normalization, "linear", f"{name}_shortcut")
    x = conv(x, 3, stride, f"{name}_conv_1")
    x = normalized(x, normalization, activation, f"{name}_conv_1")
    x = conv(x, 3, 1, f"{name}_conv_2")
    x = normalized(x, normalization, "linear", f"{name}_conv_2")
    x = keras.layers.Add(name=f"{name}_add")([shortcut, x])
    return keras.layers.Activation(activation, name=f"{name}_activation")(x)
