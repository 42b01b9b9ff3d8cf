"""`runner.sweep([...])`: the jobs of lists and dicts, trained as `--multirun` trains its own."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

import warehouse
from runner.config.compose import composing
from runner.config.typed import refuse_odd_words
from runner.errors import ConfigError, RunnerError
from runner.search.space import word_of
from runner.sweep.launching.jobs import Composer
from runner.sweep.limits import BEGAN, JOBS, SWEEP
from runner.sweep.sweep import Sweep
from warehouse.frames import frame, runs_query

Job = str | Sequence[str] | Mapping[str, Any]


def sweep(jobs: Sequence[Job], common: Job, grid: Mapping[str, Any]) -> Any:
    """Train all jobs that are not trained yet; see `runner.sweep`."""
    if isinstance(jobs, str | Mapping):
        raise ConfigError(f"a sweep takes a list of jobs, and {jobs!r:.60} is one: put [] around")
    shared = _words(common)
    words = [
        [*shared, *_words(job), *(_word(key, value) for key, value in values)]
        for job in jobs or [()]
        for values in _combinations(grid)
    ]
    for each in words:
        refuse_odd_words(each, multirun=False)
    with _sweep_of_its_own(shared) as one, composing(shared) as (master, loader):
        composer = Composer(loader, master)
        try:
            composed = [composer.job(each, number) for number, each in enumerate(words)]
            values = one.train_batch(composed, len(composed), Path.cwd())
        finally:
            if one.begun:
                one.close()
    if values and all(isinstance(value, RunnerError) for value in values):
        raise values[0]  # type: ignore[misc]
    with warehouse.connect(one.results) as con:
        rows = con.execute("SELECT run_id FROM sweep_runs WHERE sweep_id = ?", [one.sweep_id])
        ids = [run_id for (run_id,) in rows.fetchall()]
        query = f"SELECT * FROM ({runs_query(con, ids)}) WHERE run_id IN (SELECT unnest($ids))"
        return frame(con, query, {"ids": ids}).dropna(axis="columns", how="all")


def _words(job: Job) -> list[str]:
    """The overrides of a job."""
    if isinstance(job, str):
        return [job]
    if isinstance(job, Mapping):
        return [_word(key, value) for key, value in job.items()]
    if odd := [word for word in job if not isinstance(word, str)]:
        raise ConfigError(
            f"{odd[0]!r:.60} is no override: give text such as 'epochs=5', or a dict"
        )
    return list(job)


def _word(key: str, value: Any) -> str:
    """The override that gives a key this value, which may be NumPy's."""
    return word_of(key, value.item() if isinstance(value, np.generic) else value)


def _combinations(grid: Mapping[str, Any]) -> Iterator[tuple[tuple[str, Any], ...]]:
    """Every combination of the keys' values; one, of none, where there are no keys."""
    columns = [
        [(key, value) for value in ([values] if _is_one(values) else values)]
        for key, values in grid.items()
    ]
    return itertools.product(*columns)


def _is_one(values: Any) -> bool:
    return isinstance(values, str | Mapping) or not hasattr(values, "__iter__")


@contextmanager
def _sweep_of_its_own(words: Sequence[str]) -> Iterator[Sweep]:
    """A new sweep; the environment, by which the jobs of a command know theirs, as it was."""
    before = {name: os.environ.pop(name, None) for name in (SWEEP, BEGAN, JOBS)}
    try:
        yield Sweep(["--multirun", *words])
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value
