"""Up first."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le

from runner import schedule


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
