"""Noise."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge

from runner import augmentation


@augmentation
def noise(seed: int, *, deviation: Annotated[float, Ge(0)] = 0.1) -> Any:
    """Add normal noise of this standard deviation to every value of any kind of examples."""
    import keras

    return keras.layers.GaussianNoise(deviation, seed=seed, dtype="float32")
