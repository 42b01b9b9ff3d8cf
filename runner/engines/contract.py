"""The contract of an engine: `train(jobs, record)`. It knows nothing else of the runner.

An engine says what happens as records and, for weights, as `Kept`; where these go is the
business of whoever gave it `record`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from runner.components.types import Mode, Recipe
from runner.config.config import Config
from runner.config.settings import Settings
from runner.data.prepare import Prepared
from runner.journal.records import RunStart
from runner.model.checkpoint import Checkpoint
from runner.record.events import OnEvent


class Judge(Protocol):
    """The judge of one run of a sweep: it takes its epochs, and says when it is hopeless."""

    def report(self, monitor: str, mode: Mode, value: float) -> None:
        """Take the monitor's value of an epoch that is over."""
        ...

    def verdict(self) -> str | None:
        """Why the run should end after the epochs so far, if it should.

        To be asked after each epoch but the last; of runs that train side by side, when all of
        them have reported.
        """
        ...

    def end(self, status: str) -> None:
        """Note how the run ended: a status, or `pruned`."""
        ...


def _never() -> bool:
    return False


@dataclass(frozen=True)
class Job:
    """One run as an engine gets it: config, data, and the way to build its recipe."""

    start: RunStart
    """What is known before training; the engine adds its own name and emits it."""
    config: Config
    data: Prepared
    make: Callable[[], Recipe]
    stop: Callable[[], bool] = _never
    """Whether the run should end after its present epoch."""
    resume: Checkpoint | None = None
    """Where to go on, rather than begin."""
    judge: Judge | None = None
    """Who says that the run is hopeless, where somebody does."""
    more: float | None = None
    """How many jobs of a search, much like it, will follow in later calls, for each so far; None
    where it is of no search."""

    @functools.cached_property
    def recipe(self) -> Recipe:
        """The compiled model with its callbacks, built when first asked for."""
        return self.make()


class Engine(Protocol):
    """An engine: it trains a batch of jobs; a single run is a batch of one.

    They share engine, device, precision and determinism, and their data: jobs of one call have
    the same `Prepared`, the very object.
    """

    name: str

    def ready(self, settings: Settings) -> AbstractContextManager[str]:
        """Load what the engine needs and choose the device: a context that gives its name.

        Raises ConfigError for a device that is not there.
        """
        ...

    def train(self, jobs: Sequence[Job], record: OnEvent) -> None:
        """Train every job and record what happens.

        Each job gives RunStart once it is built, EpochEnd for every epoch (before it, Steps
        where `record_steps` asks), Kept for its best weights and its checkpoints, the
        records of the outputs and Predicted for val and test, RunEnd; records of several jobs may
        come in any order. A job that cannot be built gives Refused for a RunnerError
        (`lifecycle.built` does this); any other failure is its RunEnd, and the others go on.

        A job that has not begun when its `stop()` says so is left out. Where `record` raises
        JournalError nothing more can be recorded of that job: it is over, the others go on. An
        engine that has no other job open may let the error through, and any error over a job
        that has not begun: it is called again with the jobs that are left.
        """
        ...
