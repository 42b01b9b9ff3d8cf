"""Runs from plan to result, one or a thousand: the main path, read top to bottom."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace

from runner.components.types import Recipe
from runner.data import duplicates
from runner.data.prepare import Prepared
from runner.data.profile import complaints, first_look
from runner.engines import find_engine, name_of
from runner.engines.contract import Engine, Job
from runner.errors import JournalError, RunnerError
from runner.journal.file import check_writable
from runner.journal.ids import now
from runner.journal.records import RunEnd, RunStart, StopReason
from runner.journal.results import JOURNALS
from runner.model.build import build
from runner.record.display import Progress, progress_for_output
from runner.record.events import Event, Refused
from runner.record.keeper import RunKeeper
from runner.record.outcome import Outcome
from runner.record.recorder import Closing, Recorder
from runner.search.pruning import Pruning, RunPruning
from runner.sweep.failures import Failures, OnResult, Results, RunResult
from runner.sweep.limits import Limits
from runner.sweep.plan import Run, data_key, source_key
from runner.sweep.provenance import start_of
from runner.sweep.watch import Watch
from runner.system.terminal import say

PruningOf = Callable[[Run], Pruning | None]


def _no_pruning(run: Run) -> None:
    """Give none: a run by itself has nothing to be compared with."""


@dataclass(frozen=True)
class Terms:
    """The terms on which runs train, wherever they do."""

    pruning: PruningOf = _no_pruning
    """Gives the pruning that a run is part of, if any."""
    limits: Limits = field(default_factory=Limits)
    """What keeps further runs from beginning."""
    more: float | None = None
    """How many runs of a search, much like these, will follow, for each so far; None where these
    are of none."""


TrainAll = Callable[[Sequence[Run], OnResult | None, Terms], dict[str, RunResult]]
"""What trains many runs: `train_all` in this process, and others as it does."""


def train(run: Run, closing: Closing | None = None) -> Outcome:
    """Train one run and record it; the outcome says how it ended.

    closing: makes a last record from the run's epochs.

    Raises RunnerError for what is wrong before anything trains. Whatever happens while a
    component is called or the model trains, a journal that can no longer be written included,
    is the outcome of a failed run.
    """
    result = train_all([run], closing=closing).get(run.run_id)
    if result is None:
        raise KeyboardInterrupt
    if isinstance(result, RunnerError):
        raise result
    return result


def train_all(
    runs: Sequence[Run],
    on_result: OnResult | None = None,
    terms: Terms | None = None,
    *,
    closing: Closing | None = None,
    progress: Progress | None = None,
) -> dict[str, RunResult]:
    """Train runs, those that can share one call of an engine together; their results by id.

    Data that several runs share are loaded and prepared once, and no two datasets are in memory
    at once; the last one stays for a later call, if it is not large. Whatever is wrong with one
    run is that run's own. After Ctrl-C, or when a limit is reached, no further run begins: those
    are missing from the answer.

    on_result: is called for each run as soon as it has come to its end or is refused.
    progress: the display; by default the one that fits the output.
    """
    terms = terms or Terms()
    results = Results(on_result, terms.limits)
    progress = progress or progress_for_output(len(runs))
    try:
        # Op determinism, once on, stays on: those that ask for it come last.
        ordered = sorted(runs, key=lambda run: run.config.settings.deterministic)
        for together in results.groups(ordered, place_of):
            _Batch(results, together, progress, closing, terms).train()
    finally:
        progress.close()
    return results.by_id


def place_of(run: Run) -> Hashable:
    """Key of the runs that may be handed to one engine."""
    settings = run.config.settings
    return (
        run.results,
        settings.engine,
        settings.strict,
        settings.device,
        settings.precision,
        settings.deterministic,
    )


class _Batch:
    """Runs that one engine takes: load, prepare, build, train, record."""

    def __init__(
        self,
        results: Results,
        runs: Sequence[Run],
        progress: Progress,
        closing: Closing | None,
        terms: Terms,
    ) -> None:
        self._results, self._runs = results, runs
        self._terms, self._limits = terms, terms.limits
        self._keepers: dict[str, RunKeeper] = {}
        self._recorder = Recorder(runs[0].results, progress, closing)
        engine = name_of(runs[0].config.settings.engine, len(runs))
        self._failures = Failures(results, self._recorder, engine)

    def train(self) -> None:
        """Train them, one set of data after the other; an error ends the runs it is about."""
        settings, failures, device = self._runs[0].config.settings, self._failures, ""
        with failures.of(self._runs), ExitStack() as stack:
            engine = find_engine(settings.engine, len(self._runs))
            check_writable(self._runs[0].results / JOURNALS)
            for same in self._results.groups(self._runs, lambda run: source_key(run.config)):
                with failures.of(same):
                    # What needs no TensorFlow comes first: a mistake is then reported at once.
                    self._look_at_data(same[0])
                    # A device that is not there is not there for any of them.
                    with failures.of(self._runs):
                        device = device or stack.enter_context(engine.ready(settings))
                    for alike in self._results.groups(same, lambda run: data_key(run.config)):
                        with failures.of(alike):
                            self._train_on_same_data(alike, engine, device)
                same[0].source.keep(same[0].identity)

    def _look_at_data(self, run: Run) -> None:
        """Load the data, say what seems wrong with them, and have the first run tell of them."""
        look = first_look(run.config.one("dataset"), run.data, run.identity, run.results)
        if look is not None:
            for line in complaints(look.profile, run.data.reading.get("features", ())):
                say(line)
            self._recorder.introduce(look)
        if copies := duplicates.complaint(run.data, run.config.settings.split):
            say(copies)

    def _train_on_same_data(self, runs: Sequence[Run], engine: Engine, device: str) -> None:
        """Train runs whose data are prepared in the same way, by one call of the engine."""
        data = runs[0].source.prepared(runs[0].config)
        time_is_up = self._limits.time_is_up
        watch = Watch(self._recorder.beat, self._recorder.stop_at_once, time_is_up)
        jobs = []
        for run in runs:
            with self._failures.of([run]):
                keeper = RunKeeper(run.run_id, run.config.settings.max_artifact)
                self._keepers[run.run_id] = keeper
                make = functools.partial(_built, run, data, keeper)
                if run.config.settings.debug == "summary":
                    make().model.summary()
                    self._results.settle(run, Outcome(run.run_id, status="summary"))
                    continue
                start = start_of(run, device, data)
                judge = self._judge_of(run)
                stop = functools.partial(self._is_to_stop, run, watch)
                more = self._terms.more
                jobs.append(Job(start, run.config, data, make, stop, run.resume, judge, more))
        with watch, self._recorder.usage:
            self._engage(engine, jobs, {run.run_id: run for run in runs}, watch)
        if watch.requested_by_user():
            self._results.stop(runs)

    def _is_to_stop(self, run: Run, watch: Watch) -> bool:
        """Whether a run is not to go on, or where it has not begun, not to begin."""
        if run.run_id not in self._recorder.outcomes:
            return watch.requested() or bool(self._limits.reached)
        return watch.requested() or self._own_time_is_up(run)

    def _own_time_is_up(self, run: Run) -> bool:
        """Whether a run that has begun has trained for as long as it may."""
        most = run.config.settings.max_seconds
        return most is not None and self._recorder.seconds(run.run_id) >= most

    def _judge_of(self, run: Run) -> RunPruning | None:
        """Who says that the run is hopeless; nobody of one that goes on from an earlier run."""
        pruning = None if run.resume is not None else self._terms.pruning(run)
        if pruning is None:
            return None
        return pruning.run(run.run_id, run.identity, run.config.settings.epochs)

    def _engage(
        self, engine: Engine, jobs: Sequence[Job], runs: dict[str, Run], watch: Watch
    ) -> None:
        """Have the engine train the jobs; where it gives up over one, have it train the rest."""

        judges = {job.start.run_id: job.judge for job in jobs}

        def record(event: Event) -> None:
            run = runs[event.run_id]
            if isinstance(event, Refused):
                return self._results.settle(run, event.error)
            if isinstance(event, RunEnd) and event.reason == "user":
                event = self._with_reason(event, run, watch)
            if isinstance(event, RunStart):
                event = replace(event, started_at=now())  # the job may have waited its turn
            try:
                if isinstance(event, RunEnd):
                    self._keepers[event.run_id].end()
                self._recorder(event)
                if isinstance(event, RunStart):
                    self._take_what_is_left(run)
            except JournalError as error:
                self._failures.give_up(run, error)
                raise
            if isinstance(event, RunEnd):
                if judge := judges[event.run_id]:
                    judge.end("pruned" if event.reason == "pruned" else event.status)
                self._results.settle(run, self._recorder.outcomes[event.run_id])

        def left() -> list[Job]:
            return [job for job in jobs if job.start.run_id not in self._results.by_id]

        while jobs and not watch.requested() and not self._limits.reached:
            try:
                engine.train(jobs, record)
                return
            except (Exception, SystemExit) as error:
                # A journal's error has ended its own job already, in `record`; any other error
                # has ended none, and the same jobs would raise it for ever.
                if not isinstance(error, JournalError) or len(left()) == len(jobs):
                    self._failures.blame(error, left(), runs)
                jobs = left()

    def _take_what_is_left(self, run: Run) -> None:
        """Take what its dataset and its callbacks left behind before the run began."""
        for found in run.source.keeper.found_for(run.run_id):
            self._recorder(found)
        self._keepers[run.run_id].begin(self._recorder)

    def _with_reason(self, end: RunEnd, run: Run, watch: Watch) -> RunEnd:
        """The end of a run that stopped, by whose doing: an engine knows only that it was to."""
        if watch.requested_by_user():
            return end
        reason: StopReason
        if self._limits.time_is_up():
            reason, limit = "max_seconds", self._limits.reached
        elif self._own_time_is_up(run):
            reason = "own_max_seconds"
            limit = f"max_seconds={run.config.settings.max_seconds:g}"
        else:
            return end
        return replace(end, reason=reason, error=f"stopped by {limit} after epoch {end.epochs}")


def _built(run: Run, data: Prepared, keeper: RunKeeper) -> Recipe:
    """The run's recipe; built once more, it leaves behind what the last one did."""
    keeper.waiting.clear()
    return build(run.config, data, keeper, run.run_id, run.results)
