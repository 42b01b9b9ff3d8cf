"""A compiled Keras model's steps as pure functions: values of its variables in, new values out.

Keras' own code computes everything; a StatelessScope stands between it and the variables.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from runner.backend.keras_private import backend_neutral, compute_loss, loss_tracker, rate_of
from runner.engines.arrays import Model, Rows, Tensor, Variable

Tensors = list[Tensor]


class State(NamedTuple):
    """All that changes while a run trains, one value for each variable of `Pure`."""

    trainable: Tensors
    other: Tensors
    slots: Tensors

    def all(self) -> Tensors:
        """The values in the order of `Pure.variables`."""
        return [*self.trainable, *self.other, *self.slots]


class Lookup(NamedTuple):
    """Rows of an embedding that a batch looked up, where nothing else reads its weights."""

    weight: int
    """Which of the trainable values."""
    indices: Tensor
    rows: Tensor
    """(*indices.shape, width): what was looked up."""


class Pure:
    """The steps of one compiled model without side effects.

    model: compiled, its optimizer built, its metrics' variables made.
    generators: the states of the seed generators that it draws from, Keras' global one included.
    """

    def __init__(self, model: Model, generators: Sequence[Variable]) -> None:
        self.model = model
        self.generators = list(generators)
        known = {id(variable) for variable in model.trainable_variables}
        others = [*model.non_trainable_variables, *model.metrics_variables, *generators]
        self.trainable = list(model.trainable_variables)
        self.other: list[Variable] = []
        for variable in others:
            if id(variable) not in known:
                known.add(id(variable))
                self.other.append(variable)
        self.slots = list(model.optimizer.variables)
        self.rate = rate_of(model.optimizer)
        """The learning rate: one of the slots, or a schedule."""
        metrics = {id(variable) for variable in model.metrics_variables}
        self.metrics = [i for i, variable in enumerate(self.other) if id(variable) in metrics]

    @property
    def variables(self) -> list[Variable]:
        """The Keras variables whose values a State holds, in its order."""
        return [*self.trainable, *self.other, *self.slots]

    def state(self, values: Sequence[Tensor]) -> State:
        """The values, in the order of `variables`, as a State."""
        one, two = len(self.trainable), len(self.trainable) + len(self.other)
        return State(list(values[:one]), list(values[one:two]), list(values[two:]))

    def loss_of(
        self, trainable: Tensors, other: Tensors, rows: Rows, *, training: bool
    ) -> tuple[Tensor, Tensors]:
        """The loss of one batch, and the other values after it; as Keras' own steps have it.

        rows: features, targets and, where there are, weights.
        """
        import tensorflow as tf

        model, (features, targets, *rest) = self.model, rows
        weights = rest[0] if rest else None
        with self._standing_for(trainable, other) as scope:
            outputs = model(features, training=training)
            loss = compute_loss(model, features, targets, outputs, weights, training=training)
            count = tf.shape(tf.nest.flatten(features)[0])[0]
            loss_tracker(model).update_state(loss, sample_weight=count)
            model.compute_metrics(features, targets, outputs, sample_weight=weights)
            after = [scope.get_current_value(variable) for variable in self.other]
        # A scope keeps what it was given; a variable would have cast it.
        return loss, [
            old if new is None else tf.cast(new, old.dtype)
            for old, new in zip(other, after, strict=True)
        ]

    def lookups(self, trainable: Tensors) -> list[Lookup]:
        """The embeddings that were looked up since these values came into the present graph.

        Keras' optimizers take the gradient of such a weight as slices, one for each time that a
        row was looked up, and square the slices before they add them up: Adam then differs from
        Adam with the gradient of the whole matrix. So the slices must be had here, too.
        """
        import tensorflow as tf

        lookups = []
        graph = tf.compat.v1.get_default_graph()
        for i, value in enumerate(trainable):
            readers = [op for op in graph.get_operations() if any(x is value for x in op.inputs)]
            gathers = [op for op in readers if op.type == "GatherV2" and op.inputs[0] is value]
            others = [op for op in readers if op not in gathers and op.type != "Shape"]
            # Gathered twice, or read otherwise: TensorFlow adds that up, densely or not.
            if len(gathers) == 1 and not others:
                lookups.append(Lookup(i, gathers[0].inputs[1], gathers[0].outputs[0]))
        return lookups

    def outputs(self, trainable: Tensors, other: Tensors, features: Rows) -> Tensor:
        """The model's outputs for a batch, (rows, outputs)."""
        with self._standing_for(trainable, other):
            return self.model(features, training=False)

    def _standing_for(self, trainable: Tensors, other: Tensors) -> Any:
        """A scope in which the model's variables have these values."""
        import keras

        values = [*trainable, *other]
        return keras.StatelessScope(list(zip([*self.trainable, *self.other], values, strict=True)))

    def update(
        self, slots: Tensors, gradients: Tensors, trainable: Tensors
    ) -> tuple[Tensors, Tensors]:
        """The trainable values and the optimizer's after one step with these gradients."""
        optimizer = self.model.optimizer
        with backend_neutral(optimizer):
            weights, after = optimizer.stateless_apply(slots, gradients, trainable)
        return weights, after

    def averages(self, trainable: Tensors, slots: Tensors) -> Tensors:
        """The optimizer's averages, for use in the place of the trainable values."""
        import keras
        import tensorflow as tf

        optimizer, values = self.model.optimizer, [*trainable, *slots]
        scope = keras.StatelessScope(
            list(zip([*self.trainable, *self.slots], values, strict=True))
        )
        with backend_neutral(optimizer), scope:
            optimizer.finalize_variable_values(self.trainable)
            # Assigned is a variable of the optimizer, which has its value in the scope alone.
            return [tf.convert_to_tensor(scope.get_current_value(v)) for v in self.trainable]

    def results(self, other: Tensors) -> dict[str, Tensor]:
        """The metrics' values, as `get_metrics_result` gives them."""
        import keras

        with keras.StatelessScope(list(zip(self.other, other, strict=True))):
            return dict(self.model.get_metrics_result())

    def learning_rate(self, slots: Tensors) -> Tensor:
        """The present learning rate, float32."""
        import keras
        import tensorflow as tf

        with keras.StatelessScope(list(zip(self.slots, slots, strict=True))):
            rate = self.model.optimizer.learning_rate
            return tf.cast(tf.convert_to_tensor(rate), tf.float32) + 0.0
