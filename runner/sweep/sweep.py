"""The runs of one command: skip what is there, train and record the rest, sum up."""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeGuard

from omegaconf import DictConfig, OmegaConf

import warehouse
from runner.config.compose import (
    compose,
    experiment_name,
    forget_config,
    override_of,
    settle,
)
from runner.config.config import Config
from runner.errors import JournalError, PasswordError, RunnerError, WarehouseError
from runner.journal.ids import new_run_id
from runner.journal.records import Record
from runner.record.display import PlanningProgress
from runner.record.notebook import is_notebook
from runner.record.outcome import Outcome
from runner.sweep.background import Intake
from runner.sweep.batch import Terms, TrainAll, train, train_all
from runner.sweep.closing import failures_of, sum_up, values_of
from runner.sweep.earlier import with_parents
from runner.sweep.failures import RunResult
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.limits import RECOVERING, SWEEP, Limits, announced_jobs, began
from runner.sweep.manifest import Manifest, Planned, RefusedJob
from runner.sweep.on_end import tell_of_run, tell_of_sweep
from runner.sweep.plan import Planner, Run, plan
from runner.sweep.pruning import Prunings, pruner_of
from runner.sweep.result import Result
from runner.sweep.searching import Search
from runner.sweep.skip import Skipped, record_skipped, skipped
from runner.sweep.summary import failure_line, run_line, run_lines
from runner.system import stops
from runner.system.stops import INTERRUPTED
from runner.system.terminal import complain, say
from warehouse.place import Place

SUBMITTED = "submitted"
"""The status of a run that a cluster's job is to train, while this command does not wait."""
TOGETHER = 1000
"""Jobs that are planned and looked up in the warehouse at once."""
FINISHED, FAILED, WRONG, LIMITED = 0, 1, 2, 3
"""Exit codes: all well; a run failed; nothing began to train; `sweep.max_seconds` ended it. The
user's stop has its own."""
STATUSES = {
    FINISHED: "finished",
    FAILED: "failed",
    WRONG: "refused",
    LIMITED: "limited",
    INTERRUPTED: "stopped",
}
"""What the exit code of a sweep means."""


