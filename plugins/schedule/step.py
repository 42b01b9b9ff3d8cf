"""Down in steps."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le

from runner import schedule


@schedule
def step(
    learning_rate: float,
    steps_per_epoch: int,
    *,
    every: Annotated[int, Ge(1)] = 10,
    factor: Annotated[float, Gt(0), Le(1)] = 0.5,
) -> Any:
    """Down at once: `factor` times what it was, after every `every` epochs."""
    import keras

    return keras.optimizers.schedules.ExponentialDecay(
        learning_rate, decay_steps=every * steps_per_epoch, decay_rate=factor, staircase=True
    )
