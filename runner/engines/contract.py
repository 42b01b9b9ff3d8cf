"""What an engine is: `train(jobs, record)`. Nothing else of the runner is known to it.

An engine says what happens as records and, for weights, as `Kept`; where these go is the
business of whoever gave it `record`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from runner.config import Config
from runner.data import Prepared
from runner.nouns import Recipe
from runner.records import EpochEnd, Evaluation, RunEnd, RunStart

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Kept:
    """Weights to be kept: tensors by name, and the model's graph where it can be said as JSON."""

    run_id: str
    epoch: int
    role: str
    tensors: Mapping[str, np.ndarray[Any, Any]]
    graph: str | None = None


Event = RunStart | EpochEnd | Evaluation | Kept | RunEnd
Record = Callable[[Event], None]


@dataclass(frozen=True)
class Job:
    """One run as an engine gets it: config, data, and the way to build its recipe."""

    start: RunStart
    """What is known before training; the engine adds its own name and emits it."""
    config: Config
    data: Prepared
    make: Callable[[], Recipe]

    @functools.cached_property
    def recipe(self) -> Recipe:
        """The compiled model with its callbacks, built when first asked for."""
        return self.make()


class Engine(Protocol):
    """Trains a batch of jobs of one shape; a single run is a batch of one."""

    name: str

    def train(self, jobs: Sequence[Job], record: Record) -> None:
        """Train every job and record what happens.

        Each job gives RunStart, EpochEnd for every epoch, Kept for its best weights, Evaluation
        for val and test, RunEnd. A failure inside one job is its RunEnd; the others go on.
        """
        ...
