"""One step of all members at once: forward pass, loss, gradients, optimizer, metrics.

Forward pass, loss and metrics are mapped over the members; the gradient is taken outside of the
map, of the sum of the members' losses, which do not depend on each other; the optimizer's step is
mapped again.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from runner.backend.tensorflow_private import Noise, op_types, teach, vectorize
from runner.engines.arrays import MemberIndex, MemberNumbers, MemberValues, Rows, Tensor
from runner.engines.packed.pure import Pure, State, Tensors

Bind = Callable[[Tensor], AbstractContextManager[None]]
"""Gives the model one member's numbers (a tensor of them) while a step is traced."""


class Steps:
    """The steps of one model for any number of members; arguments as `Program` has them."""

    def __init__(self, pure: Pure, bind: Bind, numbers: int, rows: Rows, batch_size: int) -> None:
        self.pure, self._bind, self._numbers = pure, bind, numbers
        self._rows, self._size = rows, batch_size
        self.draws_globally = False
        """Whether a step draws from Keras' global generator, which every model's build renews."""
        self._looked_up: list[int] = []
        """Which of the trainable values are embeddings, whose gradients are slices."""

    @functools.cached_property
    def ops(self) -> set[str]:
        """The kinds of op in one member's step.

        Raises NotMapped where one cannot be mapped.
        """
        import tensorflow as tf

        pure = self.pure

        def one(state: State, numbers: Tensor, rows: Rows) -> Any:
            with self._bind(numbers):
                trainable = [tf.identity(value) for value in state.trainable]
                loss = pure.loss_of(trainable, state.other, rows, training=True)
                drawn = zip(pure.other, state.other, loss[1], strict=True)
                self.draws_globally = any(
                    variable is pure.generators[-1] and new is not old
                    for variable, old, new in drawn
                )
                gradients = list(trainable)
                for lookup in pure.lookups(trainable):
                    self._looked_up.append(lookup.weight)
                    gradients[lookup.weight] = _slices(
                        lookup.indices, lookup.rows, trainable[lookup.weight]
                    )
                updated = pure.update(state.slots, gradients, state.trainable)
            return loss, updated

        self._looked_up.clear()
        values = [tf.TensorSpec(v.shape, v.value.dtype) for v in pure.variables]
        traced = tf.function(one, autograph=False).get_concrete_function(
            pure.state(values),
            tf.TensorSpec([self._numbers], tf.float32),
            self._specs(self._size),
        )
        teach(traced.graph)
        return op_types(traced.graph)

    def _specs(self, *leading: int) -> Any:
        """The shapes and types of the training rows, with these axes in front."""
        import tensorflow as tf

        return tf.nest.map_structure(
            lambda part: tf.TensorSpec([*leading, *part.shape[1:]], part.dtype), self._rows
        )

    def _gathered(self, index: MemberIndex) -> Rows:
        """The training rows of an index of any shape."""
        import tensorflow as tf

        return tf.nest.map_structure(lambda part: tf.gather(part, index), self._rows)

    def _member(self, training: bool) -> Callable[..., Any]:
        def one(trainable: Tensors, other: Tensors, numbers: Tensor, rows: Rows) -> Any:
            with self._bind(numbers):
                return self.pure.loss_of(trainable, other, rows, training=training)

        return one

    def _step(
        self, state: State, numbers: MemberNumbers, batch: Rows, noise: Noise | None
    ) -> State:
        import tensorflow as tf

        def forward(trainable: Tensors, other: Tensors, numbers: Tensor, rows: Rows) -> Any:
            trainable = [tf.identity(value) for value in trainable]
            loss, after = self._member(training=True)(trainable, other, numbers, rows)
            lookups = self.pure.lookups(trainable)
            return loss, after, [look.rows for look in lookups], [look.indices for look in lookups]

        with tf.GradientTape() as tape:
            tape.watch(state.trainable)
            stacked = (state.trainable, state.other, numbers, batch)
            losses, other, looked_up, indices = vectorize(forward, stacked, noise)
            total = tf.reduce_sum(losses)
        gradients, slices = tape.gradient(total, (state.trainable, looked_up))
        for weight in self._looked_up:
            gradients[weight] = None
        # A weight that the loss does not depend on has none, and Keras leaves it be.
        known = [i for i, gradient in enumerate(gradients) if gradient is not None]

        def update(
            slots: Tensors,
            some: Tensors,
            slices: Tensors,
            indices: Tensors,
            trainable: Tensors,
            numbers: Tensor,
        ) -> Any:
            all_of_them = [None] * len(trainable)
            for i, gradient in zip(known, some, strict=True):
                all_of_them[i] = gradient
            for i, index, rows in zip(self._looked_up, indices, slices, strict=True):
                all_of_them[i] = _slices(index, rows, trainable[i])
            with self._bind(numbers):
                return self.pure.update(slots, all_of_them, trainable)

        dense = [tf.convert_to_tensor(gradients[i]) for i in known]
        trainable, slots = vectorize(
            update, (state.slots, dense, slices, indices, state.trainable, numbers)
        )
        return State(trainable, other, slots)

    def _drawn_step(self, state: State, numbers: MemberNumbers, batch: Rows) -> Any:
        """The generators' states after a step, and what was drawn; the rest is not computed."""
        import tensorflow as tf

        noise = Noise(graph=tf.compat.v1.get_default_graph())
        stacked = (state.trainable, state.other, numbers, batch)
        _, after = vectorize(self._member(training=True), stacked, noise)
        other = [
            new if any(variable is generator for generator in self.pure.generators) else old
            for variable, old, new in zip(self.pure.other, state.other, after, strict=True)
        ]
        return other, noise.draws

    def _stacked_outputs(
        self, state: State, numbers: MemberNumbers, features: Rows
    ) -> MemberValues:
        def one(trainable: Tensors, other: Tensors, numbers: Tensor) -> Any:
            with self._bind(numbers):
                return self.pure.outputs(trainable, other, features)

        return vectorize(one, (state.trainable, state.other, numbers))

    def _stacked_averages(self, state: State, numbers: MemberNumbers) -> Tensors:
        def one(trainable: Tensors, slots: Tensors, numbers: Tensor) -> Tensors:
            with self._bind(numbers):
                return self.pure.averages(trainable, slots)

        averages: Tensors = vectorize(one, (state.trainable, state.slots, numbers))
        return averages

    def _metric_results(self, state: State, numbers: MemberNumbers) -> Any:
        def one(other: Tensors, slots: Tensors, numbers: Tensor) -> Any:
            with self._bind(numbers):
                return self.pure.results(other), self.pure.learning_rate(slots)

        return vectorize(one, (state.other, state.slots, numbers))


def _slices(indices: Tensor, rows: Tensor, weight: Tensor) -> Any:
    """The gradient of an embedding as Keras' optimizers get it."""
    import tensorflow as tf

    values = tf.reshape(rows, [-1, weight.shape[1]])
    return tf.IndexedSlices(values, tf.reshape(indices, [-1]), weight.shape)