class Sweep:
    """A taker of the jobs that Hydra hands over, one or many; in workers, each has a copy."""

    def __init__(self, words: Sequence[str]) -> None:
        """words: the command line; the jobs of a sweep may run in processes of their own."""
        self.sweep_id = os.environ.setdefault(SWEEP, new_run_id())
        self.multirun = "-m" in words or "--multirun" in words
        named = [word.partition("=")[2] for word in words if word.startswith("results=")]
        self.results = Place.of(named[-1] if named else None).folder
        self.stopped = False
        """Whether the user asked to stop, and with the run the sweep."""
        self.begun = False
        """Whether Hydra has handed anything over."""
        self.search: Search | None = None
        """The search that the sweep is part of."""
        self.jobs: int | None = None
        """How many jobs there will be, where they come batch by batch."""
        self.limits = Limits(began(self.sweep_id))
        """What ends it before its jobs are done."""
        self._trials = 0
        """Of a search, how many were handed over to be trained."""
        self._not_begun: list[str] = []
        self._outcomes: list[Outcome] = []
        self._refused: list[str] = []
        self._traces: set[str] = set()
        self._prunings = Prunings(self.sweep_id)
        self._submitted = False
        """Whether jobs of a cluster go on with it when this command ends."""
        self._manifest: Manifest | None = None
        self._process = os.getpid()
        typed = [word for word in words if word.startswith("on_end=")]
        # Where workers compose the jobs, nobody here learns what they say.
        given = override_of(typed[-1]).value() if self.multirun and typed else None
        self._on_end = given if isinstance(given, str | list) else None

    def __getstate__(self) -> dict[str, Any]:
        """What a worker process is given: it trains, and neither searches nor sums up."""
        return self.__dict__ | {"search": None, "_manifest": None}

    def train(self, composed: DictConfig) -> float | None:
        """Train one composed config, as Hydra hands it over: a batch of one.

        Returns the monitor's best value, which a sweeper may ask for; in a sweep, a run without
        one gives the worst so far, and whatever happens to it leaves the others be.
        """
        try:
            return self._train_composed(composed)
        except Exception:
            stops.check()  # Hydra would report an interrupt's consequence as an error
            raise

    def _train_composed(self, composed: DictConfig) -> float | None:
        from hydra.core.hydra_config import HydraConfig
        from hydra.types import RunMode

        application = HydraConfig.get()
        self.multirun = application.mode == RunMode.MULTIRUN
        base = Path(application.runtime.cwd)  # Hydra may have changed the folder
        try:
            config: Config | RunnerError = settle(composed, base)
        except RunnerError as error:
            if isinstance(error, PasswordError):
                forget_config(Path(application.runtime.output_dir))
                forget_config(Path(base, application.sweep.dir))
            config = error
        experiment = experiment_name(application.runtime.choices)
        # As typed: what an override refers to may not be there, or be a password.
        overrides = OmegaConf.to_container(application.overrides.task, resolve=False)
        assert isinstance(overrides, list)
        job = JobConfig([str(word) for word in overrides], experiment, config)
        try:
            [best] = self.train_batch([job], 1, base)
        except RunnerError as error:  # a warehouse that does not answer, say
            stops.check()
            self._say_refused(job.overrides, error)
            best = error
        finally:
            if self.multirun and self._outcomes:
                # This may be a worker, whose results folder the command itself does not know.
                warehouse.sync(self.results)
        if isinstance(best, RunnerError):
            if self.multirun:
                # The sweeper raises it again after the last job, from worker processes too.
                raise best
            return None
        return best if is_usable(best) or not self.multirun else self.worst()

    def worst(self) -> float:
        """The value, for a sweeper, of a job that has none: the worst of this sweep.

        Optuna refuses a trial of NaN and ends the study; an infinite one would spoil what CMA-ES,
        say, computes from the others. Where nothing has a value yet it is infinite all the same.
        """
        values = [outcome.best for outcome in self._outcomes if is_usable(outcome.best)]
        modes: list[str] = [outcome.mode for outcome in self._outcomes]
        if not values:
            # In a worker, which has trained this one job only.
            earlier = values_of(self.results, self.sweep_id)
            values, modes = (
                [value for value, _ in earlier],
                [*modes, *(mode for _, mode in earlier)],
            )
        if "max" in modes:
            return min(filter(is_usable, values), default=-math.inf)
        return max(filter(is_usable, values), default=math.inf)

    def train_batch(
        self,
        jobs: Iterable[JobConfig],
        number: int,
        base: Path,
        together: TrainAll = train_all,
    ) -> list[float | RunnerError | None]:
        """Train jobs together, or one; for each the monitor's best value or why it never began.

        number: how many jobs there are. base: where the user stands. together: trains those that
        are not skipped, in this process or elsewhere.

        Raises KeyboardInterrupt once what was in training has stopped, if the user asked for it.
        """
        self.begun = True
        todo, values = self._plan_all(jobs, number, base)
        try:
            results = self._train_all(todo, together)
        except KeyboardInterrupt:
            # One run that never began has nothing to be summed up.
            self.stopped = self.stopped or self.multirun
            raise
        return [_best(results.get(v)) if isinstance(v, str) else v for v in values]

    def _plan_all(
        self, jobs: Iterable[JobConfig], number: int, base: Path
    ) -> tuple[list[Run], list[str | float | RunnerError | None]]:
        """The runs to be trained; for each job its best value, or whose, or why it has none.

        Of the others nothing is kept, however many they are.
        """
        planner = Planner()
        todo: list[Run] = []
        values: list[str | float | RunnerError | None] = []
        before: dict[str, Run] = {}
        jobs = PlanningProgress(number).counted(jobs)
        while part := list(itertools.islice(jobs, TOGETHER)):
            runs = [self._plan(planner, job, base, number) for job in part]
            planned = [run for run in runs if isinstance(run, Run)]
            skips = self._skipped(planned, before)
            if self.multirun:
                _record_skipped(self.sweep_id, planned, skips)
            for run in runs:
                if isinstance(run, RunnerError):
                    values.append(run)
                    continue
                self.results = run.results
                if (skip := skips.get(run.run_id)) is None:
                    todo.append(run)
                    values.append(run.run_id)
                    continue
                _say_skipped(run.overrides, skip.reason)
                values.append(skip.run_id if skip.best is None else skip.best)
        return todo, values

    def _plan(
        self, planner: Planner, job: JobConfig, base: Path, number: int
    ) -> Run | RunnerError:
        """The run of a job, or why it has none, which is said."""
        try:
            if isinstance(job.config, RunnerError):
                raise job.config
            config = with_parents(job.config, base)
            pruner_of(config)  # a wrong one is told before anything trains
            self._on_end = config.settings.on_end
            return planner.plan(
                config,
                job.experiment,
                job.overrides,
                base=base,
                sweep_id=self._id,
                sweep_jobs=self.jobs or (self._number_of_jobs(number) if self.multirun else None),
            )
        except RunnerError as error:
            stops.check()
            self._say_refused(job.overrides, error)
            return error.with_traceback(None)  # else its frames stay in memory

    def _number_of_jobs(self, number: int) -> int | None:
        """How many jobs there are: `number` here, or those of which this one comes alone."""
        return number if number > 1 else announced_jobs(self.sweep_id)

    def _train_all(self, runs: Sequence[Run], together: TrainAll) -> Mapping[str, RunResult]:
        """Train the runs, and bring them into the warehouse as they end.

        Raises KeyboardInterrupt where the user asked to stop.
        """
        if not runs:
            return {}
        if self.multirun and self.search is None:  # whose jobs have no limits of their own
            settings = runs[0].config.settings.sweep
            self.limits.follow(settings)
            if settings.max_failures is not None and len(runs) == 1:
                self.limits.failures = max(self.limits.failures, self._failures_elsewhere())
        if self.limits.reached:
            self._leave_out(runs)
            return {}
        self._note_planned(runs)
        with Intake() as intake:

            def on_result(run: Run, result: RunResult) -> None:
                if isinstance(result, RunnerError):
                    if len(runs) == 1:
                        stops.check()  # it may be the doing of an interrupt
                    return self._say_refused(run.overrides, result)
                self._outcomes.append(result)
                if self.multirun:
                    self._say(run, result)
                    if self.search is None:  # which takes each batch in as a whole
                        intake.add(run.results)

            self._prunings.refresh()
            more = self._more_to_come(len(runs))
            results = together(runs, on_result, Terms(self._prunings.of, self.limits, more))
        outcomes = [result for result in results.values() if isinstance(result, Outcome)]
        if not self.multirun:
            for outcome in outcomes:
                close_run(outcome, self.results)
        for folder in {run.results for run in runs} - {self.results}:
            warehouse.sync(folder, wait=10.0)
        self._submitted |= any(outcome.status == SUBMITTED for outcome in outcomes)
        self.stopped = any(outcome.stop_requested for outcome in outcomes)
        # Those that the user's stop, or a limit, kept from beginning are missing.
        missing = [run for run in runs if run.run_id not in results]
        if self.stopped or (missing and (stops.asked() or not self.limits.reached)):
            raise KeyboardInterrupt
        self._leave_out(missing)
        return results

    def _more_to_come(self, number: int) -> float | None:
        """How many trials will follow so many of now, for each so far; None without a search."""
        if self.search is None:
            return None
        self._trials += number
        return max((self.jobs or 0) - self._trials, 0) / self._trials

    def _note_planned(self, runs: Sequence[Run]) -> None:
        """Let other processes know which runs are to be trained; a worker leaves that be."""
        if not self.multirun or os.getpid() != self._process:
            return
        if self._manifest is None:
            self._manifest = Manifest(self.results, self.sweep_id)
            for sentence in self._refused:
                self.note(RefusedJob(sentence))
        jobs = [" ".join(run.overrides) for run in runs]
        self.note(Planned([run.run_id for run in runs], jobs))

    def note(self, record: Record) -> None:
        """Let other processes know."""
        if self._manifest is not None:
            self._manifest.note(record)

    def _failures_elsewhere(self) -> int:
        """How many runs of the sweep have failed, those in other workers too."""
        try:
            return len(failures_of(self.results, self.sweep_id))
        except WarehouseError:  # there is none yet, or it does not answer now
            return 0

    def _leave_out(self, runs: Sequence[Run]) -> None:
        """Note runs that a limit kept from beginning; one that came alone may be in a worker."""
        self._not_begun += [" ".join(run.overrides) for run in runs]
        if len(runs) == 1:
            say(f"not begun: {self._not_begun[-1]} ({self.limits.reached})")

    def _skipped(self, runs: Sequence[Run], before: dict[str, Run]) -> dict[str, Skipped]:
        """The runs that need not be trained; TensorFlow is not loaded to tell."""
        tried = self.sweep_id if RECOVERING in os.environ else None
        # A search never tries anything twice: what was there before it is looked up once.
        known = {self.search.plan.results: self.search.before} if self.search else {}
        return skipped(runs, self.multirun, tried, before, known)

    @property
    def _id(self) -> str | None:
        return self.sweep_id if self.multirun else None

    def _say_refused(self, overrides: Sequence[str], error: RunnerError) -> None:
        complain(f"error: {error}")
        self._remember_refused(f"{' '.join(overrides)}  {error}")

    def _remember_refused(self, sentence: str) -> None:
        self._refused.append(sentence)
        self.note(RefusedJob(sentence))

    def _say(self, run: Run, outcome: Outcome) -> None:
        """A line about a run among many, and once what an error looks like from inside."""
        if outcome.status == "summary":
            return
        say(run_line(outcome, run.overrides))
        if outcome.status == "failed":
            trace = outcome.traceback
            if trace and trace not in self._traces:
                self._traces.add(trace)
                complain(trace)
            complain(failure_line(outcome))

    def refuse(self, reason: str) -> None:
        """Remember a job that never began to train, unless this process has seen it itself."""
        if not any(reason in sentence for sentence in self._refused):
            self._remember_refused(reason)

    def close(self) -> int:
        """Print how the sweep came out; the command's exit code.

        Of one that is submitted, that is for `wait` to say.
        """
        statuses = [status_of(one) for one in self._outcomes]
        is_over = self.multirun and not self._submitted
        if is_over:
            try:
                statuses += sum_up(
                    self.results,
                    self.sweep_id,
                    self._refused,
                    (self.limits.reached, self._not_begun),
                    self.search,
                )
            except WarehouseError as error:
                # The runs' own journals and exit code say what happened all the same.
                complain(f"error: {error}")
        stopped = self.multirun and self.stopped
        code = INTERRUPTED if stopped else exit_code(statuses, len(self._refused))
        if is_over:
            tell_of_sweep(self._on_end, self.sweep_id, STATUSES[code], self.results)
        if self._manifest is not None:
            self._manifest.close(code if is_over else None, self.limits.reached, self._not_begun)
            self._manifest = None
        return code


