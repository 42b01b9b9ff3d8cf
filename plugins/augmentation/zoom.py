"""Zoomed images."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Lt

from runner import augmentation

from ._images import Fill, Interpolation, demand_images

Part = Annotated[float, Ge(0), Lt(1)]


@augmentation
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
    import keras

    return keras.layers.RandomZoom(
        height,
        width,
        fill_mode=fill,
        fill_value=value,
        interpolation=interpolation,
        seed=seed,
        dtype="float32",
    )
