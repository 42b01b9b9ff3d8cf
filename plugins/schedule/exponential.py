"""Down by a factor an epoch."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Gt, Le

from runner import schedule


@schedule
def exponential(
    learning_rate: float,
    steps_per_epoch: int,
    *,
    factor: Annotated[float, Gt(0), Le(1)] = 0.95,
) -> Any:
    """Smoothly down: after every epoch `factor` times what it was."""
    import keras

    return keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=steps_per_epoch, decay_rate=factor
    )
