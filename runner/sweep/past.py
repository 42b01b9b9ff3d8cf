"""Runs of other tasks as a sampler learns from them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.components.search_types import Dimension, PastTask, Space, Trial
from runner.config.config import Config, flatten
from runner.config.settings import NAMES, OF_OUTCOME
from runner.errors import ConfigError
from runner.journal.results import DATABASE, is_results
from runner.search.ask import as_text
from warehouse.searches import LEAST_RUNS, PastRun, past_runs

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NOT_IN_SPACE = object()
IGNORED = sorted(NAMES - set(OF_OUTCOME) | {"seed"})
"""Keys of the config that make no other task."""


def past_tasks(
    connection: DuckDBPyConnection,
    space: Space,
    config: Config,
    identity: str,
    metric: str,
    before: str,
) -> tuple[PastTask, ...]:
    """The other tasks of a warehouse that tried something of the space, in an order that stays.

    config, identity: of the task that is none of them. before: what ended later does not count.
    """
    varied = [dimension.name for dimension in space]
    rows = past_runs(connection, varied, IGNORED, flatten(config), identity, metric, before)
    by_task: dict[str, list[Trial]] = {}
    for row in rows:
        params = _params(space, row)
        if params:
            by_task.setdefault(row.task, []).append(Trial(params, (row.value,)))
    return tuple(
        PastTask(name, tuple(trials))
        for name, trials in by_task.items()
        if len({as_text(trial.params) for trial in trials}) >= LEAST_RUNS
    )


def folder_of(history: str) -> Path:
    """The results folder that `search.history` names as a path; ConfigError if it is none."""
    path = Path(history)
    if path.name == DATABASE:
        path = path.parent
    if not is_results(path):
        raise ConfigError(
            f"search.history={history} is not valid: no warehouse lies there; give here, none, "
            "lake or a results folder"
        )
    return path


def _params(space: Space, run: PastRun) -> dict[str, Any]:
    """The run's configuration as far as the space has it; empty where it lies outside."""
    params: dict[str, Any] = {}
    for dimension in space:
        if dimension.name not in run.params or not _counts(dimension, params):
            continue
        value = _value(dimension, *run.params[dimension.name])
        if value is NOT_IN_SPACE:
            return {}
        params[dimension.name] = value
    return params


def _counts(dimension: Dimension, params: Mapping[str, Any]) -> bool:
    return all(params.get(name) in values for name, values in dimension.only_if.items())


def _value(dimension: Dimension, text: str | None, number: float | None) -> Any:
    """The value of the dimension that the params table says so; NOT_IN_SPACE for another."""
    if dimension.kind == "choice":
        return next((one for one in dimension.choices if _is(one, text, number)), NOT_IN_SPACE)
    if number is None or not dimension.contains(number):
        return NOT_IN_SPACE
    return int(number) if dimension.kind == "int" else number


def _is(choice: Any, text: str | None, number: float | None) -> bool:
    """Whether a choice is what a row of the params table says."""
    if isinstance(choice, str):
        return choice == text
    if isinstance(choice, int | float) and not isinstance(choice, bool):
        return float(choice) == number and text not in ("true", "false")
    if json.dumps(choice, separators=(",", ":")) == text:
        return True
    # Components of a kind of which there are several stand in an order of their own.
    return isinstance(choice, Sequence) and sorted(map(str, choice)) == sorted(_names(text))


def _names(text: str | None) -> list[str]:
    return [name for name in (text or "").strip("[]").split(",") if name]
