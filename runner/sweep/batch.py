"""Runs from plan to outcome, one or a thousand: the main path, read top to bottom."""

from __future__ import annotations

import functools
import os
import socket
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

from runner.components.types import Data, Splits
from runner.config.config import flatten, parents_of
from runner.data.prepare import Prepared, prepare
from runner.data.profile import complaints, first_look
from runner.engines import find_engine
from runner.engines.contract import Engine, Job
from runner.errors import JournalError, RunnerError, in_one_line, trace_of
from runner.journal.file import check_writable
from runner.journal.records import RunEnd, RunStart, now
from runner.journal.results import JOURNALS
from runner.model.build import build, monitor_of
from runner.record.display import progress_for_output
from runner.record.events import Event, Refused
from runner.record.recorder import Closing, Outcome, Recorder
from runner.sweep.plan import Run, data_key, source_key
from runner.sweep.provenance import git_state, versions
from runner.sweep.watch import Watch
from runner.system import stops
from runner.system.terminal import say

Came = Outcome | RunnerError
"""What came of a run: its outcome, or why it never began."""
Told = Callable[[Run, Came], None]


def train(run: Run, closing: Closing | None = None) -> Outcome:
    """Train one run and record it; the outcome says how it ended.

    closing: makes a last record from the run's epochs.

    Raises RunnerError for what is wrong before anything trains. Whatever happens while a
    component is called or the model trains, a journal that can no longer be written included,
    is the outcome of a failed run.
    """
    came = train_all([run], closing=closing).get(run.run_id)
    if came is None:
        raise KeyboardInterrupt
    if isinstance(came, RunnerError):
        raise came
    return came


def train_all(
    runs: Sequence[Run], told: Told | None = None, closing: Closing | None = None
) -> dict[str, Came]:
    """Train runs, those that can share one call of an engine together; what came of each by id.

    Data that several runs share are loaded and prepared once, and no two datasets are in memory
    at once. Whatever is wrong with one run is that run's own. After Ctrl-C no further run
    begins: those are missing from the answer.

    told: is told of each run as soon as it has come to its end or is refused.
    """
    batch = _Batch(len(runs), told, closing)
    try:
        # Op determinism, once on, stays on: those that ask for it come last.
        ordered = sorted(runs, key=lambda run: run.config.settings.deterministic)
        for same in _alike(ordered, _place):
            batch.train_in_one_place(same)
    finally:
        batch.progress.close()
    return batch.came


def _place(run: Run) -> Hashable:
    """What runs must have in common to be handed to one engine."""
    settings = run.config.settings
    return (
        run.results,
        settings.engine,
        settings.strict,
        settings.device,
        settings.precision,
        settings.deterministic,
    )


def _alike(runs: Iterable[Run], key: Callable[[Run], Hashable]) -> Iterator[list[Run]]:
    """The runs in groups of one key, in the order in which the keys first appear."""
    groups: dict[Hashable, list[Run]] = {}
    for run in runs:
        groups.setdefault(key(run), []).append(run)
    yield from groups.values()


