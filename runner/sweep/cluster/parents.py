"""Weights of earlier runs that params name (`run:<id>`), taken along to where there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from runner.config.config import Config, parents_of
from runner.journal import weights
from runner.sweep.earlier import EarlierRun, earlier_run, with_parents
from runner.sweep.plan import Run

FOLDER = "parents"
"""The folder, of a worker's own, that takes them."""


@dataclass(frozen=True)
class Taken:
    """An earlier run, and the content of its files of weights that make its model, by uri."""

    run: EarlierRun
    files: Mapping[str, bytes]


def taken_along(runs: Sequence[Run]) -> dict[str, Taken]:
    """Run id -> the earlier run, for all that the runs' params name."""
    taken: dict[str, Taken] = {}
    for run in runs:
        for parent in parents_of(run.config):
            if parent["run_id"] not in taken:
                taken[parent["run_id"]] = _taken(earlier_run(parent["run_id"], run.results))
    return taken


def _taken(earlier: EarlierRun) -> Taken:
    needed = [file for role in ("best", "graph") if (file := earlier.newest(role)) is not None]
    places = {str(file.path.relative_to(earlier.results)): file for file in needed}
    return Taken(
        replace(earlier, files=needed),
        {uri: weights.read(earlier.results, uri, file.sha256) for uri, file in places.items()},
    )


def with_taken(config: Config, base: Path, taken: Mapping[str, Taken], results: Path) -> Config:
    """The config with the weights that its params name: those taken along, else as they lie here.

    results: the worker's own folder.
    """
    if not taken:
        return with_parents(config, base)
    folder = results / FOLDER

    def look(run_id: str, _: Path) -> EarlierRun:
        one = taken[run_id]
        for uri, content in one.files.items():
            weights.store(folder, content, Path(uri).suffix, Path(uri).parts[0])
        files = [
            replace(file, path=folder / file.path.relative_to(one.run.results))
            for file in one.run.files
        ]
        return replace(one.run, results=folder, files=files)

    return with_parents(config, base, look)
