"""One run from a composed config to its outcome: the main path, read top to bottom."""

from __future__ import annotations

import os
import platform
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from runner.build import build, monitor_of
from runner.config import Config, fingerprint, flatten
from runner.data import Prepared, load, prepare
from runner.devices import import_tensorflow, on_device, pick_device, set_determinism
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.errors import RunnerError
from runner.identity import data_identity
from runner.nouns import Data, Splits
from runner.progress import progress_for
from runner.recorder import Outcome, Recorder
from runner.records import RunEnd, RunStart, new_run_id, now
from runner.surroundings import git_state, versions

SWEEP = "SWEEPHOUSE_SWEEP"
"""Environment variable by which the jobs of one --multirun know that they belong together."""


@dataclass(frozen=True)
class Run:
    """One training of one composed config with one seed."""

    run_id: str
    config: Config
    fingerprint: str
    experiment: str
    overrides: Sequence[str]


class _Source:
    """The run's dataset, loaded once and only when somebody needs it."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._data: Data | Splits | None = None

    def load(self) -> Data | Splits:
        if self._data is None:
            self._data = load(self._config)
        return self._data


def train(config: Config, experiment: str, overrides: Sequence[str]) -> Outcome:
    """Train one run and record it; the outcome says how it ended.

    Raises RunnerError for what is wrong before anything trains. Whatever else happens while a
    component is called or the model trains is the outcome of a failed run.
    """
    settings = config.settings
    results = Path(settings.results).absolute()
    engine = find_engine(settings.engine)
    source = _Source(config)
    identity = data_identity(config.one("dataset"), source.load, results)
    run = Run(new_run_id(), config, fingerprint(config, identity), experiment, overrides)

    import_tensorflow()
    place, device = pick_device(settings.device)
    set_determinism(settings.deterministic)
    recorder: Recorder | None = None
    start = _start(run, device, identity)
    try:
        with on_device(place):
            data = prepare(source.load(), config)
            start = _start(run, device, identity, data)
            job = Job(start, config, data, lambda: build(config, data))
            if settings.debug == "summary":
                job.recipe.model.summary()
                return Outcome(run.run_id, status="summary")
            job.recipe  # noqa: B018  (built here, so that a mistake is told before the run begins)
            recorder = Recorder(results, progress_for(settings.epochs, data.rows()["train"]))
            engine.train([job], recorder)
    except RunnerError:
        raise
    except Exception as error:
        return _failed(start, error, recorder or Recorder(results, progress_for(1, 1)))
    return recorder.outcomes[run.run_id]


def _start(run: Run, device: str, identity: str, data: Prepared | None = None) -> RunStart:
    """Everything known before training."""
    config = run.config
    monitor, mode = monitor_of(config, data) if data else ("val_loss", "min")
    commit, dirty = git_state()
    shape: dict[str, Any] = {"identity": identity}
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
        host=platform.node(),
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
        sweep_id=os.environ.get(SWEEP),
        git_commit=commit,
        git_dirty=dirty,
    )


def _failed(start: RunStart, error: Exception, recorder: Recorder) -> Outcome:
    """Record a run that failed outside of its engine: a component raised, memory ran out."""
    if start.run_id not in recorder.outcomes:
        recorder(start)
    said = f"{type(error).__name__}: {error}".partition("\n")[0]
    recorder(
        RunEnd(
            run_id=start.run_id,
            status="failed",
            ended_at=now(),
            seconds=0.0,
            epochs=0,
            best_epoch=None,
            error=said,
            traceback=traceback.format_exc(),
        )
    )
    return recorder.outcomes[start.run_id]
