"""Contrast."""

from __future__ import annotations

import math
from typing import Any

from runner import augmentation

from ._images import Share, demand_images


@augmentation
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

    limits = (-math.inf if low is None else low, math.inf if high is None else high)
    # Keras takes one number for a factor of 1 or more.
    return keras.layers.RandomContrast(
        (amount, amount), value_range=limits, seed=seed, dtype="float32"
    )
