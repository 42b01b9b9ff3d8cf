"""The results of runs, and whose fault it is where something goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

from runner.components.culprit import culprit
from runner.engines import AUTO
from runner.engines.contract import Job
from runner.errors import JournalError, RunnerError
from runner.journal.records import RunEnd, RunStart
from runner.record.outcome import Outcome
from runner.record.recorder import Recorder
from runner.sweep.limits import Limits
from runner.sweep.plan import Run
from runner.sweep.provenance import start_of
from runner.system import stops

RunResult = Outcome | RunnerError
"""The outcome of a run, or why it never began."""
OnResult = Callable[[Run, RunResult], None]


class Results:
    """The result of every run so far."""

    def __init__(self, on_result: OnResult | None, limits: Limits | None = None) -> None:
        self.by_id: dict[str, RunResult] = {}
        self._on_result, self._limits = on_result, limits
        self._stopped = False

    def settle(self, run: Run, result: RunResult) -> None:
        """Remember a run's result, the first one, and hand it on."""
        if run.run_id in self.by_id:
            return
        if isinstance(result, RunnerError):
            # Else the frames that it went through keep the data in memory.
            result.__traceback__ = result.__context__ = None
        if isinstance(result, Outcome) and result.place is None:
            chosen = [choice.component for _, choice in run.config.all()]
            result.place = culprit(chosen, result.traceback)
        self.by_id[run.run_id] = result
        failed = isinstance(result, RunnerError) or result.status == "failed"
        if failed and self._limits is not None:
            self._limits.failures += 1
        if self._on_result is not None:
            self._on_result(run, result)

    def stop(self, runs: Iterable[Run]) -> None:
        """Note that the user asked to stop while these were in training: no other run begins."""
        self._stopped = True
        for run in runs:
            if isinstance(result := self.by_id.get(run.run_id), Outcome):
                result.stop_requested = True

    def missing(self, runs: Iterable[Run]) -> list[Run]:
        """The runs without a result that may still get one."""
        return [run for run in runs if run.run_id not in self.by_id and not self._stopped]

    def groups(self, runs: Iterable[Run], key: Callable[[Run], Hashable]) -> Iterator[list[Run]]:
        """The runs without a result in groups of one key, as the keys first appear."""
        groups: dict[Hashable, list[Run]] = {}
        for run in runs:
            groups.setdefault(key(run), []).append(run)
        for group in groups.values():
            # Looked at late: the group before may have settled them, or been stopped.
            if self._limits is not None and self._limits.reached:
                return
            if missing := self.missing(group):
                yield missing


class Failures:
    """Errors on their way to the runs that they belong to."""

    def __init__(self, results: Results, recorder: Recorder, engine: str = AUTO) -> None:
        """engine: the one that would train, for runs that fail before it begins."""
        self._results, self._recorder, self._engine = results, recorder, engine

    @contextmanager
    def of(self, runs: Sequence[Run]) -> Iterator[None]:
        """Settle those of the runs that have no result yet with an error that is raised inside.

        One for the user to mend means that they never began, any other that they failed. Where
        all have their results it is nobody's, and raised.
        """
        try:
            yield
        except (Exception, SystemExit) as error:
            stops.check()  # a query that was interrupted, say, is no fault of the run's
            left = self._results.missing(runs)
            if not left:
                raise
            for run in left:
                if isinstance(error, RunnerError):
                    self._results.settle(run, error)
                else:
                    self.record(start_of(run, run.config.settings.device), run, error)

    def blame(
        self, error: Exception | SystemExit, jobs: Sequence[Job], runs: Mapping[str, Run]
    ) -> None:
        """End the jobs that an engine's error belongs to: those begun, else the next in turn."""
        begun = [job for job in jobs if job.start.run_id in self._recorder.outcomes]
        for job in begun or jobs[:1]:
            run = runs[job.start.run_id]
            if isinstance(error, RunnerError) and not begun:
                self._results.settle(run, error)
            else:
                self.record(job.start, run, error)

    def record(self, start: RunStart, run: Run, error: BaseException) -> None:
        """Record a run as failed, from its start if that is not recorded yet."""
        if start.engine == AUTO:
            start = replace(start, engine=self._engine)
        try:
            if run.run_id not in self._recorder.outcomes:
                self._recorder(start)
            self._recorder(RunEnd.failed(run.run_id, error))
        except JournalError as unwritable:
            return self.give_up(run, unwritable)
        self._results.settle(run, self._recorder.outcomes[run.run_id])

    def give_up(self, run: Run, error: JournalError) -> None:
        """End a run whose journal cannot be written; one without any never began."""
        if run.run_id in self._results.by_id:
            return
        if run.run_id not in self._recorder.outcomes:
            return self._results.settle(run, error)
        self._recorder.give_up(run.run_id, error)
        self._results.settle(run, self._recorder.outcomes[run.run_id])
