"""`hydra/launcher=submitit`: the packs of a sweep as the tasks of one array job of SLURM.

Or, with `executor=local`, as processes of this machine. The folder of the results is shared: what
the jobs record lies there, and nothing travels back.
"""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hydra.errors import HydraException
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

from runner.config.settings import Settings
from runner.errors import ConfigError
from runner.record.outcome import Outcome
from runner.sweep.batch import Terms
from runner.sweep.cluster.cut import AUTO, check_pack, cut
from runner.sweep.cluster.parcel import pack_up
from runner.sweep.cluster.queue import LOCAL, SLURM, array_ids, stop
from runner.sweep.cluster.settled import settled
from runner.sweep.cluster.task import Task, folder_of
from runner.sweep.failures import OnResult, RunResult
from runner.sweep.launching.packed import PackedLauncher
from runner.sweep.limits import began
from runner.sweep.manifest import Submitted
from runner.sweep.plan import Run
from runner.sweep.summary import results_words
from runner.sweep.sweep import SUBMITTED, Sweep
from runner.sweep.waiting import Progress, Telling, Watching
from runner.sweep.watch import Watch
from runner.system.terminal import say

if TYPE_CHECKING:
    import submitit

NEED_NO_VALUES = ("QuickSweeper", "BasicSweeper")
"""Sweepers that ask for nothing once they have handed their jobs over."""
WORKERS = 16
"""Jobs at once for which packs are cut, where nobody says how many."""
MOST_TASKS = 1000
"""Tasks of an array: SLURM's own limit, unless a site has another."""


@dataclass
class SubmititSettings:
    """What `hydra.launcher.` takes, with the types by which Hydra checks it."""

    _target_: str = "hydra_plugins.sweephouse.SubmititLauncher"
    executor: str = AUTO
    """slurm, local, or auto: SLURM where there is sbatch."""
    partition: str | None = None
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    time: int = 60
    """Minutes that a job may take; then it is requeued, and goes on from its checkpoints."""
    cpus: int | None = None
    gpus: int | None = None
    memory_gb: float | None = None
    pack: Any = AUTO
    """Runs of a job, at most."""
    parallel: int | None = None
    """Jobs at once, at most."""
    timeouts: int = 10
    """How often a job may reach its time limit."""
    signal_seconds: int = 90
    """How long before it a job is told to end with its epoch."""
    wait: Any = AUTO
    """true, false, or auto: on a terminal, and where the sweeper asks for values."""
    setup: list[str] = field(default_factory=list)
    """Lines of the shell before each job."""
    more: list[str] = field(default_factory=list)
    """Other options of sbatch, such as mail-type=END, or exclusive."""


