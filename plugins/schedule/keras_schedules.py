"""Keras' schedules of the learning rate, each with its own params.

Their lengths are in epochs here, and the runner says how many steps an epoch has.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt

from runner import schedule


@schedule
def cosine(
    learning_rate: float,
    epochs: int,
    steps_per_epoch: int,
    *,
    alpha: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> Any:
    """Down half a cosine to `alpha` of the base at the last step (Loshchilov and Hutter 2016).

    arXiv:1608.03983, without its restarts.
    """
    import keras

    return keras.optimizers.schedules.CosineDecay(
        learning_rate, decay_steps=epochs * steps_per_epoch, alpha=alpha
    )


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


@schedule
def warmup(
    learning_rate: float,
    epochs: int,
    steps_per_epoch: int,
    *,
    warmup_epochs: Annotated[float, Gt(0)] = 1.0,
    start: Annotated[float, Ge(0), Le(1)] = 0.0,
    then: Literal["cosine", "constant"] = "cosine",
    alpha: Annotated[float, Ge(0), Le(1)] = 0.0,
) -> Any:
    """Up in a line from `start` of the base for `warmup_epochs`, then cosine or constant.

    alpha: the share of the base at the end of the cosine. A run that is shorter than its warm-up
    ends on the way up.
    """
    from keras.optimizers import schedules

    steps = max(1, round(warmup_epochs * steps_per_epoch))
    if then == "constant":
        return schedules.PolynomialDecay(
            start * learning_rate, decay_steps=steps, end_learning_rate=learning_rate
        )
    return schedules.CosineDecay(
        start * learning_rate,
        warmup_target=learning_rate,
        warmup_steps=steps,
        decay_steps=max(1, epochs * steps_per_epoch - steps),
        alpha=alpha,
    )


@schedule
def reduce_on_plateau(
    monitor: str,
    mode: str,
    *,
    factor: Annotated[float, Gt(0), Lt(1)] = 0.5,
    patience: Annotated[int, Ge(1)] = 5,
    min_delta: Annotated[float, Ge(0)] = 1e-4,
    cooldown: Annotated[int, Ge(0)] = 0,
    min_learning_rate: Annotated[float, Ge(0)] = 0.0,
) -> Any:
    """Times `factor` whenever the monitored metric has not improved for `patience` epochs."""
    import keras

    return keras.callbacks.ReduceLROnPlateau(
        monitor=monitor,
        mode=mode,
        factor=factor,
        patience=patience,
        min_delta=min_delta,
        cooldown=cooldown,
        min_lr=min_learning_rate,
    )
