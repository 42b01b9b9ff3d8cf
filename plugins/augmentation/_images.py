"""What augmentations of images share."""

from __future__ import annotations

import math
from typing import Annotated

from annotated_types import Ge, Le

from runner import ModelError

Share = Annotated[float, Ge(0), Le(1)]


def demand_images(input_shape: tuple[int, ...], name: str) -> None:
    """Raise ModelError unless examples have the shape (height, width, channels)."""
    if len(input_shape) != 3:
        raise ModelError(
            f"augmentation={name} takes images of shape (height, width, channels), and the "
            f"examples have shape {input_shape}: leave it out, or try noise or mixup"
        )


def limits(low: float | None, high: float | None) -> tuple[float, float]:
    """The range to hold values within; None is no limit."""
    return -math.inf if low is None else low, math.inf if high is None else high