class SubmititLauncher(PackedLauncher):
    """The launcher: it composes and skips as the packed one does, and submits what is left."""

    def __init__(self, **given: Any) -> None:
        given["setup"], given["more"] = list(given["setup"]), list(given["more"])
        self._settings = SubmititSettings(**given)
        self._parts = 0
        """Jobs that were submitted so far."""

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        """Keep what a launcher works with; HydraException where it could submit nothing."""
        super().setup(hydra_context=hydra_context, task_function=task_function, config=config)
        sweeper = str(config.hydra.sweeper._target_).rpartition(".")[2]
        self._waits = bool(self._settings.wait)
        if self._settings.wait == AUTO:
            self._waits = sys.stdout.isatty() or sweeper not in NEED_NO_VALUES

    def check(self) -> None:
        """Raise ConfigError for settings that mean nothing, or where submitit is missing."""
        self._cluster = _checked(self._settings)

    def expect(self, settings: Settings, trials: int, structures: int) -> None:
        """Do nothing: processes begin where there is work for them."""

    def _together(
        self,
        runs: Sequence[Run],
        on_result: OnResult | None,
        terms: Terms,
    ) -> dict[str, RunResult]:
        """Submit the runs; each one's result, or where nobody waits, that it is submitted.

        terms: pruning and more are left to the jobs.
        """
        assert isinstance(self._sweep, Sweep)
        results, sweep_id = runs[0].results, self._sweep.sweep_id
        if {run.results for run in runs} != {results}:
            raise HydraException("hydra/launcher=submitit takes one results=<folder> a sweep")
        submitted = self._submit(runs, results, sweep_id)
        self._sweep.note(submitted)
        for line in _lines(submitted, len(runs)):
            say(line)
        if not self._waits and runs[0].config.settings.on_end is None:
            say(f"wait      python -m runner wait {sweep_id}{results_words(results)}")
            return {run.run_id: Outcome(run.run_id, status=SUBMITTED) for run in runs}
        progress, stopped = _wait(results, sweep_id, submitted)
        left_out = stopped or bool(terms.limits.reached)
        refused = progress.standing.refused_runs
        came = dict(settled(runs, results, sweep_id, refused, stopped, left_out))
        for run in runs:
            if run.run_id in came and on_result is not None:
                on_result(run, came[run.run_id])
        return came

    def _submit(self, runs: Sequence[Run], results: Path, sweep_id: str) -> Submitted:
        """Hand the runs over; HydraException where SLURM does not take them."""
        folder = folder_of(results, sweep_id)
        usual = WORKERS if self._cluster == SLURM else max(1, (os.cpu_count() or 1) // 2)
        workers = self._settings.parallel or usual
        memory = self._settings.memory_gb
        packs = cut(runs, workers, self._settings.pack, int(memory * 1e9) if memory else None)
        most = MOST_TASKS if self._cluster == SLURM else workers
        tasks = [
            Task(pack_up(pack, began(sweep_id)), results, part)
            for part, pack in enumerate(_merged(packs, most), self._parts)
        ]
        self._parts += len(tasks)
        try:
            executor = self._executor(folder)
            # It prints what sbatch says, which is in the error as well.
            with contextlib.redirect_stderr(io.StringIO()), executor.batch():
                jobs = [executor.submit(task) for task in tasks]
        except (OSError, RuntimeError) as error:
            reason = str(error).strip().rpartition("\n")[2]
            raise HydraException(
                f"SLURM does not take the jobs ({reason}); hydra.launcher.executor=local trains "
                "them on this machine"
            ) from error
        return Submitted(self._cluster, [job.job_id for job in jobs], str(folder))

    def _executor(self, folder: Path) -> submitit.AutoExecutor:
        import submitit

        settings = self._settings
        executor = submitit.AutoExecutor(
            folder, cluster=self._cluster, slurm_max_num_timeout=settings.timeouts
        )
        executor.update_parameters(
            name="sweephouse",
            timeout_min=settings.time,
            cpus_per_task=settings.cpus,
            gpus_per_node=settings.gpus,
            mem_gb=settings.memory_gb,
            slurm_partition=settings.partition,
            slurm_account=settings.account,
            slurm_qos=settings.qos,
            slurm_constraint=settings.constraint,
            slurm_array_parallelism=settings.parallel,
            slurm_signal_delay_s=settings.signal_seconds,
            # Unlike the rest, it is not handed on to the job's step.
            slurm_srun_args=settings.cpus and [f"--cpus-per-task={settings.cpus}"],
            slurm_additional_parameters=dict(map(_option, settings.more)),
            slurm_setup=settings.setup or None,
            local_setup=settings.setup or None,
        )
        return executor


def _checked(settings: SubmititSettings) -> str:
    """The cluster that takes the jobs; ConfigError with what is wrong."""
    try:
        import submitit  # noqa: F401
    except ImportError:
        raise ConfigError(
            "hydra/launcher=submitit needs submitit, which is not installed: "
            "pip install 'sweephouse[slurm]'"
        ) from None
    check_pack(settings.pack)
    least = {"time": 1, "cpus": 1, "gpus": 0, "parallel": 1, "timeouts": 0, "signal_seconds": 1}
    for name, smallest in least.items():
        value = getattr(settings, name)
        if value is not None and value < smallest:
            raise ConfigError(
                f"hydra.launcher.{name}={value} is not valid: give a whole number from "
                f"{smallest} on"
            )
    memory = settings.memory_gb
    if memory is not None and not 0 < memory < math.inf:
        raise ConfigError(f"hydra.launcher.memory_gb={memory:g} is not valid: give gigabytes")
    if settings.wait not in (AUTO, True, False):
        raise ConfigError(f"hydra.launcher.wait={settings.wait} is not valid: auto, true or false")
    there = shutil.which("sbatch") is not None and shutil.which("srun") is not None
    match settings.executor:
        case "auto":
            return SLURM if there else LOCAL
        case "local":
            return LOCAL
        case "slurm" if there:
            return SLURM
        case "slurm":
            raise ConfigError(
                "hydra.launcher.executor=slurm is not possible here: there is no sbatch on this "
                "machine. Submit from a node of the cluster, or take executor=local"
            )
    raise ConfigError(
        f"hydra.launcher.executor={settings.executor} is not valid: auto, slurm or local"
    )


def _option(text: str) -> tuple[str, str | bool]:
    """An option of sbatch as submitit writes it."""
    name, is_given, value = text.removeprefix("--").partition("=")
    return name, value if is_given else True


def _merged(packs: Sequence[list[Run]], most: int) -> list[list[Run]]:
    """The packs in so many tasks at most, each of about as many packs."""
    tasks = [list(pack) for pack in packs[:most]]
    for place, pack in enumerate(packs[most:]):
        tasks[place % most] += pack
    return tasks


def _lines(submitted: Submitted, runs: int) -> Iterator[str]:
    """What was submitted, and where its output is."""
    jobs = len(submitted.jobs)
    kind = "jobs of SLURM" if submitted.cluster == SLURM else "processes of this machine"
    if jobs == 1:
        kind = kind.replace("jobs", "job").replace("processes", "process")
    runs_in_words = "1 run" if runs == 1 else f"{runs} runs"
    yield f"submitted {runs_in_words} as {jobs} {kind}: {', '.join(array_ids(submitted.jobs))}"
    yield f"output    {submitted.folder}"


def _wait(results: Path, sweep_id: str, submitted: Submitted) -> tuple[Progress, bool]:
    """Wait until the sweep is over; how it then is, and whether the user stopped it.

    Ctrl-C once has the jobs end with their epochs, twice at once.
    """
    telling, stopped = Telling(), False
    watch = Watch(lambda: None, lambda: stop([submitted], at_once=True))
    with watch, Watching(results, sweep_id) as watching:
        for progress in watching.until_over(asked=watch.requested_by_user):
            telling.tell(progress)
            if watch.requested_by_user() and not stopped:
                stopped = True
                stop([submitted])
    telling.close()
    return progress, stopped
