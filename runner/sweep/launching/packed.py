"""`hydra/launcher=packed`: all jobs of a sweep in one process, handed to the engine together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from runner.config.compose import forget_config
from runner.errors import PasswordError, RunnerError
from runner.sweep.batch import TrainAll
from runner.sweep.cluster.each_device import train_on_each
from runner.sweep.launching.jobs import Composer, JobConfig
from runner.sweep.sweep import Sweep, is_usable


class PackedLauncher(Launcher):
    """The launcher: it composes jobs, skips the finished ones, trains the others together."""

    _together: TrainAll = staticmethod(train_on_each)
    """What trains them; launchers of other places have their own."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a launcher works with, as Hydra asks.

        task_function: the method of the command's sweep that trains one job.
        """
        self._composer = Composer(hydra_context.config_loader, config)
        self._folder = Path(str(config.hydra.sweep.dir))
        self._sweep = getattr(task_function, "__self__", None)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train a batch of jobs; the value of each is its monitor's best.

        A job that failed or never began counts as completed, with the worst value of the sweep: a
        sweeper would take anything else, NaN too, as a reason to give up on the jobs that are
        still to come.

        Raises what Hydra raises, before anything is trained, where one cannot be composed.
        """
        setup_globals()
        assert isinstance(self._sweep, Sweep)
        self._folder.mkdir(parents=True, exist_ok=True)
        self._sweep.multirun = True  # as hydra.mode=MULTIRUN says, too
        jobs = self._jobs(job_overrides, initial_job_idx)
        base = self._composer.folder
        values = self._sweep.train_batch(jobs, len(job_overrides), base, self._together)
        whole = all(map(is_usable, values))
        return Returns(job_overrides, values, math.nan if whole else self._sweep.worst())

    def _jobs(self, job_overrides: Sequence[Sequence[str]], first: int) -> Iterator[JobConfig]:
        for number, words in enumerate(job_overrides, first):
            job = self._composer.job(words, number)
            if isinstance(job.config, PasswordError):
                forget_config(self._folder)
            yield job


class Returns(Sequence[JobReturn]):
    """The answer to Hydra for each job, made when it looks: there may be a million."""

    def __init__(
        self,
        overrides: Sequence[Sequence[str]],
        values: Sequence[float | RunnerError | None],
        worst: float,
    ) -> None:
        """worst: the value of a job that has none."""
        self._overrides, self._values, self._worst = overrides, values, worst

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return Returns(self._overrides[index], self._values[index], self._worst)
        value = self._values[index]
        done = JobReturn(overrides=list(self._overrides[index]), status=JobStatus.COMPLETED)
        done.return_value = value if is_usable(value) else self._worst
        return done
