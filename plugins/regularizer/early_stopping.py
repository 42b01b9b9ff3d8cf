"""Stop when nothing improves."""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge

from runner import Recipe, regularizer


@regularizer
def early_stopping(
    recipe: Recipe,
    monitor: str,
    mode: str,
    *,
    patience: Annotated[int, Ge(0)] = 10,
    min_delta: Annotated[float, Ge(0)] = 0.0,
    start_from_epoch: Annotated[int, Ge(0)] = 0,
) -> Recipe:
    """Stop when the monitored metric has not improved for `patience` epochs (Prechelt 1998).

    doi:10.1007/3-540-49430-8_3.
    """
    import keras

    # The runner keeps the best epoch's weights itself.
    stop = keras.callbacks.EarlyStopping(
        monitor=monitor,
        mode=mode,
        patience=patience,
        min_delta=min_delta,
        start_from_epoch=start_from_epoch,
        restore_best_weights=False,
    )
    recipe.callbacks.append(stop)
    return recipe
