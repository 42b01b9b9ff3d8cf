"""A model's training and its evaluation as TensorFlow programs, each a loop over many batches."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runner.backend.onednn_private import quick_kernels
from runner.config.settings import Settings
from runner.engines.arrays import Index, Logs, Model, Rows, Tensor
from runner.engines.step_losses import StepLosses

PIECE_SECONDS = 1.0
"""How long the program may run before Python gets a word in: signals, other threads."""
FIRST_PIECE = 4
"""Batches of a run's first piece; the later ones go by the clock."""
Bind = Callable[[], AbstractContextManager[None]]
"""Gives a context in which the model's numbers are those of the program."""


class Program:
    """A model's training and its evaluation, each one compiled function over many batches."""

    def __init__(self, model: Model, example: Rows, settings: Settings, bind: Bind) -> None:
        """example: rows as the training step gets them; their number does not matter.

        bind: a context in which the model's numbers are those of the program.
        """
        import tensorflow as tf

        self._model, self._size, self._bind = model, settings.batch_size, bind
        self._kernels = settings.quick_kernels
        self._piece, self._is_warm = FIRST_PIECE, False
        self._one = tensors(tf.nest.map_structure(lambda array: array[:1], example))
        self._rows = tf.nest.map_structure(
            lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), example
        )

    def warm(self) -> None:
        """Let the model make its metrics' variables, which it does when it first evaluates.

        Made inside of a program they would have TensorFlow trace it twice.
        """
        if not self._is_warm:
            self._model.test_step(self._one[:2])
            self._is_warm = True

    @functools.cached_property
    def _train(self) -> Any:
        import tensorflow as tf

        index, bound = tf.TensorSpec([None], tf.int64), tf.TensorSpec([], tf.int32)
        with quick_kernels(self._kernels):
            return _traced(self._train_batches, [self._rows, index, bound, bound])

    @functools.cached_property
    def _test(self) -> Any:
        with quick_kernels(self._kernels):
            return _traced(self._test_batches, [self._rows[:2]])

    def retrace(self) -> None:
        """Trace training anew before it goes on: other weights are to be trained."""
        vars(self).pop("_train", None)

    def trace(self) -> None:
        """Trace what is not traced yet."""
        self.warm()
        _ = self._train, self._test

    def forget(self) -> None:
        """Trace everything anew when it is needed: numbers have become variables."""
        self.retrace()
        vars(self).pop("_test", None)

    def train(
        self, windows: Iterable[tuple[Rows, Index]], losses: StepLosses | None
    ) -> dict[str, float]:
        """One epoch over the rows of each window, by its index in its order; its metrics.

        losses: told wherever it wants to read the loss.
        """
        self._model.reset_metrics()
        logs: dict[str, float] = {}
        for rows, index in windows:
            logs = self._train_window(rows, index, losses)
        return logs

    def _train_window(
        self, rows: Rows, index: Index, losses: StepLosses | None
    ) -> dict[str, float]:
        import tensorflow as tf

        logs: dict[str, float] = {}
        begin, count = 0, len(index)
        while begin < count:
            clock = time.perf_counter()
            piece = min(self._piece, losses.left) if losses else self._piece
            end = min(begin + piece * self._size, count)
            logs = _plain(self._train(rows, index, tf.constant(begin), tf.constant(end)))
            each = (time.perf_counter() - clock) * self._size / (end - begin)
            if losses:
                losses.advance(-(-(end - begin) // self._size))
            self._piece, begin = next_piece(self._piece, each), end
        return logs

    def evaluate(self, windows: Iterable[Rows]) -> dict[str, float]:
        """The metrics over the rows of all windows, without training."""
        self._model.reset_metrics()
        logs: dict[str, float] = {}
        for rows in windows:
            logs = _plain(self._test(rows))
        return logs

    def _train_batches(
        self, rows: Rows, index: Index, begin: Tensor, end: Tensor
    ) -> dict[str, Tensor]:
        import tensorflow as tf

        def step(at: Tensor) -> Logs:
            batch = index[at : at + self._size]
            picked = tf.nest.map_structure(lambda a: tf.gather(a, batch), rows)
            return dict(self._model.train_step(picked))

        with self._bind():
            return self._over_batches(begin, end, step)

    def _test_batches(self, rows: Rows) -> dict[str, Tensor]:
        import tensorflow as tf

        def step(at: Tensor) -> Logs:
            end = at + self._size
            return dict(self._model.test_step(tf.nest.map_structure(lambda a: a[at:end], rows)))

        with self._bind():
            return self._over_batches(tf.constant(0), tf.shape(rows[1])[0], step)

    def _over_batches(
        self, begin: Tensor, end: Tensor, step: Callable[[Tensor], Logs]
    ) -> dict[str, Tensor]:
        """A loop inside the program, and the metrics after it; the last batch may be smaller.

        Raises TypeError where the steps tell of something that the metrics do not hold: `fit`
        reports what the last batch told.
        """
        import tensorflow as tf

        names: set[str] = set()

        def body(at: Tensor) -> tuple[Tensor]:
            names.update(step(at))
            return (at + self._size,)

        tf.while_loop(lambda at: at < end, body, [begin], parallel_iterations=1)
        results = dict(self._model.get_metrics_result())
        if names != set(results):
            alone = ", ".join(sorted(names ^ set(results)))
            raise TypeError(f"a step and the model's metrics do not both tell of {alone}")
        return results


def next_piece(piece: int, seconds: float) -> int:
    """The number of batches to run at once where each took `seconds`: not far from the last piece.

    A program's first run is slow for reasons that do not come back, and a clock may stand still.
    """
    return max(1, min(8 * piece, int(PIECE_SECONDS / max(seconds, 1e-9))))


def _traced(function: Callable[..., Any], signature: Sequence[Any]) -> Any:
    """The function as a program; traced once, so that TensorFlow does not look for other types."""
    import tensorflow as tf

    return tf.function(function, signature, autograph=False).get_concrete_function()


def _plain(logs: Logs) -> dict[str, float]:
    """The metrics as numbers, in the order in which `fit` gives them."""
    return {name: float(value) for name, value in sorted(logs.items())}


def tensors(rows: Rows) -> Rows:
    """The rows as tensors that stay on the device."""
    import tensorflow as tf

    return tf.nest.map_structure(tf.constant, rows)
