"""An engine that needs no TensorFlow: `engine=tests.faults.engine:SteadyEngine`.

Its losses are a pure function of (seed, epoch). Whatever `record` has taken it acknowledges on a
side channel, a line a thing, so that a test can compare what a killed process had been promised
with what the warehouse has.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from runner.config.settings import Settings
from runner.engines.contract import Job
from runner.engines.fast.engine import FastEngine
from runner.errors import JournalError
from runner.journal.records import EpochEnd, Evaluation, RunEnd, RunStart
from runner.record.events import Event, Kept, OnEvent

SIDE = "SWEEPHOUSE_TEST_SIDE"
"""Environment variable: the file of acknowledgements."""
PAUSE = "SWEEPHOUSE_TEST_PAUSE"
"""Environment variable: seconds that an epoch takes."""

FAIL = "SWEEPHOUSE_TEST_FAIL"
"""Environment variable: the seed whose run raises in its third epoch."""


def loss_of(seed: int, epoch: int) -> float:
    """The loss that an epoch must have."""
    return 1 / epoch + random.Random(f"{seed}:{epoch}").random() / 100


def acknowledge(line: str) -> None:
    """Append the line to the side channel, past all buffers of this process."""
    file = os.open(os.environ[SIDE], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    os.write(file, f"{line}\n".encode())
    os.close(file)


def acknowledging(record: OnEvent) -> OnEvent:
    """The same, and a line on the side channel for what was taken."""

    def say(event: Event) -> None:
        record(event)
        match event:
            case RunStart():
                acknowledge(f"{event.run_id} start")
            case EpochEnd():
                acknowledge(f"{event.run_id} epoch {event.epoch} {event.loss!r}")
                time.sleep(float(os.environ.get(PAUSE, "0")))
            case RunEnd():
                acknowledge(f"{event.run_id} end {event.status}")

    return say


class RealEngine(FastEngine):
    """The default engine, acknowledging."""

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Train them."""
        super().train(jobs, acknowledging(record))


class SteadyEngine:
    """Trains nothing, steadily."""

    name = "steady"

    @contextmanager
    def ready(self, settings: Settings) -> Iterator[str]:
        """Nothing to load."""
        yield "none"

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """The jobs one after the other."""
        for job in jobs:
            if not job.stop():
                _train(job, record)


class PackEngine(SteadyEngine):
    """The same, all jobs at once: an epoch of each in turn."""

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Until none is left."""
        open_ = [steps for job in jobs for steps in [_epochs(job, record)] if not job.stop()]
        while open_:
            open_ = [steps for steps in open_ if next(steps, None) is not None]


def _train(job: Job, record: OnEvent) -> None:
    for _ in _epochs(job, record):
        pass


def _epochs(job: Job, record: OnEvent) -> Iterator[int]:
    """Train the job, giving a hand back after every epoch, and when it is judged."""
    say = acknowledging(record)
    run_id, settings, done = job.start.run_id, job.config.settings, 0

    say(replace(job.start, engine="steady"))
    try:
        for epoch in range(1, settings.epochs + 1):
            if epoch == 3 and os.environ.get(FAIL) == str(settings.seed):
                raise ValueError("asked to fail")
            loss = loss_of(settings.seed, epoch)
            metrics = {"train": {"accuracy": 1 - loss / 2}, "val": {"accuracy": 0.9 - loss / 2}}
            say(EpochEnd(run_id, epoch, loss, loss + 0.1, 0.001, 0.1, metrics))
            done = epoch
            if settings.checkpoint and epoch % settings.checkpoint == 0:
                record(_kept(job, epoch, "checkpoint"))
            if job.stop() and epoch < settings.epochs:
                reason = f"stopped by the user after epoch {epoch}"
                return say(RunEnd.stopped(run_id, reason, 0.1, done, done))
            if job.judge:
                accuracy = job.start.monitor == "val_accuracy"
                value = metrics["val"]["accuracy"] if accuracy else loss + 0.1
                job.judge.report(job.start.monitor, job.start.mode, value)
            yield epoch
            if job.judge and epoch < settings.epochs and (why := job.judge.verdict()):
                sentence = f"pruned after epoch {epoch} {why}"
                return say(RunEnd.stopped(run_id, sentence, 0.1, done, done, "pruned"))
            yield epoch
        record(_kept(job, done, "best"))
        for split in ("val", "test"):
            record(Evaluation(run_id, split, {"loss": loss, "accuracy": 1 - loss / 2}))
    except JournalError:
        raise
    except Exception as error:
        return say(RunEnd.failed(run_id, error, 0.1, done, done or None))
    say(RunEnd.finished(run_id, 0.1, done, done or None))


def _kept(job: Job, epoch: int, role: str) -> Kept:
    draw = np.random.Generator(np.random.Philox(key=[job.config.settings.seed, epoch]))
    tensors = {"kernel": draw.random((64, 64), dtype="float32")}
    return Kept(job.start.run_id, epoch, role, tensors)
