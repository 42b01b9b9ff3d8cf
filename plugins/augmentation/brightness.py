"""Brightness."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge

from runner import augmentation

from ._images import demand_images, limits


@augmentation(moves=False)
def brightness(
    input_shape: tuple[int, ...],
    *,
    amount: Annotated[float, Ge(0)] = 0.2,
    low: float | None = None,
    high: float | None = None,
) -> Callable[..., Any]:
    """Add one number to each image, within ± `amount`, in the features' own unit.

    low, high: hold the values within this range, such as 0 and 1. (Keras' RandomBrightness always
    clips, which would cut standardized images.)
    """
    demand_images(input_shape, "brightness")

    def shine(features: Any, generator: Any) -> Any:
        import keras
        from keras import ops

        one_each = (ops.shape(features)[0], 1, 1, 1)
        change = keras.random.uniform(one_each, -amount, amount, seed=generator)
        return ops.clip(features + change, *limits(low, high))

    return shine
