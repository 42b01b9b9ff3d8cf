"""What is the same in every engine that trains one Keras model at a time: begin, judge, end."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from runner.data import Part, parts
from runner.engines.contract import Job, Record
from runner.engines.tracker import Tracker
from runner.errors import JournalError, in_one_line
from runner.records import Evaluation, RunEnd


def live(job: Job, record: Record, engine: str, body: Callable[[Tracker], RunEnd]) -> None:
    """Build the job's model, say that it begins, train it by `body`, and say how it ended.

    What is wrong with the build is raised; a failure after the start becomes the run's end.
    """
    began = time.perf_counter()
    tracker = Tracker(job, record)
    record(replace(job.start, engine=engine))
    try:
        end = body(tracker)
    except JournalError:
        raise
    except KeyboardInterrupt:
        end = tracker.end("stopped", "stopped by the user")
    except (Exception, SystemExit) as error:
        end = tracker.end("failed", in_one_line(error), traceback.format_exc())
    record(replace(end, seconds=time.perf_counter() - began))


def callbacks_of(job: Job, tracker: Tracker) -> list[Any]:
    """The recipe's callbacks between the tracker's two."""
    import keras

    first = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: tracker.epoch_begin(epoch + 1),
        on_epoch_end=lambda epoch, logs: tracker.epoch_end(epoch + 1, logs),
    )
    # Callbacks reset themselves when training begins, and act on the epoch's end.
    last = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: tracker.train_begin(),
        on_epoch_end=lambda epoch, logs: tracker.checkpoint(),
    )
    return [first, *job.recipe.callbacks, last]


def begin(job: Job) -> int:
    """How many epochs the run has behind it before it begins."""
    return len(job.resume.epochs) if job.resume else 0


def conclude(
    job: Job, tracker: Tracker, record: Record, evaluate: Callable[[Part], Mapping[str, Any]]
) -> RunEnd:
    """Keep the best weights, judge them on val and test, and make the run's end."""
    if tracker.trouble:
        if tracker.best_epoch is not None:
            tracker.keep_best()
        return tracker.end("failed", tracker.trouble)
    tracker.keep_best()
    for split, part in parts(job.data.splits):
        if split != "train":
            values = {name: float(value) for name, value in evaluate(part).items()}
            record(Evaluation(job.start.run_id, split, values))
    if tracker.stopped:
        return tracker.end("stopped", f"stopped by the user after epoch {tracker.epoch}")
    return tracker.end("finished")
