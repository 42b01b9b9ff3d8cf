"""What the runner uses of Keras that Keras does not promise; seen in Keras 3.15.

`tests/runner/test_private.py` fails with a sentence when an upgrade takes it away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

NEUTRAL = (
    "stateless_apply",
    "assign",
    "assign_add",
    "assign_sub",
    "_var_key",
    "_apply_weight_decay",
    "_backend_update_step",
    "_backend_increment_gradient_accumulators",
    "_overwrite_model_variables_with_average_value",
)
"""Methods that Keras' TensorFlow optimizers override for `tf.distribute`."""


def direction_of(metric: Any) -> Literal["min", "max"] | None:
    """Which end of a Keras metric is better, as it says for itself; of some it says nothing."""
    return {"up": "max", "down": "min"}.get(getattr(metric, "_direction", None))  # type: ignore


def global_seed_state() -> Any:
    """The state of the seed generator that layers without one of their own draw from.

    A Keras variable, uint32 (2,); `keras.utils.clear_session` makes another.
    """
    from keras.src.random.seed_generator import global_seed_generator

    return global_seed_generator().state


def compute_loss(
    model: Any, features: Any, targets: Any, outputs: Any, weights: Any, *, training: bool
) -> Any:
    """The batch's loss with penalties, as the model's own `train_step` computes it."""
    return model._compute_loss(
        x=features, y=targets, y_pred=outputs, sample_weight=weights, training=training
    )


def loss_tracker(model: Any) -> Any:
    """The compiled model's running mean of its loss."""
    return model._loss_tracker


@contextlib.contextmanager
def backend_neutral(optimizer: Any) -> Iterator[None]:
    """The optimizer with the methods that it has on every backend, which act without state.

    On TensorFlow `stateless_apply` raises, since the overriding methods want `tf.Variable`s.
    """
    from keras.src.backend.tensorflow.optimizer import TFOptimizer

    indices = optimizer._trainable_variables_indices
    # Taken from the class, so that an optimizer that extends one of them extends Keras' own.
    overriding = {name: vars(TFOptimizer)[name] for name in NEUTRAL}
    for name in NEUTRAL:
        delattr(TFOptimizer, name)
    optimizer._trainable_variables_indices = {
        optimizer._var_key(variable): index
        for index, variable in enumerate(optimizer._trainable_variables)
    }
    try:
        yield
    finally:
        for name, method in overriding.items():
            setattr(TFOptimizer, name, method)
        optimizer._trainable_variables_indices = indices


def ever_trainable(model: Any) -> list[Any]:
    """The variables that are trained where no layer is frozen, in the order of the layers.

    What Keras never trains, such as the moving averages of batch normalization, is not among
    them.
    """
    found = {id(v): v for layer in model._flatten_layers() for v in layer._trainable_variables}
    return list(found.values())


@contextlib.contextmanager
def variables_made() -> Iterator[list[tuple[Any, Any]]]:
    """A list that is filled with every Keras variable made meanwhile, and its initializer."""
    from keras.src.backend import Variable

    made: list[tuple[Any, Any]] = []
    before = Variable._initialize_with_initializer

    def remember(self: Any, initializer: Any) -> None:
        made.append((self, initializer))
        before(self, initializer)

    Variable._initialize_with_initializer = remember
    try:
        yield made
    finally:
        Variable._initialize_with_initializer = before
