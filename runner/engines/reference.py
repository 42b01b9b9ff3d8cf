"""Engine `keras`: `model.fit`, the reference that every other engine must agree with."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from runner.build import steps
from runner.config import Settings
from runner.data import Part
from runner.devices import tensorflow_on
from runner.engines.contract import Job, Record
from runner.engines.lifecycle import begin, callbacks_of, conclude, live
from runner.engines.tracker import Tracker
from runner.randomness import order
from runner.records import RunEnd

if TYPE_CHECKING:
    import tensorflow as tf


class KerasEngine:
    """One `fit` call a run, over batches whose order is ours."""

    name = "keras"

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """TensorFlow on the device that the settings name."""
        return tensorflow_on(settings)

    def train(self, jobs: Sequence[Job], record: Record) -> None:
        """Train the jobs one after the other."""
        for job in jobs:
            live(job, record, self.name, functools.partial(fit, job, record))


def fit(job: Job, record: Record, tracker: Tracker) -> RunEnd:
    """Train the job's model with Keras' own loop."""
    model, data = job.recipe.model, job.data
    size = job.config.settings.batch_size
    model.fit(
        epochs_of(data.splits.train, job),
        steps_per_epoch=steps(job.config, data),
        epochs=job.config.settings.epochs,
        initial_epoch=begin(job),
        validation_data=data.splits.val and batches(data.splits.val, size),
        callbacks=callbacks_of(job, tracker),
        shuffle=False,  # the order is ours
        verbose=0,
    )

    def evaluate(part: Part) -> Mapping[str, Any]:
        judged: Mapping[str, Any] = model.evaluate(
            batches(part, size), verbose=0, return_dict=True
        )
        return judged

    return conclude(job, tracker, record, evaluate)


def batches(part: Part, size: int) -> tf.data.Dataset:
    """The rows in their own order, `size` at a time."""
    import tensorflow as tf

    return tf.data.Dataset.from_tensor_slices(part).batch(size).prefetch(tf.data.AUTOTUNE)


def epochs_of(part: Part, job: Job) -> tf.data.Dataset:
    """The batches of all epochs, one stream; each epoch in the order of (seed, epoch)."""
    import tensorflow as tf

    features, targets = (tf.constant(array) for array in part)
    settings = job.config.settings
    rows, size = len(part[0]), settings.batch_size
    taken = min(rows, steps(job.config, job.data) * size)
    whole = taken // size

    def one_epoch(epoch: Any) -> tf.data.Dataset:
        drawn = tf.numpy_function(
            lambda e: order(settings.seed, int(e), rows)[:taken], [epoch], tf.int64
        )
        drawn.set_shape([taken])
        full = tf.data.Dataset.from_tensor_slices(tf.reshape(drawn[: whole * size], [whole, size]))
        if whole * size == taken:
            return full
        return full.concatenate(tf.data.Dataset.from_tensors(drawn[whole * size :]))

    def gather(index: Any) -> Any:
        return tf.gather(features, index), tf.gather(targets, index)

    return (
        tf.data.Dataset.range(begin(job) + 1, settings.epochs + 1)
        .flat_map(one_epoch)
        .map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )
