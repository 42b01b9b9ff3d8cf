"""Down along a cosine."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Le

from runner import schedule


@schedule
def cosine(
    learning_rate: float,
    epochs: int,
    steps_per_epoch: int,
    *,
    alpha: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> Any:
    """Down half a cosine to `alpha` of the base at the last step (Loshchilov and Hutter 2016)."""
    import keras

    return keras.optimizers.schedules.CosineDecay(
        learning_rate, decay_steps=epochs * steps_per_epoch, alpha=alpha
    )
