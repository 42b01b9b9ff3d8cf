"""Engine `fast`: the whole epoch as one TensorFlow program around the model's own `train_step`.

`fit` returns to Python for every batch; here a `tf.while_loop` runs over the batches of the
epoch's order, gathers each from tensors that stay on the device, and calls `train_step`, so that
loss, metrics, regularizers and optimizer stay Keras' own, and the losses equal the reference's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runner.build import steps
from runner.config import Settings
from runner.data import Part
from runner.devices import tensorflow_on
from runner.engines.contract import Job, Record
from runner.engines.lifecycle import begin, callbacks_of, conclude, live
from runner.engines.reference import fit
from runner.engines.tracker import Tracker
from runner.randomness import order
from runner.records import RunEnd

BATCH_HOOKS = ("on_batch_begin", "on_batch_end", "on_train_batch_begin", "on_train_batch_end")


class FastEngine:
    """One program an epoch; what cannot be one goes through `fit`, with the reason recorded."""

    name = "fast"

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """TensorFlow on the device that the settings name."""
        return tensorflow_on(settings)

    def train(self, jobs: Sequence[Job], record: Record) -> None:
        """Train the jobs one after the other."""
        for job in jobs:
            reason = declines(job)
            name = self.name if reason is None else f"keras (fast declines: {reason})"
            loop = run_program if reason is None else fit
            live(job, record, name, functools.partial(loop, job, record))


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


def run_program(job: Job, record: Record, tracker: Tracker) -> RunEnd:
    """Train the job's model, one call of the program an epoch."""
    import keras
    import tensorflow as tf

    model, splits, settings = job.recipe.model, job.data.splits, job.config.settings
    features, targets = (tf.constant(array) for array in splits.train)
    val = splits.val and tuple(tf.constant(array) for array in splits.val)
    taken = min(len(splits.train[0]), steps(job.config, job.data) * settings.batch_size)
    program = _Program(model, splits.train, settings.batch_size)
    callbacks = keras.callbacks.CallbackList(
        callbacks_of(job, tracker), model=model, epochs=settings.epochs, verbose=0
    )
    model.stop_training = False
    callbacks.on_train_begin()
    for epoch in range(begin(job), settings.epochs):
        callbacks.on_epoch_begin(epoch)
        drawn = order(settings.seed, epoch + 1, len(splits.train[0]))[:taken]
        logs = program.train(features, targets, tf.constant(drawn))
        if val:
            judged = program.evaluate(*val)
            logs |= {f"val_{name}": value for name, value in judged.items()}
        callbacks.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    # Optimizers that average weights put the average in place now, as `fit` has them do.
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end()

    def evaluate(part: Part) -> Mapping[str, Any]:
        return program.evaluate(*(tf.constant(array) for array in part))

    return conclude(job, tracker, record, evaluate)


class _Program:
    """A model's training and its evaluation, each one compiled function over all batches."""

    def __init__(self, model: Any, example: Part, batch_size: int) -> None:
        import tensorflow as tf

        self._model, self._size = model, batch_size
        # Its slots must not be made inside of a program that runs many times.
        model.optimizer.build(model.trainable_variables)
        rows = [tf.TensorSpec([None, *array.shape[1:]], array.dtype) for array in example]
        index = tf.TensorSpec([None], tf.int64)
        self._train = tf.function(self._train_all, [*rows, index], autograph=False)
        self._test = tf.function(self._test_all, rows, autograph=False)

    def train(self, features: Any, targets: Any, index: Any) -> dict[str, Any]:
        """One epoch over the rows of `index` in its order; the metrics of the epoch."""
        self._model.reset_metrics()
        self._train(features, targets, index)
        return dict(self._model.get_metrics_result())

    def evaluate(self, features: Any, targets: Any) -> dict[str, Any]:
        """The metrics over all rows, without training."""
        self._model.reset_metrics()
        self._test(features, targets)
        return dict(self._model.get_metrics_result())

    def _train_all(self, features: Any, targets: Any, index: Any) -> None:
        import tensorflow as tf

        def step(begin: Any) -> None:
            rows = index[begin : begin + self._size]
            self._model.train_step((tf.gather(features, rows), tf.gather(targets, rows)))

        self._over_batches(tf.shape(index)[0], step)

    def _test_all(self, features: Any, targets: Any) -> None:
        import tensorflow as tf

        def step(begin: Any) -> None:
            end = begin + self._size
            self._model.test_step((features[begin:end], targets[begin:end]))

        self._over_batches(tf.shape(features)[0], step)

    def _over_batches(self, rows: Any, step: Callable[[Any], None]) -> None:
        """A loop inside the program; the last batch may be smaller."""
        import tensorflow as tf

        def body(begin: Any) -> tuple[Any]:
            step(begin)
            return (begin + self._size,)

        tf.while_loop(lambda begin: begin < rows, body, [tf.constant(0)], parallel_iterations=1)
