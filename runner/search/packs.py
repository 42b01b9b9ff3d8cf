"""Batches that train as few programs: structures shared, numbers varied within them.

Runs of one structure train together as one program, and to make one takes as long as a dozen of
small runs. Fewer structures a batch are quicker and find less: with 18 of them to choose from, 64
trials of TPE in batches of eight came as far with three a batch as with any number, less far with
two, and hardly anywhere with one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.components.search_types import Params, Space, Suggestion

SHARE = 3 / 8
"""Structures for each trial of a batch."""


def most_structures(n: int) -> int:
    """How many structures a batch of so many may have."""
    return max(2, math.ceil(n * SHARE))


def structure(space: Space, params: Params) -> tuple[tuple[str, Any], ...]:
    """What a configuration has of structure: equal ones train as one program."""
    return tuple((one.name, params[one.name]) for one in space.active(params) if one.structural)


def structures_of(space: Space) -> int:
    """How many structures a space has, those included that no configuration comes to."""
    varied = [one for one in space if one.structural]
    return math.prod(len(one.choices) or round(one.high - one.low) + 1 for one in varied)


def few_structures(space: Space, suggestions: Sequence[Suggestion], most: int) -> list[Suggestion]:
    """The suggestions with at most so many structures: those of the first ones.

    Each of the others keeps its numbers and takes the structure among those that is most like its
    own; what the sampler foretold of it no longer holds and is left out.
    """
    leaders: dict[tuple[tuple[str, Any], ...], Params] = {}
    shared: list[Suggestion] = []
    for one in suggestions:
        own = structure(space, one.params)
        if own not in leaders and len(leaders) < most:
            leaders[own] = one.params
        if own in leaders:
            shared.append(one)
            continue
        near = max(leaders, key=lambda other: len({*map(str, own)} & {*map(str, other)}))
        merged = {**leaders[near], **one.params, **dict(near)}
        params = space.counted({name: merged[name] for name in merged})
        shared.append(replace(one, params=params, mean=None, deviation=None))
    return shared
