"""A regression's targets far from 1: learned in deviations, told in the user's units.

The model ends in a layer that scales back, with the training targets' mean and deviation in its
config, so that a saved model says what the data say. The loss has the value that it has in the
user's units, and the gradient that it has on standardised targets.
"""

from __future__ import annotations

import functools
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.data.stream import example_of
from runner.model.own_steps import own_step

if TYPE_CHECKING:
    import keras

    from runner.components.types import Recipe
    from runner.config.config import Config
    from runner.data.prepare import Prepared

FITTING = ("MeanSquaredError", "MeanAbsoluteError", "Huber", "LogCosh")
"""Keras' losses that go by how far outputs are from targets, wherever these lie."""
FAR = 1000
"""Targets that are larger as a rule are out of reach of outputs that begin near 0."""


@dataclass(frozen=True)
class Units:
    """Mean and deviation of the training targets: numbers, or tuples of them for each value."""

    offset: Any
    scale: Any


def units_of(config: Config, data: Prepared, recipe: Recipe, head: str = "") -> Units | None:
    """In what the recipe's targets are learned; None where they stay what they are.

    head: whose they are, where there are several.

    That is where the config says so, where the task is no regression, and where the loss or the
    model has a scale of its own.
    """
    import keras

    task = data.splits.task
    if config.settings.targets == "raw" or task.kind != "regression":
        return None
    if task.per in ("value", "view"):
        return None
    targets = np.asarray(example_of(data.splits.train)[1], np.float64)
    table = targets.reshape(-1, task.outputs)
    if type(recipe.loss) not in [getattr(keras.losses, name) for name in FITTING]:
        if (size := float(np.abs(table).mean())) > FAR:
            loss = config.losses.get(head, config.one("loss")).component.name
            warnings.warn(
                f"the targets are about {size:.4g} in size, and loss={loss} learns them as they "
                "are: outputs, which begin near 0, may never reach them; loss=mse, mae, huber and "
                "log_cosh learn them standardised, and targets=raw silences this",
                stacklevel=2,
            )
        return None
    if own_step(recipe.model) is not None:
        return None
    offset, scale = table.mean(axis=0), table.std(axis=0)
    # What is the same in every row may differ from itself by rounding.
    scale = np.where(scale > 1e-7 * np.maximum(1e-30, np.abs(offset)), scale, 1.0)
    if task.outputs == 1:
        return Units(float(offset[0]), float(scale[0]))
    return Units(tuple(offset.tolist()), tuple(scale.tolist()))


def scaled_back(outputs: Any, units: Units, name: str = "units") -> Any:
    """The outputs of a model in the user's units."""
    import keras

    # float32 even under mixed precision: the values need the digits.
    layer = keras.layers.Rescaling(units.scale, units.offset, dtype="float32", name=name)
    return layer(outputs)


def loss_in_deviations(loss: Any, units: Units) -> keras.losses.Loss:
    """The loss of standardised targets, value and gradient.

    Of several heads losses are added up: in deviations, a head counts as much in any unit.
    """
    made: keras.losses.Loss = _loss_class()(loss, units.offset, units.scale, told=False)
    return made


def loss_in_units(loss: Any, units: Units) -> keras.losses.Loss:
    """The loss of the user's units, with the gradient that it has on standardised targets."""
    made: keras.losses.Loss = _loss_class()(loss, units.offset, units.scale)
    return made


@functools.cache
def _loss_class() -> Any:
    """The class of such losses, made once a process, when Keras is there."""
    import keras
    from keras import ops

    class InUnits(keras.losses.Loss):  # type: ignore[misc]
        def __init__(self, inner: Any, offset: Any, scale: Any, told: bool = True) -> None:
            super().__init__(name=inner.name, reduction=inner.reduction)
            self.told = told
            self.inner = inner
            self.offset = offset
            self.scale = scale

        def call(self, y_true: Any, y_pred: Any) -> Any:
            y_true = ops.reshape(ops.cast(y_true, y_pred.dtype), ops.shape(y_pred))
            learned = self.inner.call(self._standard(y_true), self._standard(y_pred))
            if not self.told:
                return learned
            reported = ops.stop_gradient(self.inner.call(y_true, y_pred))
            return reported + (learned - ops.stop_gradient(learned))

        def _standard(self, values: Any) -> Any:
            return (values - self.offset) / self.scale

    return InUnits
