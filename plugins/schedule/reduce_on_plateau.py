"""Down when nothing improves."""

from __future__ import annotations

from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from runner import schedule


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
