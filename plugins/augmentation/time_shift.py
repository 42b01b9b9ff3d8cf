"""Series moved in time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

from annotated_types import Ge

from runner import ModelError, augmentation

from ._shift import Edge, shifted


@augmentation(moves=True)
def time_shift(
    input_shape: tuple[int, ...],
    *,
    steps: Annotated[int, Ge(1)] = 2,
    fill: Edge = "nearest",
    value: float = 0.0,
) -> Callable[..., Any]:
    """Move each series by up to so many steps, earlier or later.

    Raises ModelError for examples that are no series, and for series as short as that.
    """
    if len(input_shape) != 2:
        raise ModelError(
            "augmentation=time_shift takes series of shape (steps, values), and the examples have "
            f"shape {input_shape}: leave it out, or try noise or mixup"
        )
    if steps >= input_shape[0]:
        raise ModelError(
            f"augmentation.time_shift.steps={steps} may leave nothing of series of "
            f"{input_shape[0]} steps: take fewer"
        )

    def move(features: Any, generator: Any) -> Any:
        return shifted(features, steps, 1, fill, value, generator)

    return move
