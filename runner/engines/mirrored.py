"""One run on all devices: Keras' `fit` under a strategy, with every row of a batch counted once.

Each device has a copy of the model and takes its share of each batch; the copies add up their
gradients. Keras gives the devices' mean losses equal weight, which is right only where the shares
are equal; here each counts by its rows, so that the gradient is that of the whole batch also where
the last one is short or a batch cannot be divided.
"""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from runner.data.stream import rows_of
from runner.engines.arrays import Logs, Model, Rows, Tensor
from runner.engines.contract import Job
from runner.model.build import steps
from runner.model.own_steps import own_loop, own_step

if TYPE_CHECKING:
    import tensorflow as tf

MEANS = ("sum_over_batch_size", "mean")
"""Reductions of a loss to the mean over the rows of a batch."""


def copies(model: Model) -> int:
    """On how many devices the model is."""
    count: int = model.distribute_strategy.num_replicas_in_sync
    return count


def refused(job: Job) -> str | None:
    """Why the job's model, which is on several devices, cannot be trained there, if it cannot."""
    model, size = job.recipe.model, job.config.settings.batch_size
    if (devices := copies(model)) == 1:
        return None
    if own := own_step(model) or own_loop(model):
        return (
            f"device=all trains by Keras' own steps, and {own[0]} has a {own[1]} of its own: "
            "choose one device, as device=auto does"
        )
    reduction = getattr(job.recipe.loss, "reduction", MEANS[0])
    if reduction not in MEANS:
        return (
            "device=all needs a loss that is a mean over the rows of a batch, and "
            f"{type(job.recipe.loss).__name__} has reduction={reduction}: choose "
            "one device, as device=auto does"
        )
    taken = min(rows_of(job.data.splits.train), steps(job.config, job.data) * size)
    least = min(size, taken, taken % size or size)
    if least < devices:
        return (
            f"device=all: with batch_size={size} an epoch of {taken} rows has a batch of {least} "
            f"for {devices} devices: choose a batch_size that leaves none of less than {devices}"
        )
    return None


def size_of_batches(model: Model, size: int, rows: int) -> int:
    """The number of rows to evaluate at once: about `size`, so that no device gets none."""
    devices = copies(model)
    while 0 < rows % size < devices and size < rows:
        size += 1
    return size


def shares(model: Model, dataset: tf.data.Dataset) -> Any:
    """The batches, each in equal pieces, one for each device that the model is on.

    Where a batch cannot be divided, some pieces end with a row that does not count: each says
    how many of its rows do, and how many the batch has.
    """
    import tensorflow as tf

    if (devices := copies(model)) == 1:
        return dataset

    def cut(*batch: Rows) -> tf.data.Dataset:
        rows = tf.shape(tf.nest.flatten(batch)[0])[0]

        def piece(number: Tensor) -> Rows:
            number = tf.cast(number, tf.int32)
            begin, end = number * rows // devices, (number + 1) * rows // devices
            index = tf.minimum(begin + tf.range(-(-rows // devices)), rows - 1)
            features, targets, *weights = tf.nest.map_structure(
                lambda array: tf.gather(array, index), batch
            )
            return features, targets, {"weights": tuple(weights), "rows": end - begin, "of": rows}

        return tf.data.Dataset.range(devices).map(piece)

    pieces = dataset.flat_map(cut).prefetch(2 * devices)
    strategy = model.distribute_strategy
    # A copy from the processor to itself would only take threads, which wait for each other.
    to_device = not all("CPU" in place for place in strategy.extended.worker_devices)
    options = tf.distribute.InputOptions(experimental_fetch_to_device=to_device)
    return strategy.distribute_datasets_from_function(lambda context: pieces, options)


@contextlib.contextmanager
def taking_shares(model: Model, example: Rows) -> Iterator[None]:
    """Have the model's steps take what `shares` gives; as they are where it is on one device.

    example: a row or more, as (features, targets).
    """
    if (devices := copies(model)) == 1:
        yield
        return
    _build_metrics(model, example)
    train_step, test_step = model.train_step, model.test_step
    optimizer, mine = model.optimizer, threading.local()  # each device is traced on a thread
    scale_loss = optimizer.scale_loss

    def by_rows(loss: Tensor) -> Tensor:
        import tensorflow as tf

        return scale_loss(loss * tf.cast(mine.factor, loss.dtype))

    def train(data: Rows) -> Logs:
        import tensorflow as tf

        rows, of = data[2]["rows"], data[2]["of"]
        mine.factor = tf.cast(devices * rows, tf.float32) / tf.cast(of, tf.float32)
        return dict(train_step(_counted(data)))

    def test(data: Rows) -> Logs:
        return dict(test_step(_counted(data)))

    optimizer.scale_loss, model.train_step, model.test_step = by_rows, train, test
    _forget(model)
    try:
        with warnings.catch_warnings():
            # Said at the end of val, whose number of batches Keras does not know here.
            warnings.filterwarnings("ignore", "Your input ran out of data")
            yield
    finally:
        del optimizer.scale_loss, model.train_step, model.test_step
        _forget(model)


def _counted(piece: Rows) -> Rows:
    """The rows of a piece that count, as Keras' steps take them."""
    import tensorflow as tf

    features, targets, more = piece
    return tf.nest.map_structure(
        lambda array: array[: more["rows"]], (features, targets, *more["weights"])
    )


def _build_metrics(model: Model, example: Rows) -> None:
    """Have the metrics make their variables, which Keras would from a batch as it knows them."""
    import tensorflow as tf

    def test(row: Rows) -> None:
        model.distribute_strategy.run(model.test_step, (row,))

    tf.function(test)(tf.nest.map_structure(lambda array: tf.constant(array[:1]), example))
    model.reset_metrics()


def _forget(model: Model) -> None:
    """Have Keras trace the steps anew."""
    model.train_function = model.test_function = None
