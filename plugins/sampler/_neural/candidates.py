"""The configurations among which a sampler chooses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .encode import ABSENT, Encoding, distinct

Array = NDArray[np.float64]
DRAWN, RANDOM, TOP = 8192, 800, 200
SMALL = 4096
"""A space of no more configurations is a pool as a whole."""
CLIMBERS, CLIMBS = 20, 3


@dataclass(frozen=True)
class Pool:
    """Configurations of a space, drawn once a search, the best by other tasks first."""

    codes: Array
    """(configurations, dimensions)"""
    expected: Array
    """What other tasks expect of them (configurations, 1 + tasks)."""


def pool(encoding: Encoding, expect: Callable[[Array], Array], rng: np.random.Generator) -> Pool:
    """All of a small space, or some drawn at random and what improves on the best of them."""
    if encoding.space.size <= SMALL:
        codes = encoding.codes(list(encoding.space.configurations()))
    else:
        codes = encoding.draw(rng.random((DRAWN, len(encoding.dimensions))))
        codes = codes[distinct(codes, codes[:0])]
        for _ in range(CLIMBS):
            mean = expect(encoding.columns(codes))[:, 0]
            near = neighbours(encoding, codes[np.argsort(mean, kind="stable")[:CLIMBERS]], rng)
            codes = np.vstack([codes, near[distinct(near, codes)]])
    expected = expect(encoding.columns(codes))
    order = np.argsort(expected[:, 0], kind="stable")
    return Pool(codes[order], expected[order])


def candidates(
    encoding: Encoding, pool: Pool, best: Array, besides: Array, rng: np.random.Generator
) -> tuple[Array, Array]:
    """The codes to choose from: the best by other tasks, random ones, neighbours of the best.

    best: codes of the best trials (some, dimensions). besides: what was tried or is pending.
    With them what other tasks expect of each, NaN where nobody asked yet.
    """
    size = len(pool.codes)
    top = np.arange(min(TOP + len(besides), size))
    near = neighbours(encoding, best, rng)
    rows = np.append(top, rng.choice(size, min(RANDOM, size), replace=False))
    codes = np.vstack([pool.codes[rows], near])
    unknown = np.full((len(near), pool.expected.shape[1]), np.nan)
    expected = np.vstack([pool.expected[rows], unknown])
    fresh = distinct(codes, besides)
    return codes[fresh], expected[fresh]


def within(
    encoding: Encoding, pool: Pool, chosen: Array, besides: Array, rng: np.random.Generator
) -> Array:
    """The codes to choose from among the structures of those chosen: only numbers vary."""
    structures = np.unique(chosen[:, encoding.structural], axis=0)
    some = rng.choice(len(pool.codes), min(RANDOM // 2, len(pool.codes)), replace=False)
    rows = np.vstack([pool.codes[:TOP], pool.codes[some], neighbours(encoding, chosen, rng)])
    found = []
    for structure in structures:
        copies = rows.copy()
        copies[:, encoding.structural] = structure
        found.append(encoding.counted(copies))
    codes = np.vstack(found)
    return codes[distinct(codes, besides)]


def neighbours(encoding: Encoding, codes: Array, rng: np.random.Generator) -> Array:
    """Configurations that differ from one of these in one dimension, and in all numbers a little.

    Of a choice all other values, of a number some near and some far.
    """
    found = [codes[:0]]
    for row in codes:
        for index, one in enumerate(encoding.dimensions):
            if row[index] == ABSENT:
                continue
            if one.kind == "choice":
                values = np.arange(len(one.choices), dtype=float)
            elif one.kind == "float":
                values = np.clip(row[index] + rng.normal(0, [0.3, 0.1, 0.1, 0.03, 0.03]), 0, 1)
            else:
                span = one.high - one.low
                steps = rng.normal(0, [0.3, 0.1, 0.1, 0.03]) * span
                values = np.clip(
                    np.round(row[index] + np.append(steps, [1, -1])), one.low, one.high
                )
            changed = np.repeat(row[None], len(values), axis=0)
            changed[:, index] = values
            found.append(changed[values != row[index]])
        found.append(_shaken(encoding, row, rng))
    return encoding.counted(np.vstack(found))


def _shaken(encoding: Encoding, row: Array, rng: np.random.Generator) -> Array:
    """A few copies whose numbers have all moved by about a twentieth of the space."""
    moves = rng.normal(0, 0.05, (8, len(row)))
    copies = np.repeat(row[None], len(moves), axis=0)
    for index, one in enumerate(encoding.dimensions):
        if row[index] == ABSENT or one.kind == "choice":
            continue
        if one.kind == "float":
            copies[:, index] = np.clip(row[index] + moves[:, index], 0, 1)
        else:
            moved = row[index] + moves[:, index] * (one.high - one.low)
            copies[:, index] = np.clip(np.round(moved), one.low, one.high)
    return copies
