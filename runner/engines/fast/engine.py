"""Engine `fast`: the whole epoch as one TensorFlow program around the model's own `train_step`.

`fit` returns to Python for every batch; here a `tf.while_loop` runs over the batches of the
epoch's order, gathers each from tensors that stay on the device, and calls `train_step`, so that
loss, metrics, regularizers and optimizer stay Keras' own, and the losses equal the reference's.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runner.backend.devices import tensorflow_on
from runner.backend.onednn_private import quick_kernels
from runner.backend.seeds import order
from runner.components.types import Recipe, Stream
from runner.config.settings import Settings
from runner.data.class_weights import weighted
from runner.data.prepare import Part, Prepared
from runner.data.stream import ahead, example_of, in_order, rows_of, windows
from runner.engines.arrays import Index, Logs, Model, Rows, Tensor
from runner.engines.contract import Job
from runner.engines.fast.shared import SharedPrograms
from runner.engines.keras_fit import fit
from runner.engines.lifecycle import (
    begin,
    built,
    callbacks_of,
    conclude,
    insists,
    live,
    release,
)
from runner.engines.step_losses import StepLosses
from runner.engines.tracker import Tracker
from runner.journal.records import RunEnd
from runner.model.build import steps
from runner.record.events import OnEvent

PIECE_SECONDS = 1.0
"""How long the program may run before Python gets a word in: signals, other threads."""
FIRST_PIECE = 4
"""Batches of a run's first piece; the later ones go by the clock."""
Bind = Callable[[], AbstractContextManager[None]]
SHARED = SharedPrograms()
BATCH_HOOKS = (
    *("on_batch_begin", "on_batch_end"),
    *(f"on_{pass_}_batch_{edge}" for pass_ in ("train", "test") for edge in ("begin", "end")),
)


class FastEngine:
    """One program an epoch; what cannot be one goes through `fit`, with the reason recorded."""

    name = "fast"

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """TensorFlow on the device that the settings name."""
        return tensorflow_on(settings.device, settings.deterministic)

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Train the jobs one after the other."""
        for job in jobs:
            self.train_one(job, record)

    def train_one(self, job: Job, record: OnEvent, reason: str | None = None) -> None:
        """Train one job; reason: why no other engine does."""
        if job.stop() or not built(job, record, self.name):
            return
        declined = declines(job)
        if declined is not None:
            if not insists(job, record, self.name, declined):
                both = "; ".join(filter(None, (reason, f"fast declines: {declined}")))
                live(job, record, "keras", functools.partial(fit, job, record), both)
            return
        settings, example = job.config.settings, _example(job.data)

        def program_of(recipe: Recipe, bind: Bind) -> _Program:
            return _Program(recipe.model, example, settings, bind)

        with SHARED.borrow(job, program_of) as (shared_job, program):
            live(
                shared_job,
                record,
                self.name,
                functools.partial(run_program, shared_job, record, program),
                reason,
            )
        release(job)


def declines(job: Job) -> str | None:
    """Why the run needs Keras' own loop, if it does."""
    import keras

    for callback in job.recipe.callbacks:
        if _overrides(callback, keras.callbacks.Callback, BATCH_HOOKS):
            return f"the callback {type(callback).__name__} acts on batches"
    model = job.recipe.model
    if model.run_eagerly:
        return "the model runs eagerly"
    if _overrides(model, keras.Model, ("fit", "make_train_function")):
        return f"{type(model).__name__} has a training loop of its own"
    return None


def _overrides(thing: Any, base: type, hooks: Sequence[str]) -> bool:
    """Whether the thing's class, or the thing itself, brings one of the hooks."""
    return any(
        hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)
        for hook in hooks
    )


