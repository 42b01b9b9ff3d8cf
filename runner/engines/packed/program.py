"""The stacked program: an epoch of all members at once, an evaluation of all members at once.

Every tensor of a state has a leading axis, one entry a member. Forward pass, loss and metrics are
mapped over it; the gradient is taken outside of the map, of the sum of the members' losses, which
do not depend on each other; the optimizer's step is mapped again. Each member has its own order of
rows and draws its random numbers from its own seeds, the same as alone.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from runner.backend.onednn_private import quick_kernels
from runner.backend.tensorflow_private import Noise, op_types, teach, vectorize
from runner.engines.arrays import MemberIndex, MemberNumbers, MemberValues, Rows, Tensor
from runner.engines.packed.pure import Pure, State, Tensors

PIECE_BYTES = 64 * 2**20
"""What the gathered batches and the random draws of one call may take."""
OUTPUT_ROWS = 4096
"""Rows that the members answer at once when a part is evaluated."""

Bind = Callable[[Tensor], AbstractContextManager[None]]
"""Gives the model one member's numbers (a tensor of them) while a step is traced."""


class Program:
    """The programs that train and evaluate packs of one shape and size.

    pure: the model's steps.
    bind, numbers: gives the model a member's numbers, and how many these are.
    rows: the training part's features, targets and, where there are, weights: resident tensors.
    kernels: whether programs of one member may have oneDNN's.
    """

    def __init__(
        self,
        pure: Pure,
        bind: Bind,
        numbers: int,
        rows: Rows,
        batch_size: int,
        kernels: bool = True,
    ) -> None:
        import tensorflow as tf

        self.pure, self._bind, self._numbers = pure, bind, numbers
        self._rows, self._size, self._quick = rows, batch_size, kernels
        self._looked_up: list[int] = []
        self._compiling: Future[Any] | None = None
        self._compiled: Any = None
        self._members = 0
        """For packs of how many members training is compiled."""
        self._plain: dict[tuple[int, ...], Any] = {}
        self._of_any_rows: dict[tuple[str, int], Any] = {}
        self._piece = 0
        self._gather = tf.function(self._gathered_batches, autograph=False)
        self._draw = tf.function(self._drawn_step, autograph=False)
        self._results = tf.function(self._metric_results, autograph=False)
        self._averaged = tf.function(self._stacked_averages, autograph=False)

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

    # -- what callers use ------------------------------------------------------------------

    def train(self, state: State, numbers: MemberNumbers, drawn: MemberIndex) -> State:
        """One epoch.

        numbers: float32 (members, numbers). drawn: the members' rows in their order, int64
        (members, rows); the last batch may be smaller than the others.
        """
        import tensorflow as tf

        members, rows = drawn.shape
        whole = rows // self._size
        full = drawn[:, : whole * self._size].reshape(members, whole, self._size)
        index = tf.constant(full.transpose(1, 0, 2))
        if whole and self.is_compiled and members == self._members:
            state = self._train_in_pieces(state, numbers, index)
        elif whole:
            state = self._train_plainly(state, numbers, index)
        if rows % self._size:
            last = tf.constant(drawn[None, :, whole * self._size :])
            state = self._train_plainly(state, numbers, last)
        return state

    def _train_plainly(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> State:
        """Any number of steps in TensorFlow's own kernels, traced once for each batch size."""
        import tensorflow as tf

        shape = tuple(index.shape[1:])
        if shape not in self._plain:
            any_steps = tf.TensorSpec([None, *shape], index.dtype)
            function = tf.function(self._plain_batches, autograph=False)
            self._plain[shape] = function.get_concrete_function(state, numbers, any_steps)
        return State(*self._plain[shape](state, numbers, index))

    def _train_in_pieces(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> State:
        """The compiled program over so many steps at once as their batches may take memory."""
        import tensorflow as tf

        steps, piece = index.shape[0], self._piece
        for begin in range(0, steps, piece):
            part = index[begin : begin + piece]
            times = tf.constant(part.shape[0])
            # A piece of another length would be another program.
            part = tf.pad(part, [[0, piece - part.shape[0]], [0, 0], [0, 0]])
            batches, draws = self._gather(state, numbers, part)
            state = State(*self._compiled(state, numbers, batches, draws, times))
        return state

    def compile_for(self, state: State, numbers: MemberNumbers, steps: int) -> None:
        """Have XLA compile the training of so many members, for epochs of so many whole batches.

        It does so beside whatever comes next, until `settle` waits for it.

        Raises NotMapped where random numbers are drawn inside of a loop.
        """
        import tensorflow as tf

        members = len(numbers)
        shape = tf.TensorSpec([steps, members, self._size], tf.int64)
        count = -(-steps * self._bytes_of_step(state, numbers, shape) // PIECE_BYTES)
        self._piece, self._members = -(-steps // count), members
        index = tf.zeros([self._piece, members, self._size], tf.int64)
        inputs = (state, numbers, *self._gather(state, numbers, index), tf.constant(0))
        # Traced without XLA first: a map that is traced under XLA becomes a function call,
        # through which XLA takes the batches for constants and compiles for each.
        plain = tf.function(self._compiled_batches, autograph=False)
        traced = plain.get_concrete_function(*inputs)
        function = tf.function(functools.partial(_call, traced), autograph=False, jit_compile=True)
        place = tf.zeros([]).device  # a thread begins without the device that was chosen here

        def compiled() -> Any:
            with tf.device(place):
                function(*inputs)
            return function

        thread = ThreadPoolExecutor(1, thread_name_prefix="compiler")
        self._compiling = thread.submit(compiled)
        thread.shutdown(wait=False)

    def settle(self) -> None:
        """Wait for XLA; what it cannot compile is trained without."""
        import tensorflow as tf

        if self._compiling is not None:
            with contextlib.suppress(tf.errors.OpError):
                self._compiled = self._compiling.result()
            self._compiling = None

    @property
    def is_compiled(self) -> bool:
        """Whether XLA has compiled the training."""
        return self._compiled is not None

    def _bytes_of_step(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> int:
        """The memory that one step's gathered batches and random draws take, in bytes."""
        import tensorflow as tf

        specs = tf.nest.flatten(self._specs(*index.shape[1:]))
        batches = sum(int(np.prod(spec.shape) * spec.dtype.size) for spec in specs)
        drawn = self._draws_of(state, numbers, index)
        return batches + sum(int(np.prod(spec.shape) * spec.dtype.size) for spec in drawn)

    def _draws_of(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> list[Any]:
        """The shapes and types of the random draws of one step."""
        if not any(name.startswith("StatelessRandom") for name in self.ops):
            return []
        traced = self._draw.get_concrete_function(state, numbers, self._specs(*index.shape[1:]))
        return list(traced.structured_outputs[1])

    def evaluate(
        self, state: State, numbers: MemberNumbers, rows: Rows
    ) -> dict[str, MemberValues]:
        """Metric -> how the members do on these features and targets: NumPy (members,)."""
        metrics = self._over_any_rows(self._evaluated_batches, state, numbers, rows)
        return {name: value.numpy() for name, value in sorted(metrics.items())}

    def outputs(self, state: State, numbers: MemberNumbers, features: Rows) -> MemberValues:
        """The members' outputs for these rows: NumPy (members, rows, outputs)."""
        import tensorflow as tf

        count = tf.nest.flatten(features)[0].shape[0]
        pieces = [
            self._over_any_rows(
                self._stacked_outputs, state, numbers, _slice(features, at, at + OUTPUT_ROWS)
            ).numpy()
            for at in range(0, count, OUTPUT_ROWS)
        ]
        return np.concatenate(pieces, axis=1)

    def _over_any_rows(
        self, function: Callable[..., Any], state: State, numbers: MemberNumbers, rows: Rows
    ) -> Any:
        """Call a program that is traced once, however many rows there are."""
        import tensorflow as tf

        key = (function.__name__, len(numbers))
        if key not in self._of_any_rows:
            specs = tf.nest.map_structure(
                lambda part: tf.TensorSpec([None, *part.shape[1:]], part.dtype), rows
            )
            traced = tf.function(function, autograph=False)
            self._of_any_rows[key] = traced.get_concrete_function(state, numbers, specs)
        return self._of_any_rows[key](state, numbers, rows)

    def results(
        self, state: State, numbers: MemberNumbers
    ) -> tuple[dict[str, MemberValues], MemberValues]:
        """Metric -> the members' values, and their learning rates: NumPy (members,)."""
        metrics, rates = self._results(state, numbers)
        return {name: value.numpy() for name, value in sorted(metrics.items())}, rates.numpy()

    def averages(self, state: State, numbers: MemberNumbers) -> State:
        """The state with the averages that the optimizers have in the place of the weights."""
        return state._replace(trainable=list(self._averaged(state, numbers)))

    # -- one step --------------------------------------------------------------------------

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

    # -- many steps, in TensorFlow's own kernels --------------------------------------------

    def _plain_batches(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> State:
        import tensorflow as tf

        def body(at: Tensor, state: State) -> tuple[Tensor, State]:
            return at + 1, self._step(state, numbers, self._gathered(index[at]), None)

        with self._kernels(numbers):
            return State(*_loop(tf.shape(index)[0], body, state))

    def _evaluated_batches(self, state: State, numbers: MemberNumbers, rows: Rows) -> Any:
        import tensorflow as tf

        count = tf.shape(tf.nest.flatten(rows)[0])[0]

        def body(at: Tensor, other: Tensors) -> tuple[Tensor, Tensors]:
            batch = _slice(rows, at * self._size, (at + 1) * self._size)

            def one(trainable: Tensors, other: Tensors, numbers: Tensor) -> Any:
                return self._member(training=False)(trainable, other, numbers, batch)

            return at + 1, vectorize(one, (state.trainable, other, numbers))[1]

        with self._kernels(numbers):
            other = _loop(-(-count // self._size), body, state.other)
        return self._metric_results(state._replace(other=other), numbers)[0]

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

    # -- many steps, compiled: what XLA is bad at (gathers, random numbers) comes before -----

    def _gathered_batches(self, state: State, numbers: MemberNumbers, index: MemberIndex) -> Any:
        """The batches (steps, members, batch, ...), and for each random op its draws."""
        import tensorflow as tf

        batches = self._gathered(index)
        specs = self._draws_of(state, numbers, index)
        if not specs:
            return batches, []
        steps = int(index.shape[0])
        arrays = [tf.TensorArray(spec.dtype, steps, element_shape=spec.shape) for spec in specs]

        def body(at: Tensor, carried: Any) -> tuple[Any, Any]:
            other, arrays = carried
            batch = _at(batches, at)
            other, drawn = self._draw(state._replace(other=other), numbers, batch)
            return at + 1, (other, [a.write(at, d) for a, d in zip(arrays, drawn, strict=True)])

        _, arrays = _loop(tf.constant(steps), body, (state.other, arrays))
        return batches, [array.stack() for array in arrays]

    def _kernels(self, numbers: MemberNumbers) -> AbstractContextManager[None]:
        """A program of one member has the kernels that it has alone; mapped ones are plain."""
        return quick_kernels(self._quick and numbers.shape[0] == 1)

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

    def _compiled_batches(
        self, state: State, numbers: MemberNumbers, batches: Rows, draws: Tensors, times: Tensor
    ) -> State:
        def body(at: Tensor, state: State) -> tuple[Tensor, State]:
            noise = Noise(draws=_at(draws, at))
            return at + 1, self._step(state, numbers, _at(batches, at), noise)

        return State(*_loop(times, body, state))


def _call(function: Any, *inputs: Any) -> Any:
    return function(*inputs)


def _slices(indices: Tensor, rows: Tensor, weight: Tensor) -> Any:
    """The gradient of an embedding as Keras' optimizers get it."""
    import tensorflow as tf

    values = tf.reshape(rows, [-1, weight.shape[1]])
    return tf.IndexedSlices(values, tf.reshape(indices, [-1]), weight.shape)


def _slice(rows: Rows, begin: Tensor, end: Tensor) -> Rows:
    """The rows from begin to end of each array."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda part: part[begin:end], rows)


def _at(arrays: Any, index: MemberIndex) -> Any:
    """One entry of each array."""
    import tensorflow as tf

    return tf.nest.map_structure(lambda array: tf.gather(array, index), arrays)


def _loop(times: Tensor, body: Callable[[Any, Any], Any], state: Any) -> Any:
    """`body(at, state) -> (at + 1, state)`, so many times, inside the program."""
    import tensorflow as tf

    return tf.while_loop(
        lambda at, _: at < times, body, (tf.constant(0), state), parallel_iterations=1
    )[1]
