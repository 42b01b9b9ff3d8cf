"""What augmentations of images share."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge, Le

from runner import ModelError

Share = Annotated[float, Ge(0), Le(1)]
Fill = Literal["reflect", "wrap", "constant", "nearest"]
"""What comes in from outside of the image: itself mirrored or repeated, a value, its edge."""
Interpolation = Literal["bilinear", "nearest"]


def demand_images(input_shape: tuple[int, ...], name: str) -> None:
    """Raise ModelError unless examples have the shape (height, width, channels)."""
    if len(input_shape) != 3:
        raise ModelError(
            f"augmentation={name} takes images of shape (height, width, channels), and the "
            f"examples have shape {input_shape}: leave it out, or try noise or mixup"
        )
