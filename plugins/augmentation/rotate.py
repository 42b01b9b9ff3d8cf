"""Rotated images."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le

from runner import augmentation

from ._images import Fill, Interpolation, demand_images


@augmentation
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
    import keras

    return keras.layers.RandomRotation(
        degrees / 360,
        fill_mode=fill,
        fill_value=value,
        interpolation=interpolation,
        seed=seed,
        dtype="float32",
    )
