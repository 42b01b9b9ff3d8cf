"""Stop at once when the loss is lost."""

from __future__ import annotations

from typing import Any

from runner import callback


@callback
def terminate_on_nan() -> Any:
    """End the epoch at the first batch whose loss is no number, rather than after the epoch.

    A run whose loss is lost fails in any case. It acts on batches, so engine `keras` trains.
    """
    import keras

    return keras.callbacks.TerminateOnNaN()
