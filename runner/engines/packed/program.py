"""The stacked program: an epoch of all members at once, an evaluation of all members at once.

Every tensor of a state has a leading axis, one entry a member. Each member has its own order of
rows and draws its random numbers from its own seeds, the same as alone. One step is `steps.py`'s;
here are the loops over many, in TensorFlow's own kernels or compiled by XLA.
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
from runner.backend.tensorflow_private import Noise, vectorize
from runner.engines.arrays import MemberIndex, MemberNumbers, MemberValues, Rows, Tensor
from runner.engines.packed.pure import Pure, State, Tensors
from runner.engines.packed.steps import Bind, Steps

PIECE_BYTES = 64 * 2**20
"""What the gathered batches and the random draws of one call may take."""
OUTPUT_ROWS = 4096
"""Rows that the members answer at once when a part is evaluated."""


class Program(Steps):
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

        super().__init__(pure, bind, numbers, rows, batch_size)
        self._quick = kernels
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

    def _compiled_batches(
        self, state: State, numbers: MemberNumbers, batches: Rows, draws: Tensors, times: Tensor
    ) -> State:
        def body(at: Tensor, state: State) -> tuple[Tensor, State]:
            noise = Noise(draws=_at(draws, at))
            return at + 1, self._step(state, numbers, _at(batches, at), noise)

        return State(*_loop(times, body, state))


def _call(function: Any, *inputs: Any) -> Any:
    return function(*inputs)


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
