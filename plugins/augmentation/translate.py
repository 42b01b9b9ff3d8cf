"""Moved images."""

from __future__ import annotations

from typing import Any

from runner import augmentation

from ._images import Fill, Interpolation, Share, demand_images


@augmentation
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
    import keras

    return keras.layers.RandomTranslation(
        height,
        width,
        fill_mode=fill,
        fill_value=value,
        interpolation=interpolation,
        seed=seed,
        dtype="float32",
    )
