"""Runs of ours into a store of MLflow's, by its own client."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from runner.errors import WarehouseError, in_one_line
from runner.system.paths import from_home
from warehouse.trackers.mlflow import EXPORTED, client, pages, without_user
from warehouse.trackers.ours import Ours

STATUSES = {
    "finished": "FINISHED",
    "failed": "FAILED",
    "stopped": "KILLED",
    "lost": "FAILED",
    "running": "RUNNING",
}
JOURNAL = "sweephouse.journal"
"""The tag that is set last: a run without it was left half written."""
AT_ONCE = {"metrics": 1000, "params": 100, "tags": 100}
"""How many MLflow takes in one batch."""
LONGEST_NAME, LONGEST_VALUE = 250, 5000
_REFUSED = re.compile(r"[^\w\-. :/]", re.ASCII)
"""What MLflow has no place for in a name."""
Item = TypeVar("Item")


def address_of(text: str) -> str:
    """The tracking URI that a text means: a file is one of SQLite's, a folder a file store."""
    if "://" in text:
        return text
    path = from_home(text).absolute()
    return f"file://{path}" if path.is_dir() else f"sqlite:///{path}"


def write(runs: Iterable[Ours], text: str) -> Counter[str]:
    """Write the runs that are not there as they are; how many were written, and were there.

    Raises WarehouseError where MLflow is not installed, or refuses.
    """
    uri = address_of(text)
    shown = without_user(uri)
    if uri.startswith("sqlite:///"):
        folder = Path(uri.removeprefix("sqlite:///")).parent
        if not folder.is_dir():
            raise WarehouseError(f"there is no folder {folder} for {text}")
    target = client(uri, f"writing {shown}")
    counts: Counter[str] = Counter()
    try:
        experiments = {each.name: each.experiment_id for each in pages(target.search_experiments)}
        there: dict[str, dict[str, Any]] = {}
        for run in runs:
            name = run.experiment
            if name not in experiments:
                experiments[name] = target.create_experiment(name)
            if name not in there:
                there[name] = _written(target, experiments[name])
            if (old := there[name].get(run.run_id)) is not None:
                if old.data.tags.get(JOURNAL) == run.about.get(JOURNAL):
                    counts["there"] += 1
                    continue
                target.delete_run(old.info.run_id)
            _write(target, experiments[name], run)
            counts["written"] += 1
    except Exception as error:  # MLflow's own, and whatever lies between here and there
        raise WarehouseError(
            f"{shown} cannot be written by MLflow ({in_one_line(error)})"
        ) from error
    return counts


def _written(target: Any, experiment: str) -> dict[str, Any]:
    """Our runs that an experiment has already."""
    return {
        run.data.tags[EXPORTED]: run
        for run in pages(target.search_runs, experiment_ids=[experiment])
        if EXPORTED in run.data.tags
    }


def _write(target: Any, experiment: str, run: Ours) -> None:
    from mlflow.entities import Metric, Param, RunTag

    tags = {f"mlflow.{key}": value for key, value in _own_tags(run).items()}
    tags |= dict(_pairs(run.tags)) | run.about
    journal = tags.pop(JOURNAL, "")
    made = target.create_run(
        experiment,
        start_time=_milliseconds(run.started),
        run_name=run.name,
        tags={EXPORTED: run.run_id},
    )
    uuid = made.info.run_id
    metrics = _names({point.name for point in run.points})
    params = _names({name for name, *_ in run.params})
    labels = _names(tags)
    for batch in _batches(run.points, AT_ONCE["metrics"]):
        logged = [
            Metric(metrics[name], value, _milliseconds(run.started if at is None else at), step)
            for step, name, value, at in batch
        ]
        target.log_batch(uuid, metrics=logged)
    for some in _batches(run.params, AT_ONCE["params"]):
        texts = [Param(params[name], (value or "")[:LONGEST_VALUE]) for name, value, _ in some]
        target.log_batch(uuid, params=texts)
    for few in _batches(list(tags.items()), AT_ONCE["tags"]):
        target.log_batch(
            uuid, tags=[RunTag(labels[tag], str(value)[:LONGEST_VALUE]) for tag, value in few]
        )
    ended = None if run.ended is None else _milliseconds(run.ended)
    status = STATUSES.get(run.status, "FAILED")
    if status == "RUNNING":
        target.update_run(uuid, status=status)
    else:
        target.set_terminated(uuid, status, ended if ended is not None else made.info.start_time)
    target.set_tag(uuid, JOURNAL, journal)


def _own_tags(run: Ours) -> dict[str, str]:
    """What MLflow has tags of its own for."""
    own = {"note.content": run.note, "source.git.commit": run.about.get("sweephouse.git_commit")}
    return {name: value for name, value in own.items() if value}


def _pairs(tags: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Tags as MLflow has them: before and behind the first `=`."""
    for tag in tags:
        name, _, value = tag.partition("=")
        yield (name, value) if name else (tag.lstrip("=") or "tag", "")


def _names(names: Iterable[str]) -> dict[str, str]:
    """Our names -> names that MLflow takes, and no two the same."""
    taken: dict[str, str] = {}
    for name in sorted(names):
        plain = _REFUSED.sub("_", name)[:LONGEST_NAME].strip("/ ") or "_"
        # A path that it would have to put right, it refuses.
        plain = re.sub(r"(^|/)\.{0,2}(?=/|$)", r"\1_", plain) if "/" in plain else plain
        wanted, number = plain, 1
        while wanted in taken:
            number += 1
            wanted = f"{plain[: LONGEST_NAME - 8]}_{number}"
        taken[wanted] = name
    return {name: wanted for wanted, name in taken.items()}


def _batches(items: Sequence[Item], size: int) -> Iterator[list[Item]]:
    todo = iter(items)
    while batch := list(itertools.islice(todo, size)):
        yield batch


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
