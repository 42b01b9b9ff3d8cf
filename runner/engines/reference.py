"""Engine `keras`: `model.fit`, the reference that every other engine must agree with."""

from __future__ import annotations

import time
import traceback
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.build import steps
from runner.config import Settings
from runner.data import Part, parts
from runner.devices import tensorflow_on
from runner.engines.contract import Job, Record
from runner.engines.tracker import Tracker
from runner.errors import JournalError, in_one_line
from runner.randomness import order
from runner.records import Evaluation, RunEnd

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
            began = time.perf_counter()
            tracker = Tracker(job, record)
            record(replace(job.start, engine=self.name))
            try:
                end = self._train(job, tracker, record)
            except JournalError:
                raise
            except KeyboardInterrupt:
                end = tracker.end("stopped", "stopped by the user")
            except (Exception, SystemExit) as error:
                end = tracker.end("failed", in_one_line(error), traceback.format_exc())
            record(replace(end, seconds=time.perf_counter() - began))

    def _train(self, job: Job, tracker: Tracker, record: Record) -> RunEnd:
        import keras

        model, data = job.recipe.model, job.data
        size = job.config.settings.batch_size
        first = keras.callbacks.LambdaCallback(
            on_epoch_begin=lambda epoch, logs: tracker.epoch_begin(epoch + 1),
            on_epoch_end=lambda epoch, logs: tracker.epoch_end(epoch + 1, logs),
        )
        # Callbacks reset themselves when training begins, and act on the epoch's end.
        last = keras.callbacks.LambdaCallback(
            on_train_begin=lambda logs: tracker.train_begin(),
            on_epoch_end=lambda epoch, logs: tracker.checkpoint(),
        )
        model.fit(
            epochs_of(data.splits.train, job),
            steps_per_epoch=steps(job.config, data),
            epochs=job.config.settings.epochs,
            initial_epoch=begin(job),
            validation_data=data.splits.val and batches(data.splits.val, size),
            callbacks=[first, *job.recipe.callbacks, last],
            shuffle=False,  # the order is ours
            verbose=0,
        )
        if tracker.trouble:
            return tracker.end("failed", tracker.trouble)
        tracker.keep_best()
        for split, part in parts(data.splits):
            if split != "train":
                judged = model.evaluate(batches(part, size), verbose=0, return_dict=True)
                values = {name: float(value) for name, value in judged.items()}
                record(Evaluation(job.start.run_id, split, values))
        if tracker.stopped:
            return tracker.end("stopped", f"stopped by the user after epoch {tracker.epoch}")
        return tracker.end("finished")


def begin(job: Job) -> int:
    """How many epochs the run has behind it before it begins."""
    return len(job.resume.epochs) if job.resume else 0


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
