"""What other tasks say of a configuration before it is tried: the network, and the best by it."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from runner import PastTask, Space, Trial

from .candidates import Pool, pool
from .encode import Encoding, loss, quantiles
from .memory import remembered
from .network import Network, train

Array = NDArray[np.float64]
LIKENESS = 1.0
"""The variance of a new task's likeness to a past one, of all tasks together."""
FEWEST = 4
"""Trials without which a task says nothing."""


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of a space before its first trial."""

    encoding: Encoding
    network: Network | None
    """None without other tasks: all configurations are then alike."""

    def expect(self, columns: Array) -> Array:
        """The outcome to expect, as a quantile among the trials of a task, and how tasks differ.

        (rows, 1 + tasks): the mean of any task; then by how much each task is off it, scaled so
        that a new task is off by their sum with weights of variance 1.
        """
        if self.network is None:
            return np.zeros((len(columns), 1))
        mean, _, tasks = self.network.predict(columns)
        off = (tasks - mean[:, None]) * np.sqrt(LIKENESS / tasks.shape[1])
        return np.column_stack([mean, off]).astype(np.float64)

    def place(self, columns: Array) -> tuple[float, float]:
        """Where such trials lie among all of a task: middle and scale of their outcomes.

        Those that a search chose are better than most; their quantiles among themselves do not
        show it. By the network they are a mixture of Gaussians, with this mean and deviation.
        """
        if self.network is None or len(columns) < 2:
            return 0.0, 1.0
        mean, deviation, _ = self.network.predict(columns)
        return float(mean.mean()), float(np.sqrt(mean.var() + np.mean(deviation**2)))

    def pool(self, seed: int) -> Pool:
        """Configurations to choose from, the best by other tasks among them."""
        rng = np.random.default_rng([seed, 2])
        return remembered(("pool", self, seed), lambda: pool(self.encoding, self.expect, rng))


def learn(space: Space, past: tuple[PastTask, ...], seed: int) -> Prior:
    """Train the network on other tasks, once in a process for each space, past and seed."""
    return remembered(
        ("prior", repr(space), _content(past), seed), lambda: _learned(space, past, seed)
    )


def _content(past: tuple[PastTask, ...]) -> Hashable:
    """Equal for equal tasks. It takes milliseconds: once for each object."""

    # The object is kept with its content, so that its id stays its own.
    def content() -> tuple[tuple[PastTask, ...], Hashable]:
        return past, hash(
            tuple(
                (tuple(trial.params.items()), trial.values, trial.violations)
                for task in past
                for trial in (*task.trials, Trial({}, ()))
            )
        )

    return remembered(("past", id(past)), content)[1]


def _learned(space: Space, past: tuple[PastTask, ...], seed: int) -> Prior:
    tasks = [task for task in past if _says_something(task)]
    params = [trial.params for task in tasks for trial in task.trials]
    encoding = Encoding(space, params)
    if not tasks:
        return Prior(encoding, None)
    outcomes = [quantiles(loss(trial) for trial in task.trials) for task in tasks]
    numbers = np.repeat(np.arange(len(tasks)), [len(task.trials) for task in tasks])
    rng = np.random.default_rng([seed, 1])
    columns = encoding.columns(encoding.codes(params))
    return Prior(encoding, train(columns, np.concatenate(outcomes), numbers, rng))


def _says_something(task: PastTask) -> bool:
    return len(task.trials) >= FEWEST and len({loss(trial) for trial in task.trials}) > 1