class _Batch:
    """Runs on their way, and what came of each so far."""

    def __init__(self, runs: int, told: Told | None, closing: Closing | None) -> None:
        self.came: dict[str, Came] = {}
        self.progress = progress_for_output(runs)
        self._told, self._closing = told, closing
        self._stopped = False

    def train_in_one_place(self, runs: Sequence[Run]) -> None:
        """Train runs that one engine takes, one set of data after the other."""
        if self._stopped:
            return
        settings, results = runs[0].config.settings, runs[0].results
        recorder = Recorder(results, self.progress, self._closing)
        try:
            engine = find_engine(settings.engine, len(runs))
            check_writable(results / JOURNALS)
        except RunnerError as error:
            return self._refuse(runs, error)
        with ExitStack() as stack:
            device = ""
            for same in _alike(runs, lambda run: source_key(run.config)):
                # What needs no TensorFlow comes first: a mistake is then told at once.
                raw = self._load(same, recorder)
                if raw is None:
                    continue
                try:
                    device = device or stack.enter_context(engine.ready(settings))
                except RunnerError as error:
                    return self._refuse([r for r in runs if r.run_id not in self.came], error)
                except (Exception, SystemExit) as error:
                    self._fail([r for r in runs if r.run_id not in self.came], error, recorder)
                    return
                for alike in _alike(same, lambda run: data_key(run.config)):
                    if not self._stopped:
                        self._train_on(raw, alike, engine, device, recorder)
                del raw
                same[0].source.release()

    def _load(self, runs: Sequence[Run], recorder: Recorder) -> Data | Splits | None:
        """The data of runs that name the same dataset; None where they cannot be had."""
        if self._stopped:
            return None
        try:
            if runs[0].trouble is not None:
                raise runs[0].trouble
            raw = runs[0].source.data
            self._look_at(raw, runs[0], recorder)
            return raw
        except RunnerError as error:
            self._refuse(runs, error)
        except (Exception, SystemExit) as error:
            self._fail(runs, error, recorder)
        return None

    def _look_at(self, raw: Data | Splits, run: Run, recorder: Recorder) -> None:
        """Say what seems wrong with the data, and have the first run on them tell of them."""
        look = first_look(run.config.one("dataset"), raw, run.identity, run.results)
        if look is not None:
            for line in complaints(look.profile):
                say(line)
            recorder.introduce(look)

    def _train_on(
        self,
        raw: Data | Splits,
        runs: Sequence[Run],
        engine: Engine,
        device: str,
        recorder: Recorder,
    ) -> None:
        """Train runs whose data are prepared in the same way, by one call of the engine."""
        try:
            data = prepare(raw, runs[0].config)
        except RunnerError as error:
            return self._refuse(runs, error)
        except (Exception, SystemExit) as error:
            return self._fail(runs, error, recorder)
        if runs[0].config.settings.debug == "summary":
            return self._summarize(runs, data, recorder)
        watch = Watch(recorder.beat, recorder.stop_at_once)
        jobs = []
        for run in runs:
            try:
                start = _start(run, device, data)
            except RunnerError as error:
                self._refuse([run], error)
                continue
            make = functools.partial(build, run.config, data)
            jobs.append(Job(start, run.config, data, make, watch.requested, run.resume))
        with watch:
            self._engage(engine, jobs, {run.run_id: run for run in runs}, recorder, watch)
        if watch.requested():
            self._stopped = True
            for run in runs:
                if isinstance(came := self.came.get(run.run_id), Outcome):
                    came.stop_requested = True

    def _engage(
        self,
        engine: Engine,
        jobs: Sequence[Job],
        runs: dict[str, Run],
        recorder: Recorder,
        watch: Watch,
    ) -> None:
        """Have the engine train the jobs; where it gives up over one, have it train the rest."""

        def record(event: Event) -> None:
            run = runs[event.run_id]
            if isinstance(event, Refused):
                return self._settle(run, event.error)
            if isinstance(event, RunStart):
                event = replace(event, started_at=now())  # the job may have waited its turn
            try:
                recorder(event)
            except JournalError as error:
                self._give_up(run, error, recorder)
                raise
            if isinstance(event, RunEnd):
                self._settle(run, recorder.outcomes[event.run_id])

        while jobs and not watch.requested():
            left = len(jobs)
            try:
                engine.train(jobs, record)
                return
            except (Exception, SystemExit) as error:
                jobs = [job for job in jobs if job.start.run_id not in self.came]
                if not isinstance(error, JournalError) or len(jobs) == left:
                    jobs = self._blame(error, jobs, runs, recorder)

    def _blame(
        self,
        error: Exception | SystemExit,
        jobs: Sequence[Job],
        runs: dict[str, Run],
        recorder: Recorder,
    ) -> Sequence[Job]:
        """End the jobs that an engine's error belongs to; those that are left.

        They are the ones that had begun, or else the next in turn.
        """
        begun = [job for job in jobs if job.start.run_id in recorder.outcomes]
        guilty = begun or jobs[:1]
        for job in guilty:
            run = runs[job.start.run_id]
            if isinstance(error, RunnerError) and not begun:
                self._settle(run, error)
            else:
                self._record_failure(job.start, run, error, recorder)
        return [job for job in jobs if job not in guilty]

    def _summarize(self, runs: Sequence[Run], data: Prepared, recorder: Recorder) -> None:
        """Print the models, and train nothing."""
        for run in runs:
            try:
                build(run.config, data).model.summary()
            except RunnerError as error:
                self._settle(run, error)
            except (Exception, SystemExit) as error:
                self._fail([run], error, recorder)
            else:
                self._settle(run, Outcome(run.run_id, status="summary"))

    def _settle(self, run: Run, came: Came) -> None:
        """Remember what came of a run, and tell."""
        if run.run_id not in self.came:
            if isinstance(came, RunnerError):
                # Else the frames that it went through keep the data in memory.
                came.__traceback__ = came.__context__ = None
            self.came[run.run_id] = came
            if self._told is not None:
                self._told(run, came)

    def _refuse(self, runs: Iterable[Run], error: RunnerError) -> None:
        stops.check()  # a query that was interrupted, say, is no fault of the run's
        for run in runs:
            self._settle(run, error)

    def _fail(
        self, runs: Iterable[Run], error: Exception | SystemExit, recorder: Recorder
    ) -> None:
        """Record runs that failed outside of their engine: a component raised, say."""
        stops.check()
        for run in runs:
            self._record_failure(_start(run, run.config.settings.device), run, error, recorder)

    def _record_failure(
        self, start: RunStart, run: Run, error: BaseException, recorder: Recorder
    ) -> None:
        end = RunEnd(
            run_id=start.run_id,
            status="failed",
            ended_at=now(),
            seconds=0.0,
            epochs=0,
            best_epoch=None,
            error=in_one_line(error),
            traceback=trace_of(error),
        )
        try:
            if start.run_id not in recorder.outcomes:
                recorder(start)
            recorder(end)
        except JournalError as unwritable:
            return self._give_up(run, unwritable, recorder)
        self._settle(run, recorder.outcomes[run.run_id])

    def _give_up(self, run: Run, error: JournalError, recorder: Recorder) -> None:
        """End a run whose journal cannot be written; one without any never began."""
        if run.run_id in self.came:
            return
        if run.run_id not in recorder.outcomes:
            return self._settle(run, error)
        recorder.give_up(run.run_id, error)
        self._settle(run, recorder.outcomes[run.run_id])


