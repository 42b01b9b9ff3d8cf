"""Images cut out of padded ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge

from runner import ModelError, augmentation

from ._images import demand_images
from ._shift import Edge, shifted


@augmentation(moves=True)
def crop(
    input_shape: tuple[int, ...],
    *,
    padding: Annotated[int, Ge(1)] = 4,
    fill: Edge = "constant",
    value: float = 0.0,
) -> Callable[..., Any]:
    """Pad each image by `padding` pixels and cut its own size out of it, anywhere.

    Keras' RandomCrop cuts a whole batch at one place; here every image has its own. Raises
    ModelError where the padding is as large as the image.
    """
    demand_images(input_shape, "crop")
    if padding >= min(input_shape[:2]):
        raise ModelError(
            f"augmentation.crop.padding={padding} may leave nothing of images of "
            f"{input_shape[0]}x{input_shape[1]} pixels: take a smaller one"
        )

    def cut(features: Any, generator: Any) -> Any:
        for axis in (1, 2):
            features = shifted(features, padding, axis, fill, value, generator)
        return features

    return cut
