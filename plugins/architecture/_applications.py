"""The networks of keras.applications: their names, and what images they take."""

from __future__ import annotations

from typing import Any, Literal, get_args

from runner import ModelError

Application = Literal[
    "ConvNeXtBase",
    "ConvNeXtLarge",
    "ConvNeXtSmall",
    "ConvNeXtTiny",
    "ConvNeXtXLarge",
    "DenseNet121",
    "DenseNet169",
    "DenseNet201",
    "EfficientNetB0",
    "EfficientNetB1",
    "EfficientNetB2",
    "EfficientNetB3",
    "EfficientNetB4",
    "EfficientNetB5",
    "EfficientNetB6",
    "EfficientNetB7",
    "EfficientNetV2B0",
    "EfficientNetV2B1",
    "EfficientNetV2B2",
    "EfficientNetV2B3",
    "EfficientNetV2L",
    "EfficientNetV2M",
    "EfficientNetV2S",
    "InceptionResNetV2",
    "InceptionV3",
    "MobileNet",
    "MobileNetV2",
    "MobileNetV3Large",
    "MobileNetV3Small",
    "NASNetLarge",
    "NASNetMobile",
    "ResNet101",
    "ResNet101V2",
    "ResNet152",
    "ResNet152V2",
    "ResNet50",
    "ResNet50V2",
    "VGG16",
    "VGG19",
    "Xception",
]
APPLICATIONS: tuple[str, ...] = get_args(Application)
SMALLEST = {"InceptionResNetV2": 75, "InceptionV3": 75, "Xception": 71}
"""The side in pixels below which Keras refuses to build one; 32 for the others."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""ImageNet's, red, green and blue, of values from 0 to 1."""
BLUE_FIRST = (103.939, 116.779, 123.68)
"""ImageNet's mean, blue, green and red, of values from 0 to 255."""


def scaling(name: str) -> Literal["inside", "tf", "torch", "caffe"]:
    """How pixels are scaled before the network, in Keras' words; some do it inside."""
    if name.startswith(("ConvNeXt", "EfficientNet", "MobileNetV3")):
        return "inside"
    if name.startswith("DenseNet"):
        return "torch"
    if name in ("ResNet50", "ResNet101", "ResNet152", "VGG16", "VGG19"):
        return "caffe"
    return "tf"


def as_expected(x: Any, name: str, white: float) -> Any:
    """Images of (height, width, 3) with values from 0 to `white`, scaled as the network wants."""
    import keras

    scale = 255 / white
    mode = scaling(name)
    if mode == "inside":
        return x if scale == 1 else keras.layers.Rescaling(scale, name="scale")(x)
    if mode == "tf":
        return keras.layers.Rescaling(2 / white, -1.0, name="scale")(x)
    if mode == "caffe":
        x = keras.ops.flip(x, axis=-1)
        offset = [-value for value in BLUE_FIRST]
        return keras.layers.Rescaling([scale] * 3, offset, name="scale")(x)
    factors = [1 / (white * one) for one in DEVIATION]
    offset = [-mean / one for mean, one in zip(MEAN, DEVIATION, strict=True)]
    return keras.layers.Rescaling(factors, offset, name="scale")(x)


def three_channels(x: Any, who: str) -> Any:
    """Grey images three times over; ModelError for other numbers of channels than 1 and 3."""
    import keras

    channels = x.shape[-1]
    if channels == 3:
        return x
    if channels != 1:
        raise ModelError(
            f"architecture={who} takes grey images or three colours, and the examples have "
            f"{channels} channels: try cnn or resnet"
        )
    return keras.layers.Concatenate(name="colours")([x, x, x])


def resized(x: Any, name: str, resize: int | None, param: str) -> Any:
    """Images of the side that is asked for; ModelError where the network takes none so small.

    param: what the config calls the network, for the sentence.
    """
    import keras

    least = SMALLEST.get(name, 32)
    if resize is not None:
        if resize < least:
            raise ModelError(
                f"architecture.resize={resize} is too small for {name} (architecture.{param}), "
                f"which takes images of {least}x{least} pixels or more"
            )
        return keras.layers.Resizing(resize, resize, name="resize")(x)
    height, width = x.shape[1:3]
    if min(height, width) < least:
        raise ModelError(
            f"architecture.{param}={name} takes images of {least}x{least} pixels or more, and the "
            f"examples have {height}x{width}: architecture.resize={least} enlarges them"
        )
    return x


def application(name: str, side: tuple[int, int], imagenet: bool, pooling: str) -> Any:
    """The network without its head, pooled to a vector; weights drawn anew, or ImageNet's.

    Raises ModelError where ImageNet's weights are not in Keras' cache and cannot be fetched.
    """
    import keras

    make = getattr(keras.applications, name)
    shape = (*side, 3)
    if not imagenet:
        return make(include_top=False, weights=None, input_shape=shape, pooling=pooling)
    try:
        return make(include_top=False, weights="imagenet", input_shape=shape, pooling=pooling)
    except Exception as error:
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ModelError(
            f"architecture.weights=imagenet: the weights of {name} are not in Keras' cache and "
            f"cannot be downloaded ({reason}): give a file, architecture.weights=<path>"
        ) from error
