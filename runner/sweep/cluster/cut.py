"""Runs cut into packs for the workers of a cluster: each of one structure, none too large.

A worker trains a pack as one program (`runner.engines.packed`), and to make one takes as long as
a dozen of small runs. So runs of one structure stay together, as many as keep every worker busy.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import warehouse
from runner.engines.packed.engine import LEAST_ROWS, structure_of
from runner.errors import ConfigError
from runner.journal.results import is_results
from runner.sweep.batch import place_of
from runner.sweep.plan import Run, data_key

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

AUTO = "auto"
MOST = 64
"""Runs of a pack: more gain nothing, and a worker that dies leaves as many half trained."""
COPIES = 8
"""Of a run's weights while it trains: weights, gradients, the optimizer's, the best so far."""
SHARE = 0.5
"""Of a worker's memory, that weights may take."""


def check_pack(pack: int | str) -> None:
    """Raise ConfigError where `launcher.pack` is neither auto nor a number of runs."""
    if pack != AUTO and (type(pack) is not int or pack < 1):
        raise ConfigError(
            f"hydra.launcher.pack={pack} is not valid: give auto, or how many runs a worker is "
            "given at once, from 1 on"
        )


def structure_key(run: Run) -> Hashable:
    """Equal for runs that may train as one program, as far as their configs tell."""
    return place_of(run), data_key(run.config), structure_of(run.config)


def structures(runs: Sequence[Run]) -> dict[Hashable, list[Run]]:
    """The runs that may train as one program; in their order."""
    groups: dict[Hashable, list[Run]] = {}
    for run in runs:
        groups.setdefault(structure_key(run), []).append(run)
    return groups


def cut(
    runs: Sequence[Run], workers: int, pack: int | str = AUTO, memory: int | None = None
) -> list[list[Run]]:
    """The runs in packs of one structure, the packs that take longest first.

    workers: how many train at once. pack: how many runs a pack has at most; auto: by the number
    of workers, and by memory where the warehouse knows how many weights such a run has. memory:
    bytes that a worker may use, where that is known.
    """
    packs: list[list[Run]] = []
    groups = list(structures(runs).values())
    weights = _weights(groups) if memory is not None and pack == AUTO else [None] * len(groups)
    for alike, number in zip(groups, weights, strict=True):
        fits = int((memory or 0) * SHARE / (4 * COPIES * number)) if number else len(alike)
        each = size(len(alike), workers, pack, max(fits, 1))
        packs += [alike[first : first + each] for first in range(0, len(alike), each)]
    return sorted(packs, key=lambda one: -sum(run.config.settings.epochs for run in one))


def size(runs: int, workers: int, pack: int | str, fits: int) -> int:
    """How many of so many runs of one structure make a pack; fits: how many memory allows."""
    if isinstance(pack, int):
        return pack
    parts = max(1, min(workers, runs // LEAST_ROWS))
    return max(1, min(math.ceil(runs / parts), MOST, fits))


def _weights(groups: Sequence[Sequence[Run]]) -> list[int | None]:
    """For each group the number of weights of an earlier run like it, where there is one."""
    results = groups[0][0].results
    if not is_results(results):
        return [None] * len(groups)
    with warehouse.connect(results) as connection:
        return [_weights_of(connection, group[0]) for group in groups]


def _weights_of(connection: DuckDBPyConnection, run: Run) -> int | None:
    architecture = json.dumps(run.config.plain()["architecture"], separators=(",", ":"))
    [(number,)] = connection.execute(
        "SELECT sum(parameters)::BIGINT FROM layers WHERE run_id = (SELECT max(run_id) FROM runs "
        "SEMI JOIN layers USING (run_id) WHERE json_extract_string(data, '$.identity') = $1 "
        "AND CAST(json_extract(config, '$.architecture') AS VARCHAR) = $2)",
        [run.identity, architecture],
    ).fetchall()
    return number if number is None else int(number)
