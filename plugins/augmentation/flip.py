"""Mirrored images."""

from __future__ import annotations

from typing import Any, Literal

from runner import augmentation

from ._images import demand_images


@augmentation
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
