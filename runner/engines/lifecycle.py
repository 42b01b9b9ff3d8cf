"""The course of a run in engines that train one Keras model at a time: begin, evaluate, end."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from runner.engines.arrays import Callback
from runner.engines.contract import Job
from runner.engines.evaluators import after_training
from runner.engines.outputs import Evaluate, Predict, asked, evaluations_of
from runner.engines.tracker import Tracker, ranking_of
from runner.errors import ConfigError, JournalError, RunnerError
from runner.journal.records import RunEnd, RunStart
from runner.record.events import OnEvent, Refused


def live(
    job: Job,
    record: OnEvent,
    engine: str,
    body: Callable[[Tracker], RunEnd],
    reason: str | None = None,
) -> None:
    """Build the job's model, say that it begins, train it by `body`, and say how it ended.

    Left out are a job that was stopped before it began and one that cannot be built.

    reason: why this engine trains it, where another was asked for.
    """
    began = time.perf_counter()
    if job.stop() or not built(job, record, engine):
        return
    tracker = Tracker(job, record)
    record(started(job, engine, reason))
    try:
        end = body(tracker)
    except JournalError:
        raise
    except KeyboardInterrupt:
        end = tracker.stopped_by_user()
    except (Exception, SystemExit) as error:
        end = tracker.failed(error)
    finally:
        release(job)
    seconds = time.perf_counter() - began
    record(replace(end, seconds=seconds, wall_seconds=seconds))


def started(job: Job, engine: str, reason: str | None = None) -> RunStart:
    """The job's start as this engine records it: with what its built recipe tells."""
    monitor, mode = ranking_of(job)
    return replace(
        job.start,
        engine=engine,
        engine_reason=reason,
        monitor=monitor,
        mode=mode,
        modes=job.recipe.modes,
    )


def built(job: Job, record: OnEvent, engine: str) -> bool:
    """Build the job's recipe; where that fails, say so as the end of this job alone."""
    try:
        return job.recipe is not None
    except RunnerError as error:
        record(Refused(job.start.run_id, error))
    except (Exception, SystemExit) as error:
        fail(job, record, engine, error)
    return False


def fail(job: Job, record: OnEvent, engine: str, error: BaseException) -> None:
    """Record a job that failed before its training began."""
    record(replace(job.start, engine=engine))
    record(RunEnd.failed(job.start.run_id, error))


def insists(job: Job, record: OnEvent, engine: str, reason: str) -> bool:
    """Whether the job wants no engine but the one that declines it; then it is refused."""
    if not job.config.settings.strict:
        return False
    sentence = f"engine {engine} declines the run: {reason}; without strict=true another trains it"
    record(Refused(job.start.run_id, ConfigError(sentence)))
    release(job)
    return True


def release(job: Job) -> None:
    """Let go of the job's model: the jobs of a long sweep live as long as the sweep."""
    vars(job).pop("recipe", None)


def callbacks_of(
    job: Job, tracker: Tracker, retrace: Callable[[], None], alone: bool = True
) -> list[Callback]:
    """The recipe's callbacks between the tracker's two, those that read a monitor last.

    retrace: called when an epoch begins with other weights to train than the last one had; what
        is traced of the training step holds for those that were trainable then.
    alone: whether the run is judged as soon as an epoch is over; else the engine sees to it.
    """
    import keras

    model = job.recipe.model
    trained = [id(weight) for weight in model.trainable_weights]

    def epoch_begins(*_: Any) -> None:
        now = [id(weight) for weight in model.trainable_weights]
        if now != trained:
            trained[:] = now
            retrace()

    def epoch_ends(*_: Any) -> None:
        tracker.epoch_end()
        tracker.look()
        tracker.checkpoint()
        if alone:
            tracker.judge()

    # One that reads a number of the logs comes after those that may have put it there.
    callbacks = sorted(job.recipe.callbacks, key=lambda callback: hasattr(callback, "monitor"))
    first = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: tracker.epoch_begin(epoch + 1),
        on_epoch_end=lambda epoch, logs: tracker.epoch_over(epoch + 1, logs),
        on_test_begin=lambda logs: tracker.test_begin(),
        on_test_end=lambda logs: tracker.test_over(logs),
    )
    # Callbacks reset themselves when training begins, and act on the epoch's end.
    last = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: tracker.train_begin(),
        on_epoch_begin=epoch_begins,
        on_epoch_end=epoch_ends,
        on_test_begin=lambda logs: tracker.tested_with(callbacks),
        on_test_end=lambda logs: tracker.test_end(logs),
    )
    return [first, *callbacks, last]


def begin(job: Job) -> int:
    """Begin training, and give the number of epochs that the run already has behind it."""
    return len(job.resume.epochs) if job.resume else 0


def conclude(
    job: Job,
    tracker: Tracker,
    record: OnEvent,
    evaluate: Evaluate,
    predict: Predict | None = None,
) -> RunEnd:
    """Keep the best weights, evaluate them on val and test, have evaluators look at them.

    Gives the run's end.

    evaluate: Keras' metrics of a part. predict: the outputs (rows, outputs) for a pair of
    features and targets; without it, the job's own model is asked.
    """
    if tracker.trouble:
        if tracker.best_epoch is not None:
            tracker.keep_best()
        return tracker.failed(tracker.trouble)
    tracker.keep_best()
    for event in evaluations_of(job, evaluate, predict or asked(job)):
        record(event)
    if not tracker.hopeless:
        for event in after_training(job, tracker.best_epoch or tracker.epoch):
            record(event)
    if tracker.stopped:
        return tracker.stopped_by_user(f"after epoch {tracker.epoch}")
    if tracker.hopeless:
        return tracker.pruned()
    return tracker.finished()
