"""Engine `fast`: the whole epoch as one TensorFlow program around the model's own `train_step`.

`fit` returns to Python for every batch; here a `tf.while_loop` runs over the batches of the
epoch's order, gathers each from tensors that stay on the device, and calls `train_step`, so that
loss, metrics, regularizers and optimizer stay Keras' own, and the losses equal the reference's.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from runner.backend.devices import tensorflow_on
from runner.backend.seeds import order
from runner.components.types import Recipe, Stream
from runner.config.settings import Settings
from runner.data.class_weights import weighted
from runner.data.prepare import Part, Prepared
from runner.data.stream import ahead, example_of, in_order, rows_of, windows
from runner.engines.arrays import Index, Logs, Rows
from runner.engines.contract import Job
from runner.engines.fast.program import Bind, Program, tensors
from runner.engines.fast.shared import SharedPrograms
from runner.engines.keras_fit import train_by_fit
from runner.engines.lifecycle import (
    begin,
    built,
    callbacks_of,
    conclude,
    insists,
    live,
    release,
)
from runner.engines.mirrored import copies
from runner.engines.tracker import Tracker
from runner.errors import in_one_line
from runner.journal.records import RunEnd
from runner.model.build import steps
from runner.model.own_steps import own_loop, own_step
from runner.record.events import OnEvent

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
        if (declined := declines(job)) is not None:
            return self._leave_to_fit(job, record, declined, reason)
        settings, example = job.config.settings, _example(job.data)

        def program_of(recipe: Recipe, bind: Bind) -> Program:
            return Program(recipe.model, example, settings, bind)

        with SHARED.borrow(job, program_of) as (shared_job, program):
            if (declined := untraceable(job, program)) is not None:
                return self._leave_to_fit(job, record, declined, reason)
            live(
                shared_job,
                record,
                self.name,
                functools.partial(run_program, shared_job, record, program),
                reason,
            )
        release(job)

    def _leave_to_fit(self, job: Job, record: OnEvent, declined: str, reason: str | None) -> None:
        """Have Keras' own loop train the job, unless it insists on this engine."""
        if not insists(job, record, self.name, declined):
            both = "; ".join(filter(None, (reason, f"fast declines: {declined}")))
            train_by_fit(job, record, both)


def untraceable(job: Job, program: Program) -> str | None:
    """Why a model's own steps cannot be one program, if they cannot; Keras' own always can."""
    if (own := own_step(job.recipe.model)) is None:
        return None
    try:
        program.trace()
    except Exception as error:
        release(job)  # half of it may be traced
        name, step = own
        return f"{name} has a {step} of its own, which is no program: {in_one_line(error)}"
    return None


def declines(job: Job) -> str | None:
    """Why the run needs Keras' own loop, if it does."""
    import keras

    for callback in job.recipe.callbacks:
        if _overrides(callback, keras.callbacks.Callback, BATCH_HOOKS):
            return f"the callback {type(callback).__name__} acts on batches"
    model = job.recipe.model
    if copies(model) > 1:
        return "device=all has a copy of the model on every device, which Keras' own loop trains"
    if model.run_eagerly:
        return "the model runs eagerly"
    if (own := own_loop(model)) is not None:
        return f"{own[0]} has a training loop of its own"
    return None


def _overrides(thing: Any, base: type, hooks: Sequence[str]) -> bool:
    """Whether the thing's class, or the thing itself, brings one of the hooks."""
    return any(
        hook in vars(thing) or getattr(type(thing), hook) is not getattr(base, hook)
        for hook in hooks
    )


def run_program(job: Job, record: OnEvent, program: Program, tracker: Tracker) -> RunEnd:
    """Train the job's model, each epoch in one or a few calls of the program."""
    import keras

    model, splits, settings = job.recipe.model, job.data.splits, job.config.settings
    epoch_of = _training(job)
    val = splits.val and _evaluating(splits.val, settings.batch_size)
    program.warm()
    callbacks = keras.callbacks.CallbackList(
        callbacks_of(job, tracker, program.retrace),
        add_history=True,
        model=model,
        epochs=settings.epochs,
        steps=steps(job.config, job.data),
        verbose=0,
    )
    model.stop_training = False
    logs: Logs = {}
    callbacks.on_train_begin()
    for epoch in range(begin(job), settings.epochs):
        callbacks.on_epoch_begin(epoch)
        epoch_logs = program.train(epoch_of(epoch + 1), tracker.losses)
        if val:
            callbacks.on_test_begin()
            val_logs = program.evaluate(val())
            callbacks.on_test_end(val_logs)
            epoch_logs |= {f"val_{name}": value for name, value in val_logs.items()}
        callbacks.on_epoch_end(epoch, epoch_logs)
        logs = epoch_logs
        if model.stop_training:
            break
    # Optimizers that average weights put the average in place now, as `fit` has them do.
    model.optimizer.finalize_variable_values(model.trainable_weights)
    callbacks.on_train_end(logs)

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
                yield tensors(rows), tf.constant(window.index)

        return read
    resident = tensors(_example(data))

    def gathered(epoch: int) -> Iterator[tuple[Rows, Index]]:
        yield resident, tf.constant(order(seed, epoch, rows_of(part))[:taken])

    return gathered


def _evaluating(part: Part, size: int) -> Callable[[], Iterator[Rows]]:
    """Make the source of the part's rows as tensors, in their own order: once, or by windows."""
    if isinstance(part, Stream):

        def rows() -> Iterator[Rows]:
            for window in ahead(windows(part, size)):
                yield tensors(in_order(window))

        return rows
    resident = tensors(part)
    return lambda: iter([resident])
