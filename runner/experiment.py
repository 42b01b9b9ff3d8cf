"""One run from a composed config to its outcome: the main path, read top to bottom."""

from __future__ import annotations

import functools
import os
import socket
import traceback
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from runner.build import build, monitor_of
from runner.config import Config, fingerprint, flatten
from runner.data import Prepared, load, prepare
from runner.engines import find_engine
from runner.engines.contract import Checkpoint, Job
from runner.errors import JournalError, RunnerError, in_one_line
from runner.identity import data_identity
from runner.journal import check_writable
from runner.nouns import Data, Splits
from runner.progress import progress_for_output
from runner.recorder import JOURNALS, Closing, Outcome, Recorder
from runner.records import RunEnd, RunStart, new_run_id, now
from runner.surroundings import git_state, versions
from runner.watch import Watch


@dataclass(frozen=True)
class Run:
    """One training of one composed config with one seed, planned but not begun."""

    run_id: str
    config: Config
    fingerprint: str
    identity: str
    """What the data are."""
    experiment: str
    overrides: Sequence[str]
    base: Path = field(default_factory=Path)
    """Where the user stands, against which a relative results folder counts."""
    trouble: BaseException | None = None
    """What a component raised when the run was planned."""
    sweep_id: str | None = None
    resumed_from: str | None = None
    replay_of: str | None = None

    @functools.cached_property
    def data(self) -> Data | Splits:
        """The dataset, loaded when first asked for."""
        return load(self.config)

    @property
    def results(self) -> Path:
        """The folder that keeps what comes of it."""
        return (self.base / self.config.settings.results).absolute()


def plan(config: Config, experiment: str, overrides: Sequence[str], **relations: Any) -> Run:
    """The run that a config means, with its fingerprint; as a rule nothing is loaded for it.

    Raises DataError where the dataset's files are missing.
    """
    draft = Run(new_run_id(), config, "", "", experiment, overrides, **relations)
    try:
        identity = data_identity(config.one("dataset"), lambda: draft.data, draft.results)
    except RunnerError:
        raise
    except (Exception, SystemExit) as error:
        # A component's mistake: it is raised again, and recorded, when the run begins.
        return replace(draft, fingerprint=fingerprint(config, "unknown"), trouble=error)
    run = replace(draft, fingerprint=fingerprint(config, identity), identity=identity)
    if "data" in vars(draft):
        vars(run)["data"] = draft.data
    return run


def train(run: Run, resume: Checkpoint | None = None, closing: Closing | None = None) -> Outcome:
    """Train one run and record it; the outcome says how it ended.

    resume: where to go on rather than begin.
    closing: makes a last record from the run's epochs.

    Raises RunnerError for what is wrong before anything trains. Whatever happens while a
    component is called or the model trains, a journal that can no longer be written included,
    is the outcome of a failed run.
    """
    config, settings = run.config, run.config.settings
    engine = find_engine(settings.engine)
    recorder = Recorder(run.results, progress_for_output(), closing)
    start = _start(run, settings.device)
    watch = Watch(recorder.beat, recorder.stop_at_once)
    try:
        # What needs no TensorFlow comes first: a mistake is then told at once.
        check_writable(run.results / JOURNALS)
        if run.trouble is not None:
            raise run.trouble
        raw = run.data
        with engine.ready(settings) as device:
            start = _start(run, device)
            data = prepare(raw, config)
            start = _start(run, device, data)
            if settings.debug == "summary":
                build(config, data).model.summary()
                return Outcome(run.run_id, status="summary")
            make = functools.partial(build, config, data)
            with watch:
                engine.train([Job(start, config, data, make, watch.requested, resume)], recorder)
    except JournalError as error:
        if run.run_id not in recorder.outcomes:
            raise
        recorder.give_up(run.run_id, error)
    except RunnerError:
        raise
    except (Exception, SystemExit) as error:
        _fail(start, error, recorder)
    outcome = recorder.outcomes[run.run_id]
    outcome.stop_requested = watch.requested()
    return outcome


def _start(run: Run, device: str, data: Prepared | None = None) -> RunStart:
    """Everything known before training."""
    config = run.config
    monitor, mode = monitor_of(config, data) if data else ("val_loss", "min")
    commit, dirty = git_state()
    shape: dict[str, Any] = {"identity": run.identity}
    if data is not None:
        task = data.splits.task
        shape |= {
            "task": task.kind,
            "outputs": task.outputs,
            "names": list(task.names),
            "raw_shape": list(data.raw_shape),
            "input_shape": list(data.input_shape),
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
        mode="min" if mode == "min" else "max",
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
        git_commit=commit,
        git_dirty=dirty,
    )


def _fail(start: RunStart, error: BaseException, recorder: Recorder) -> None:
    """Record a run that failed outside of its engine: a component raised, memory ran out."""
    if start.run_id not in recorder.outcomes:
        recorder(start)
    recorder(
        RunEnd(
            run_id=start.run_id,
            status="failed",
            ended_at=now(),
            seconds=0.0,
            epochs=0,
            best_epoch=None,
            error=in_one_line(error),
            traceback=traceback.format_exc(),
        )
    )
