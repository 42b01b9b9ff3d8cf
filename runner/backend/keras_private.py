"""Names of Keras that Keras does not promise; seen in Keras 3.15.

Each function raises Unsupported where its names are gone, unless it says what it does without.
`tests/runner/backend/test_private.py` fails with a sentence when an upgrade takes one away.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, Literal

from runner.backend.names import Names, Unsupported

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
_OPTIMIZER = "keras.src.backend.tensorflow.optimizer:TFOptimizer"
NAMES = Names(
    "keras",
    "3.15",
    {
        "global_seed_generator": "keras.src.random.seed_generator:global_seed_generator",
        "compute_loss": "keras:Model._compute_loss",
        "loss_tracker": "model._loss_tracker",
        "TFOptimizer": _OPTIMIZER,
        **{name: f"{_OPTIMIZER}.{name}" for name in NEUTRAL},
        "optimized": "optimizer._trainable_variables",
        "places": "optimizer._trainable_variables_indices",
        "rate": "optimizer._learning_rate",
        "flatten_layers": "keras:Layer._flatten_layers",
        "own_trainable": "layer._trainable_variables",
        "initialize": "keras.src.backend:Variable._initialize_with_initializer",
        "direction": "metric._direction",
    },
)


def direction_of(metric: Any) -> Literal["min", "max"] | None:
    """Which end of a Keras metric is better, as it says for itself; None where it does not."""
    direction = getattr(metric, NAMES.name("direction"), None)
    return "max" if direction == "up" else "min" if direction == "down" else None


def global_seed_state() -> Any:
    """The state of the seed generator that layers without one of their own draw from.

    A Keras variable, uint32 (2,); `keras.utils.clear_session` makes another.
    """
    return NAMES["global_seed_generator"]().state


def compute_loss(
    model: Any, features: Any, targets: Any, outputs: Any, weights: Any, *, training: bool
) -> Any:
    """The batch's loss with penalties, as the model's own `train_step` computes it."""
    return NAMES.of(model, "compute_loss")(
        x=features, y=targets, y_pred=outputs, sample_weight=weights, training=training
    )


def loss_tracker(model: Any) -> Any:
    """The compiled model's running mean of its loss."""
    return NAMES.of(model, "loss_tracker")


def rate_of(optimizer: Any) -> Any:
    """The variable that holds an optimizer's learning rate, or the schedule that gives it."""
    return NAMES.of(optimizer, "rate")


@contextlib.contextmanager
def backend_neutral(optimizer: Any) -> Iterator[None]:
    """The optimizer with the methods that it has on every backend, which act without state.

    On TensorFlow `stateless_apply` raises, since the overriding methods want `tf.Variable`s.
    """
    kind, names = NAMES["TFOptimizer"], [NAMES.name(key) for key in NEUTRAL]
    places, optimized = NAMES.of(optimizer, "places"), NAMES.of(optimizer, "optimized")
    for key in NEUTRAL:
        if NAMES.owner(key)[1] not in vars(kind):
            raise Unsupported(f"{kind.__name__} of keras inherits {key}, which it had of its own")
    # Taken from the class, so that an optimizer that extends one of them extends Keras' own.
    overriding = {name: vars(kind)[name] for name in names}
    for name in names:
        delattr(kind, name)
    key_of = getattr(optimizer, NAMES.name("_var_key"))
    neutral = {key_of(variable): index for index, variable in enumerate(optimized)}
    setattr(optimizer, NAMES.name("places"), neutral)
    try:
        yield
    finally:
        for name, method in overriding.items():
            setattr(kind, name, method)
        setattr(optimizer, NAMES.name("places"), places)


def ever_trainable(model: Any) -> list[Any]:
    """The variables that are trained where no layer is frozen, in the order of the layers.

    What Keras never trains, such as the moving averages of batch normalization, is not among
    them.
    """
    layers = NAMES.of(model, "flatten_layers")()
    variables = {id(v): v for layer in layers for v in NAMES.of(layer, "own_trainable")}
    return list(variables.values())


def layers_below(model: Any) -> list[Any]:
    """The model and every layer in it, at any depth as far as Keras tells."""
    try:
        return list(NAMES.of(model, "flatten_layers")())
    except Unsupported:
        return [model, *model.layers]


def optimized_by(optimizer: Any) -> list[Any]:
    """The variables that an optimizer has state for; none where it was never used."""
    return list(NAMES.of(optimizer, "optimized"))


@contextlib.contextmanager
def variables_made() -> Iterator[list[tuple[Any, Any]]]:
    """A list that is filled with every Keras variable made meanwhile, and its initializer."""
    kind, name = NAMES.owner("initialize")
    made: list[tuple[Any, Any]] = []
    before = getattr(kind, name)

    def remember(self: Any, initializer: Any) -> None:
        made.append((self, initializer))
        before(self, initializer)

    setattr(kind, name, remember)
    try:
        yield made
    finally:
        setattr(kind, name, before)


def instances() -> dict[str, Any]:
    """An instance for each thing whose attributes are in the table: what `missing` looks at."""
    import keras

    # Named, so that no count of names moves on: it would show in the names of later models.
    layer = keras.layers.Dense(1, name="looked_at")
    model = keras.Sequential([keras.Input((1,), name="looked_into"), layer], name="looked_through")
    metric = keras.metrics.MeanSquaredError(name="looked_up")
    model.compile(keras.optimizers.SGD(name="looked_for"), "mse")
    return {"model": model, "layer": layer, "optimizer": model.optimizer, "metric": metric}
