"""An optimizer that is a Keras Optimizer of our own."""

from __future__ import annotations

import functools
from typing import Annotated, Any

from annotated_types import Ge, Gt, Lt

from runner import optimizer


@optimizer
def signum(
    *,
    learning_rate: Annotated[float, Gt(0)] = 0.001,
    momentum: Annotated[float, Ge(0), Lt(1)] = 0.9,
) -> Any:
    """Steps by the sign of the momentum (Bernstein et al. 2018)."""
    return _signum()(learning_rate, momentum)


@functools.cache
def _signum() -> Any:
    """The class, made once, when Keras is loaded: importing the plugin must stay cheap."""
    import keras
    from keras import ops

    @keras.saving.register_keras_serializable("sweephouse_spirals")
    class Signum(keras.optimizers.Optimizer):
        def __init__(self, learning_rate=0.001, momentum=0.9, name="signum", **others):
            super().__init__(learning_rate=learning_rate, name=name, **others)
            self.momentum = momentum

        def build(self, variables):
            if self.built:
                return
            super().build(variables)
            self._means = [self.add_variable_from_reference(v, "mean") for v in variables]

        def update_step(self, gradient, variable, learning_rate):
            mean = self._means[self._get_variable_index(variable)]
            share = ops.cast(self.momentum, variable.dtype)
            self.assign(mean, share * mean + (1 - share) * ops.cast(gradient, variable.dtype))
            rate = ops.cast(learning_rate, variable.dtype)
            self.assign_sub(variable, rate * ops.sign(mean))

        def get_config(self):
            return {**super().get_config(), "momentum": self.momentum}

    return Signum
