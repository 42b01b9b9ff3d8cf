"""The first record of a run: everything known before it trains, versions and git among it."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import socket
import subprocess
from typing import Any

from runner.config.config import Config, flatten, parents_of
from runner.config.fingerprint import source_hash
from runner.data.prepare import Prepared
from runner.journal.ids import now
from runner.journal.records import RunStart, UsedComponent
from runner.model.build import monitor_of
from runner.sweep.plan import Run

LIBRARIES = ("sweephouse", "tensorflow", "keras", "numpy", "duckdb", "hydra-core")


def start_of(run: Run, device: str, data: Prepared | None = None) -> RunStart:
    """The start of a run.

    data: the prepared data, where it got so far.
    """
    config = run.config
    # Before the metrics are made, by their names; the engine that builds them says it better.
    monitor, mode = monitor_of(config, data) if data else ("val_loss", "min")
    commit, dirty = git_state()
    shape: dict[str, Any] = {"identity": run.identity}
    if data is not None:
        shape |= data.splits.task.record() | data.shapes() | data.rows()
        if data.splits.reading:
            shape["reading"] = dict(data.splits.reading)
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
        components=components_of(config),
        versions=versions(),
        data=shape,
        sweep_id=run.sweep_id,
        sweep_jobs=run.sweep_jobs,
        resumed_from=run.resumed_from,
        extended_from=run.extended_from,
        extension=run.extension,
        replay_of=run.replay_of,
        parents=parents_of(run.config),
        git_commit=commit,
        git_dirty=dirty,
    )


def components_of(config: Config) -> list[UsedComponent]:
    """The components in use: who gave them, and the hash of what they are made of."""
    return [
        {
            "kind": kind.name,
            "name": choice.component.name,
            "distribution": choice.component.distribution,
            "version": choice.component.version,
            "source": source_hash(choice.component.function),
        }
        for kind, choice in config.all()
    ]


@functools.cache
def versions() -> dict[str, str]:
    """Python's version and that of each library that matters, read without importing them."""
    versions_now = {"python": platform.python_version()}
    for library in LIBRARIES:
        try:
            versions_now[library] = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            continue
    return versions_now


@functools.cache
def git_state() -> tuple[str | None, bool | None]:
    """The commit of the repository where the user stands, and whether it has local changes."""
    commit = _git("rev-parse", "HEAD")
    if commit is None:
        return None, None
    return commit, bool(_git("status", "--porcelain", "--untracked-files=no"))


def _git(*words: str) -> str | None:
    """Run git and return what it prints; None without git or outside a repository."""
    try:
        done = subprocess.run(["git", *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
