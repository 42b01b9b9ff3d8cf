"""Engine `keras`: `model.fit`, the reference that every other engine must agree with.

Nothing of Keras or TensorFlow is replaced here, so that a fault of what other engines replace
shows when they are compared. Ours is what `fit` is given: the batches in our order, and callbacks.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from runner.backend.devices import tensorflow_on
from runner.backend.seeds import order
from runner.components.types import Stream
from runner.config.settings import Settings
from runner.data.class_weights import weighted
from runner.data.prepare import Part
from runner.data.stream import ahead, example_of, in_order, rows_of, windows
from runner.engines.arrays import Callback, Index, Logs, Model, Rows, Tensor
from runner.engines.contract import Job
from runner.engines.lifecycle import begin, built, callbacks_of, conclude, live, release
from runner.engines.mirrored import refused, shares, size_of_batches, taking_shares
from runner.engines.tracker import Tracker
from runner.errors import ConfigError
from runner.journal.records import RunEnd
from runner.model.build import steps
from runner.record.events import OnEvent, Refused

if TYPE_CHECKING:
    import tensorflow as tf


class KerasEngine:
    """One `fit` call a run, over batches whose order is ours."""

    name = "keras"

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """TensorFlow on the device that the settings name."""
        return tensorflow_on(settings.device, settings.deterministic)

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Train the jobs one after the other."""
        for job in jobs:
            train_by_fit(job, record)


def train_by_fit(job: Job, record: OnEvent, reason: str | None = None) -> None:
    """Train one job; reason: why no other engine does."""
    if job.stop() or not built(job, record, KerasEngine.name):
        return
    if (sentence := refused(job)) is not None:
        record(Refused(job.start.run_id, ConfigError(sentence)))
        return release(job)
    live(job, record, KerasEngine.name, functools.partial(fit, job, record), reason)


def fit(job: Job, record: OnEvent, tracker: Tracker) -> RunEnd:
    """Train the job's model with Keras' own loop."""
    model, splits = job.recipe.model, job.data.splits
    size = job.config.settings.batch_size
    trouble: list[Exception] = []
    example = example_of(splits.train)
    retrace = functools.partial(model.make_train_function, force=True)

    def evaluated(part: Part) -> Any:
        at_once = size_of_batches(model, size, rows_of(part))
        return shares(model, batches(part, at_once, trouble))

    try:
        with taking_shares(model, example):
            model.fit(
                shares(model, epochs_of(job, trouble)),
                steps_per_epoch=steps(job.config, job.data),
                epochs=job.config.settings.epochs,
                initial_epoch=begin(job),
                validation_data=splits.val and evaluated(splits.val),
                callbacks=[*callbacks_of(job, tracker, retrace), *_step_losses(model, tracker)],
                shuffle=False,  # the order is ours
                verbose=0,
            )
    except Exception as error:
        # What a source raises reaches us only as a part of TensorFlow's own words.
        raise (trouble or [error])[0] from None

    def evaluate(part: Part) -> Logs:
        with taking_shares(model, example):
            metrics: Logs = model.evaluate(evaluated(part), verbose=0, return_dict=True)
        return metrics

    return conclude(job, tracker, record, evaluate)


def _step_losses(model: Model, tracker: Tracker) -> list[Callback]:
    """The callback that says how far an epoch is, where its losses are read; last of all."""
    import keras

    losses = tracker.losses
    if losses is None:
        return []
    return [
        keras.callbacks.LambdaCallback(
            on_train_batch_end=lambda batch, logs: losses.advance(1, last=model.stop_training)
        )
    ]


def batches(part: Part, size: int, trouble: list[Exception]) -> tf.data.Dataset:
    """The rows in their own order, `size` at a time.

    trouble: takes what a stream's source raises.
    """
    import tensorflow as tf

    if not isinstance(part, Stream):
        return tf.data.Dataset.from_tensor_slices(part).batch(size).prefetch(tf.data.AUTOTUNE)

    def read() -> Iterator[Rows]:
        for window in ahead(windows(part, size)):
            rows = in_order(window)
            for at in range(0, len(window.index), size):
                yield _taken(rows, slice(at, at + size))

    return _generated(read, part.sample, -(-part.rows // size), trouble)


def epochs_of(job: Job, trouble: list[Exception]) -> tf.data.Dataset:
    """The batches of all epochs, one stream; each epoch in the order of (seed, epoch).

    trouble: takes what a stream's source raises.
    """
    if isinstance(job.data.splits.train, Stream):
        return _read_epochs_of(job, job.data.splits.train, trouble)
    import tensorflow as tf

    data, settings = job.data, job.config.settings
    arrays = weighted(*example_of(data.splits.train), data.weights, None)
    tensors = tf.nest.map_structure(tf.constant, arrays)
    rows, size = rows_of(data.splits.train), settings.batch_size
    taken = min(rows, steps(job.config, data) * size)
    whole = taken // size

    def one_epoch(epoch: Tensor) -> tf.data.Dataset:
        drawn = tf.numpy_function(
            lambda e: order(settings.seed, int(e), rows)[:taken], [epoch], tf.int64
        )
        drawn.set_shape([taken])
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(drawn[: whole * size], [whole, size]))
        if whole * size == taken:
            return full
        return full.concatenate(tf.data.Dataset.from_tensors(drawn[whole * size :]))

    def gather(index: Index) -> Rows:
        return tf.nest.map_structure(lambda tensor: tf.gather(tensor, index), tensors)

    return (
        tf.data.Dataset.range(begin(job) + 1, settings.epochs + 1)
        .flat_map(one_epoch)
        .map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )


def _read_epochs_of(job: Job, part: Stream, trouble: list[Exception]) -> tf.data.Dataset:
    """The same for a training part that is read anew in every epoch."""
    data, settings = job.data, job.config.settings
    size, each = settings.batch_size, steps(job.config, data)
    epochs = range(begin(job) + 1, settings.epochs + 1)

    def read() -> Iterator[Rows]:
        for epoch in epochs:
            taken = min(part.rows, each * size)
            for window in ahead(windows(part, size, (settings.seed, epoch), taken)):
                rows = weighted(window.features, window.targets, None, data.class_weights)
                for at in range(0, len(window.index), size):
                    yield _taken(rows, window.index[at : at + size])

    example = weighted(*part.sample, None, data.class_weights)
    return _generated(read, example, each * len(epochs), trouble)


def _taken(rows: Rows, index: Index) -> Rows:
    """The rows of nested arrays at an index."""
    import keras

    return keras.tree.map_structure(lambda array: array[index], rows)


def _generated(
    read: Callable[[], Iterator[Rows]], example: Rows, count: int, trouble: list[Exception]
) -> tf.data.Dataset:
    """So many batches like the example, read in a thread while others are trained on."""
    import tensorflow as tf

    def noted() -> Iterator[Rows]:
        try:
            yield from read()
        except Exception as error:
            trouble.append(error)
            raise

    signature = tf.nest.map_structure(
        lambda array: tf.TensorSpec([None, *array.shape[1:]], array.dtype), example
    )
    return (
        tf.data.Dataset.from_generator(noted, output_signature=signature)
        .apply(tf.data.experimental.assert_cardinality(count))
        .prefetch(tf.data.AUTOTUNE)
    )
