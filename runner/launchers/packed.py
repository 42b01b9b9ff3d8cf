"""`hydra/launcher=packed`: all jobs of a sweep in one process, handed to the engine together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from runner.composition import forget_config
from runner.errors import PasswordError
from runner.jobs import Composer
from runner.sweep import Sweep


class PackedLauncher(Launcher):
    """Composes the jobs, skips those that are finished, and trains the others together."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Hydra's own: what a launcher works with.

        task_function: the method of the command's sweep that trains one job.
        """
        self._composer = Composer(hydra_context.config_loader, config)
        self._folder = Path(str(config.hydra.sweep.dir))
        self._sweep = getattr(task_function, "__self__", None)

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Train a batch of jobs; the value of each is its monitor's best.

        A job that failed or never began counts as completed, with NaN for its value: a sweeper
        would take anything else as a reason to give up on the jobs that are still to come.

        Raises what Hydra raises, before anything is trained, where one cannot be composed.
        """
        setup_globals()
        assert isinstance(self._sweep, Sweep)
        self._folder.mkdir(parents=True, exist_ok=True)
        numbered = enumerate(job_overrides, initial_job_idx)
        jobs = [self._composer.job(words, number) for number, words in numbered]
        if any(isinstance(job.config, PasswordError) for job in jobs):
            forget_config(self._folder)
        values = self._sweep.train_batch(jobs, self._composer.folder)
        returns = []
        for words, value in zip(job_overrides, values, strict=True):
            done = JobReturn(overrides=list(words), status=JobStatus.COMPLETED)
            done.return_value = math.nan if value is None else value
            returns.append(done)
        return returns
