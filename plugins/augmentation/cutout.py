"""Images with a part missing."""

from __future__ import annotations

from typing import Any

from runner import ModelError, augmentation

from ._images import Share, demand_images


@augmentation
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
    round.
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
