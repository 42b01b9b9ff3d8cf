"""Samplers without a memory: what they suggest, and that they go on as if never stopped."""

from __future__ import annotations

import math

import numpy as np
import pytest

from runner import Dimension, History, RunnerError, Space, Trial
from runner.components.kinds import SEARCH_KINDS
from runner.components.registry import load

KIND = Dimension("optimizer", "choice", choices=("adam", "sgd"), structural=True)
UNITS = Dimension("units", "choice", choices=((8,), (8, 8), (16,)), structural=True)
MOMENTUM = Dimension("momentum", "choice", choices=(0.0, 0.9), only_if={"optimizer": ("sgd",)})
COUNT = Dimension("count", "int", 1, 3)
RATE = Dimension("rate", "float", 1e-4, 1e-1, log=True)
FINITE = Space((KIND, UNITS, MOMENTUM, COUNT))
ENDLESS = Space((KIND, RATE, MOMENTUM))
BUILT_IN = ("grid", "random", "quasi")


def ask(name, space, trials=(), pending=(), n=1, seed=0):
    component = load().find("sampler", name)
    history = History(tuple(Trial(params, (0.0,)) for params in trials))
    given = {
        "space": space,
        "history": history,
        "pending": pending,
        "n": n,
        "seed": seed,
        "objectives": 1,
    }
    assert set(given) == set(SEARCH_KINDS["sampler"].offers)
    return list(component(given, component.check({}, "search.sampler")))


def key(params):
    return tuple(sorted(params.items(), key=lambda item: item[0]))


@pytest.mark.parametrize("name", BUILT_IN)
def test_a_finite_space_is_tried_whole_and_nothing_twice(name):
    trials, pending = [], []
    while new := ask(name, FINITE, trials, pending, n=4):
        trials += pending
        pending = new
    every = [key(one) for one in trials + pending]
    assert len(every) == FINITE.size == 3 * 3 * (1 + 2)
    assert set(every) == {key(one) for one in FINITE.configurations()}


@pytest.mark.parametrize("name", BUILT_IN)
def test_lists_that_came_back_from_a_file_are_known(name):
    space = Space((UNITS,))
    assert ask(name, space, [{"units": [8]}, {"units": [8, 8]}], n=5) == [{"units": (16,)}]


@pytest.mark.parametrize("name", ["random", "quasi"])
def test_it_goes_on_as_if_it_had_not_been_stopped(name):
    whole = ask(name, ENDLESS, n=8)
    assert whole == ask(name, ENDLESS, n=8)
    assert whole[3:] == ask(name, ENDLESS, whole[:2], whole[2:3], n=5)
    assert whole != ask(name, ENDLESS, n=8, seed=1)
    assert all(one == ENDLESS.counted(one) for one in whole)


def test_a_grid_is_in_order_and_refuses_what_has_no_end():
    first = ask("grid", Space((KIND, COUNT)), n=4)
    assert [tuple(one.values()) for one in first] == [
        ("adam", 1),
        ("adam", 2),
        ("adam", 3),
        ("sgd", 1),
    ]
    with pytest.raises(RunnerError, match=r"rate=0\.1,0\.2"):
        ask("grid", ENDLESS)


def test_a_quasi_random_sequence_leaves_no_gaps():
    space = Space(tuple(Dimension(f"d{i}", "float", 0, 1) for i in range(5)))

    def gap(name):
        """The widest gap between neighbours along any axis."""
        points = np.array([list(one.values()) for one in ask(name, space, n=32)])
        ends = np.zeros((1, 5)), np.ones((1, 5))
        return np.diff(np.sort(np.concatenate([*ends, points]), axis=0), axis=0).max()

    assert gap("quasi") < 2 / 32 < gap("random")


def test_a_quasi_random_sequence_of_many_dimensions():
    space = Space(tuple(Dimension(f"d{i}", "float", 1, math.e, log=True) for i in range(100)))
    (one,) = ask("quasi", space)
    assert len(one) == 100 and all(1 <= value <= math.e for value in one.values())