def _start(run: Run, device: str, data: Prepared | None = None) -> RunStart:
    """Everything known before training."""
    config = run.config
    # Before the metrics are made, by their names; the engine that builds them says it better.
    monitor, mode = monitor_of(config, data) if data else ("val_loss", "min")
    commit, dirty = git_state()
    shape: dict[str, Any] = {"identity": run.identity}
    if data is not None:
        task = data.splits.task
        shape |= {
            "task": task.kind,
            "outputs": task.outputs,
            "names": list(task.names),
            **data.shapes(),
        } | data.rows()
    return RunStart(
        run_id=run.run_id,
        started_at=now(),
        experiment=run.experiment,
        fingerprint=run.fingerprint,
        seed=config.settings.seed,
        engine=config.settings.engine,
        device=device,
        host=socket.gethostname(),
        pid=os.getpid(),
        monitor=monitor,
        mode=mode,
        overrides=list(run.overrides),
        config=config.plain(),
        params=flatten(config),
        components=[
            {
                "kind": kind.name,
                "name": choice.component.name,
                "distribution": choice.component.distribution,
                "version": choice.component.version,
            }
            for kind, choice in config.all()
        ],
        versions=versions(),
        data=shape,
        sweep_id=run.sweep_id,
        resumed_from=run.resumed_from,
        replay_of=run.replay_of,
        parents=parents_of(run.config),
        git_commit=commit,
        git_dirty=dirty,
    )
