"""Averages of the weights that an optimizer keeps beside those that it trains.

An optimizer with `use_ema`, or one whose `finalize_variable_values` does something of its own,
trains some weights and means others: those are evaluated and kept.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any


def makes_averages(optimizer: Any) -> bool:
    """Whether the optimizer has other weights for use than those that it trains."""
    import keras

    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
    finalize = type(optimizer).finalize_variable_values
    overrides = finalize is not keras.optimizers.Optimizer.finalize_variable_values
    return bool(optimizer.use_ema) or overrides


@contextlib.contextmanager
def averages_in_place(model: Any) -> Iterator[None]:
    """The averages as the model's weights; what is trained comes back afterwards."""
    import keras

    if not makes_averages(model.optimizer):
        yield
        return
    trained = [(weight, keras.ops.copy(weight)) for weight in model.trainable_weights]
    model.optimizer.finalize_variable_values(model.trainable_weights)
    try:
        yield
    finally:
        for weight, value in trained:
            weight.assign(value)