def _record_skipped(sweep_id: str, runs: Sequence[Run], skips: Mapping[str, Skipped]) -> None:
    try:
        record_skipped(sweep_id, runs, skips)
    except JournalError as error:  # the runs are there all the same
        complain(f"warning: the runs that this sweep skips are missing in sweep_runs: {error}")


def _best(result: RunResult | None) -> float | RunnerError | None:
    return result.best if isinstance(result, Outcome) else result


def is_usable(value: float | RunnerError | None) -> TypeGuard[float]:
    """Whether a sweeper can go by the value."""
    return isinstance(value, float) and math.isfinite(value)


def _say_skipped(overrides: Sequence[str], reason: str) -> None:
    say(f"skipped: {' '.join(overrides) or 'the default experiment'} {reason}")


def status_of(outcome: Outcome) -> str:
    """The status of a run, as it counts for the exit code."""
    # A run that a pruner stopped, or its own limit, is one that nobody has to come back for.
    words = {"pruned": "finished", "own_max_seconds": "finished", "max_seconds": "limited"}
    return words.get(outcome.reason or "", outcome.status)


def exit_code(statuses: Sequence[str], refused: int = 0) -> int:
    """The exit code after runs of these statuses and so many that never began."""
    if "stopped" in statuses:
        return INTERRUPTED
    if "failed" in statuses:
        return FAILED
    if "limited" in statuses and not refused:
        return LIMITED
    return (FAILED if statuses else WRONG) if refused else FINISHED


def run_overrides(overrides: Sequence[str]) -> Result:
    """Compose and train one run from Python; see `runner.run`."""
    config, experiment = compose(overrides)
    run = plan(with_parents(config, Path()), experiment, overrides)
    outcome = train(run)
    close_run(outcome, run.results)
    return Result.of(outcome, run.results)


def close_run(outcome: Outcome, results: Path) -> None:
    """Bring what was recorded into the warehouse and print the closing summary."""
    if outcome.status == "summary":
        return
    result = warehouse.sync(results)
    if not is_notebook():  # which shows what is returned
        for line in run_lines(outcome, results):
            say(line)
    if result.reason or result.problems:
        say(f"warehouse {result.sentence()}")
    if outcome.status == "failed":
        if outcome.traceback:
            complain(outcome.traceback)
        complain(failure_line(outcome))
    tell_of_run(outcome, results)
