"""Engine `keras`: `model.fit`, the reference that every other engine must agree with."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.build import steps
from runner.data import Part, parts
from runner.engines.contract import Job, Record
from runner.engines.tracker import Tracker
from runner.randomness import order
from runner.records import Evaluation, RunEnd

if TYPE_CHECKING:
    import tensorflow as tf


class KerasEngine:
    """One `fit` call a run, over batches whose order is ours."""

    name = "keras"

    def train(self, jobs: Sequence[Job], record: Record) -> None:
        """Train the jobs one after the other."""
        for job in jobs:
            began = time.perf_counter()
            record(replace(job.start, engine=self.name))
            tracker = Tracker(job, record)
            try:
                end = self._train(job, tracker, record)
            except KeyboardInterrupt:
                end = tracker.end("stopped", "stopped by the user")
            except Exception as error:
                said = f"{type(error).__name__}: {error}".partition("\n")[0]
                end = tracker.end("failed", said, traceback.format_exc())
            record(replace(end, seconds=time.perf_counter() - began))

    def _train(self, job: Job, tracker: Tracker, record: Record) -> RunEnd:
        import keras

        model, data = job.recipe.model, job.data
        size = job.config.settings.batch_size
        follow = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: tracker.epoch_begin(epoch + 1),
            on_epoch_end=lambda epoch, logs: tracker.epoch_end(epoch + 1, logs),
        )
        model.fit(
            epochs_of(data.splits.train, job),
            steps_per_epoch=steps(job.config, data),
            epochs=job.config.settings.epochs,
            validation_data=data.splits.val and batches(data.splits.val, size),
            callbacks=[follow, *job.recipe.callbacks],
            shuffle=False,  # the order is ours
            verbose=0,
        )
        if tracker.trouble:
            return tracker.end("failed", tracker.trouble)
        tracker.restore_best()
        record(tracker.kept())
        for split, part in parts(data.splits):
            if split != "train":
                judged = model.evaluate(batches(part, size), verbose=0, return_dict=True)
                values = {name: float(value) for name, value in judged.items()}
                record(Evaluation(job.start.run_id, split, values))
        return tracker.end("finished")


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
        tf.data.Dataset.range(1, settings.epochs + 1)
        .flat_map(one_epoch)
        .map(gather, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        .prefetch(tf.data.AUTOTUNE)
    )
