"""`hydra/launcher=packed`: all jobs of a sweep in one process, handed to the engine together."""

from __future__ import annotations

import atexit
import functools
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from hydra.core.utils import JobReturn, JobStatus, setup_globals
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from runner.backend.devices import AUTO
from runner.config.compose import forget_config
from runner.config.settings import Settings
from runner.errors import PasswordError, RunnerError
from runner.sweep.batch import Terms
from runner.sweep.cluster.on_machine import Machine, check_processes
from runner.sweep.failures import OnResult, RunResult
from runner.sweep.launching.jobs import Composer, JobConfig
from runner.sweep.plan import Run
from runner.sweep.sweep import Sweep, is_usable


class PackedLauncher(Launcher):
    """The launcher: it composes jobs, skips the finished ones, trains the others together."""

    def __init__(self, processes: int | str = AUTO) -> None:
        """processes: how many of this machine train side by side, where it has no GPU.

        auto: one, but in a long search over several structures as many as there are processors.
        """
        self._processes = processes

    @functools.cached_property
    def _here(self) -> Machine:
        machine = Machine(self._processes)
        atexit.register(machine.close)
        return machine

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a launcher works with, as Hydra asks.

        task_function: the method of the command's sweep that trains one job.

        Raises HydraException for what is wrong with the launcher's own config.
        """
        try:
            self.check()
        except RunnerError as error:
            raise HydraException(str(error)) from None
        self._composer = Composer(hydra_context.config_loader, config)
        self._folder = Path(str(config.hydra.sweep.dir))
        self._sweep = getattr(task_function, "__self__", None)

    def check(self) -> None:
        """Raise ConfigError for params that mean nothing."""
        check_processes(self._processes)

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

    def expect(self, settings: Settings, trials: int, structures: int) -> None:
        """Hear of a search before its first batch; settings: of its runs.

        structures: how many its space has.
        """
        self._here.expect(settings, trials, structures)

    def _together(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None,
        terms: Terms,
    ) -> dict[str, RunResult]:
        """Train the runs on this machine; launchers of other places have their own."""
        return self._here.train(runs, on_result, terms)

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
