"""Batches that train as few programs: structures shared, numbers varied within them.

Runs of one structure train together as one program, so that eight of one are about as quick as
one of each of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from runner.components.search_types import Params, Space, Suggestion

PACK = 8
"""Runs of a pack, from which on more of them gain little."""


def structure(space: Space, params: Params) -> tuple[tuple[str, Any], ...]:
    """What a configuration has of structure: equal ones train as one program."""
    return tuple((one.name, params[one.name]) for one in space.active(params) if one.structural)


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
