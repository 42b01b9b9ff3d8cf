"""Runs cut into packs for the workers of a cluster: each of one structure, none too large.

A worker trains a pack as one program (`runner.engines.packed`), and to make one takes as long as
a dozen of small runs. So runs of one structure stay together, as many as keep every worker busy.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence

from runner.engines.packed.engine import LEAST_ROWS, structure_of
from runner.errors import ConfigError
from runner.sweep.batch import place_of
from runner.sweep.plan import Run, data_key

AUTO = "auto"
MOST = 64
"""Runs of a pack: more gain nothing, and a worker that dies leaves as many half trained."""
COPIES = 8
"""Of a run's weights while it trains: weights, gradients, the optimizer's, the best so far."""
SHARE = 0.5
"""Of a worker's memory, that weights may take."""

Structure = Hashable


def check_pack(pack: int | str) -> None:
    """Raise ConfigError where `launcher.pack` is neither auto nor a number of runs."""
    if pack != AUTO and (type(pack) is not int or pack < 1):
        raise ConfigError(
            f"hydra.launcher.pack={pack} is not valid: give auto, or how many runs a worker is "
            "given at once, from 1 on"
        )


def structures(runs: Sequence[Run]) -> dict[Structure, list[Run]]:
    """The runs that may train as one program, as far as their configs tell; in their order."""
    groups: dict[Structure, list[Run]] = {}
    for run in runs:
        key = (place_of(run), data_key(run.config), structure_of(run.config))
        groups.setdefault(key, []).append(run)
    return groups


def cut(
    runs: Sequence[Run],
    workers: int,
    pack: int | str = AUTO,
    memory: int | None = None,
    weights: Mapping[Structure, int] | None = None,
) -> list[list[Run]]:
    """The runs in packs of one structure, the packs that take longest first.

    workers: how many train at once. pack: how many runs a pack has at most; auto: by the number
    of workers, and by memory. memory: bytes that a worker may use, where that is known. weights:
    of a structure the number of a model's weights, where that is known.
    """
    packs: list[list[Run]] = []
    for structure, alike in structures(runs).items():
        each = size(len(alike), workers, pack, memory, (weights or {}).get(structure))
        packs += [alike[first : first + each] for first in range(0, len(alike), each)]
    return sorted(packs, key=lambda one: -sum(run.config.settings.epochs for run in one))


def size(runs: int, workers: int, pack: int | str, memory: int | None, weights: int | None) -> int:
    """How many of so many runs of one structure make a pack."""
    if isinstance(pack, int):
        return pack
    parts = max(1, min(workers, runs // LEAST_ROWS))
    fits = runs
    if memory is not None and weights:
        fits = int(memory * SHARE / (4 * COPIES * weights))
    return max(1, min(math.ceil(runs / parts), MOST, fits))
