"""Keras' layers that change training examples, each with its own params."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Le, Lt

from runner import ModelError, augmentation

from ._images import Share, demand_images, limits

Fill = Literal["reflect", "wrap", "constant", "nearest"]
"""What comes in from outside of the image: itself mirrored or repeated, a value, its edge."""
Interpolation = Literal["bilinear", "nearest"]
Part = Annotated[float, Ge(0), Lt(1)]


@augmentation(moves=True)
def flip(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    mode: Literal["horizontal", "vertical", "horizontal_and_vertical"] = "horizontal",
) -> Any:
    """Mirror half of the images, left to right, upside down, or both."""
    demand_images(input_shape, "flip")
    import keras

    return keras.layers.RandomFlip(mode, seed=seed, dtype="float32")


@augmentation(moves=True)
def rotate(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    degrees: Annotated[float, Ge(0), Le(180)] = 15.0,
    fill: Fill = "reflect",
    value: float = 0.0,
    interpolation: Interpolation = "bilinear",
) -> Any:
    """Rotate each image by up to `degrees`, either way; `fill` is what comes in at the corners."""
    demand_images(input_shape, "rotate")
    return _moving("RandomRotation", seed, fill, value, interpolation, degrees / 360)


@augmentation(moves=True)
def translate(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    height: Share = 0.1,
    width: Share = 0.1,
    fill: Fill = "reflect",
    value: float = 0.0,
    interpolation: Interpolation = "bilinear",
) -> Any:
    """Move each image by up to these shares of its height and width, either way."""
    demand_images(input_shape, "translate")
    return _moving("RandomTranslation", seed, fill, value, interpolation, height, width)


@augmentation(moves=True)
def zoom(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    height: Part = 0.1,
    width: Part | None = None,
    fill: Fill = "reflect",
    value: float = 0.0,
    interpolation: Interpolation = "bilinear",
) -> Any:
    """Zoom each image in or out by up to this share; without a `width` the aspect stays."""
    demand_images(input_shape, "zoom")
    return _moving("RandomZoom", seed, fill, value, interpolation, height, width)


@augmentation(moves=False)
def contrast(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    amount: Share = 0.2,
    low: float | None = None,
    high: float | None = None,
) -> Any:
    """Stretch each image's distance from its mean, by channel, by a factor within 1 ± `amount`.

    low, high: hold the values within this range, such as 0 and 1.
    """
    demand_images(input_shape, "contrast")
    import keras

    # Keras takes one number for a factor of 1 or more.
    return keras.layers.RandomContrast(
        (amount, amount), value_range=limits(low, high), seed=seed, dtype="float32"
    )


@augmentation(moves=False)
def cutout(
    input_shape: tuple[int, ...],
    seed: int,
    *,
    probability: Share = 0.5,
    smallest: Share = 0.02,
    largest: Share = 0.33,
    value: float = 0.0,
) -> Any:
    """Erase a rectangle of an image with some probability (DeVries and Taylor 2017).

    smallest, largest: its share of the image. Raises ModelError where these are the wrong way
    round. arXiv:1708.04552.
    """
    demand_images(input_shape, "cutout")
    if smallest > largest:
        raise ModelError(f"augmentation.cutout: smallest={smallest} is above largest={largest}")
    import keras

    return keras.layers.RandomErasing(
        factor=(probability, probability),
        scale=(smallest, largest),
        fill_value=value,
        value_range=(value, value),
        seed=seed,
        dtype="float32",
    )


@augmentation(moves=False)
def noise(seed: int, *, deviation: Annotated[float, Ge(0)] = 0.1) -> Any:
    """Add normal noise of this standard deviation to every value of any kind of examples."""
    import keras

    return keras.layers.GaussianNoise(deviation, seed=seed, dtype="float32")


def _moving(
    layer: str,
    seed: int,
    fill: Fill,
    value: float,
    interpolation: Interpolation,
    *amounts: float | None,
) -> Any:
    """The layer of that name, which moves what it shows: by how much, and what comes in."""
    import keras

    return getattr(keras.layers, layer)(
        *amounts,
        fill_mode=fill,
        fill_value=value,
        interpolation=interpolation,
        seed=seed,
        dtype="float32",
    )