def run_program(job: Job, record: OnEvent, program: _Program, tracker: Tracker) -> RunEnd:
    """Train the job's model, each epoch in one or a few calls of the program."""
    import keras

    model, splits, settings = job.recipe.model, job.data.splits, job.config.settings
    epoch_of = _training(job)
    val = splits.val and _evaluating(splits.val, settings.batch_size)
    program.warm()
    callbacks = keras.callbacks.CallbackList(
        callbacks_of(job, tracker, program.retrace),
        model=model,
        epochs=settings.epochs,
        verbose=0,
    )
    model.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(begin(job), settings.epochs):
        callbacks.on_epoch_begin(epoch)
        logs = program.train(epoch_of(epoch + 1), tracker.losses)
        if val:
            callbacks.on_test_begin()
            val_logs = program.evaluate(val())
            callbacks.on_test_end(val_logs)
            logs |= {f"val_{name}": value for name, value in val_logs.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    # Optimizers that average weights put the average in place now, as `fit` has them do.
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end()

    def evaluate(part: Part) -> Logs:
        return program.evaluate(_evaluating(part, settings.batch_size)())

    return conclude(job, tracker, record, evaluate)


def _example(data: Prepared) -> Rows:
    """The rows as the training step gets them: features, targets and, where there are, weights."""
    features, targets = example_of(data.splits.train)
    return weighted(features, targets, data.weights, data.class_weights)


def _training(job: Job) -> Callable[[int], Iterator[tuple[Rows, Index]]]:
    """Make the function from an epoch (counted from 1) to its rows as tensors and their index.

    Once, or window by window where the rows do not fit into memory.
    """
    import tensorflow as tf

    data, settings = job.data, job.config.settings
    part, size, seed = data.splits.train, settings.batch_size, settings.seed
    taken = min(rows_of(part), steps(job.config, data) * size)
    if isinstance(part, Stream):

        def read(epoch: int) -> Iterator[tuple[Rows, Index]]:
            for window in ahead(windows(part, size, (seed, epoch), taken)):
                rows = weighted(window.features, window.targets, None, data.class_weights)
                yield _tensors(rows), tf.constant(window.index)

        return read
    resident = _tensors(_example(data))

    def gathered(epoch: int) -> Iterator[tuple[Rows, Index]]:
        yield resident, tf.constant(order(seed, epoch, rows_of(part))[:taken])

    return gathered


def _evaluating(part: Part, size: int) -> Callable[[], Iterator[Rows]]:
    """Make the source of the part's rows as tensors, in their own order: once, or by windows."""
    if isinstance(part, Stream):

        def rows() -> Iterator[Rows]:
            for window in ahead(windows(part, size)):
                yield _tensors(in_order(window))

        return rows
    resident = _tensors(part)
    return lambda: iter([resident])


def _tensors(rows: Rows) -> Rows:
    import tensorflow as tf

    return tf.nest.map_structure(tf.constant, rows)


class _Program:
    """A model's training and its evaluation, each one compiled function over many batches."""

    def __init__(self, model: Model, example: Rows, settings: Settings, bind: Bind) -> None:
        """example: rows as the training step gets them; their number does not matter.

        bind: a context in which the model's numbers are those of the program.
        """
        import tensorflow as tf

        self._model, self._size, self._bind = model, settings.batch_size, bind
        self._kernels = settings.quick_kernels
        self._piece, self._is_warm = FIRST_PIECE, False
        self._one = _tensors(tf.nest.map_structure(lambda array: array[:1], example))
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

        def step(at: Tensor) -> None:
            batch = index[at : at + self._size]
            self._model.train_step(tf.nest.map_structure(lambda a: tf.gather(a, batch), rows))

        with self._bind():
            return self._over_batches(begin, end, step)

    def _test_batches(self, rows: Rows) -> dict[str, Tensor]:
        import tensorflow as tf

        def step(at: Tensor) -> None:
            end = at + self._size
            self._model.test_step(tf.nest.map_structure(lambda a: a[at:end], rows))

        with self._bind():
            return self._over_batches(tf.constant(0), tf.shape(rows[1])[0], step)

    def _over_batches(
        self, begin: Tensor, end: Tensor, step: Callable[[Tensor], None]
    ) -> dict[str, Tensor]:
        """A loop inside the program, and the metrics after it; the last batch may be smaller."""
        import tensorflow as tf

        def body(at: Tensor) -> tuple[Tensor]:
            step(at)
            return (at + self._size,)

        tf.while_loop(lambda at: at < end, body, [begin], parallel_iterations=1)
        return dict(self._model.get_metrics_result())


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
