"""The nouns of a search: places and values, conditions, sizes."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any

import pytest
from annotated_types import Gt
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.components.search_types import (
    Curve,
    Dimension,
    Search,
    Space,
    is_sound,
    search_of,
)

KIND = Dimension("optimizer", "choice", choices=("adam", "sgd"), structural=True)
RATE = Dimension("rate", "float", 1e-4, 1e-1, log=True)
COUNT = Dimension("count", "int", 2, 5)
MOMENTUM = Dimension(
    "momentum", "choice", choices=(0.0, 0.5, 0.9), ordered=True, only_if={"optimizer": ("sgd",)}
)
NESTEROV = Dimension("nesterov", "choice", choices=(True, False), only_if={"momentum": (0.5, 0.9)})


def listed(space: Space) -> set[tuple[tuple[str, Any], ...]]:
    """Every configuration, by trying all values of all dimensions together."""
    columns = [
        one.choices if one.kind == "choice" else range(int(one.low), int(one.high) + 1)
        for one in space
    ]
    names = [one.name for one in space]
    return {
        tuple(space.counted(dict(zip(names, values, strict=True))).items())
        for values in itertools.product(*columns)
    }


@given(st.floats(0, 1))
def test_every_place_has_a_value_and_every_value_a_place(place):
    for one in (RATE, COUNT, MOMENTUM, Dimension("log", "int", 1, 1000, log=True)):
        value = one.value(place)
        assert one.contains(value)
        assert 0 <= one.place(value) <= 1
        again = one.value(one.place(value))
        assert again == pytest.approx(value) if one.kind == "float" else again == value


def test_the_ends_of_a_dimension_are_its_bounds():
    assert (RATE.value(0), RATE.value(1)) == pytest.approx((1e-4, 1e-1))
    assert (COUNT.value(0), COUNT.value(1)) == (2, 5)
    assert (MOMENTUM.value(0), MOMENTUM.value(1)) == (0.0, 0.9)
    assert RATE.value(0.5) == pytest.approx(10**-2.5)  # orders of magnitude are alike


def test_whole_numbers_have_equal_shares():
    values = [COUNT.value((i + 0.5) / 400) for i in range(400)]
    assert [values.count(value) for value in (2, 3, 4, 5)] == [100] * 4


@pytest.mark.parametrize("value", [1.5, 6, True, "3", None])
def test_what_a_dimension_does_not_contain(value):
    assert not COUNT.contains(value)


def test_dimensions_count_by_what_they_depend_on():
    space = Space((KIND, RATE, MOMENTUM, NESTEROV))
    names = [one.name for one in space.active({"optimizer": "sgd", "momentum": 0.5})]
    assert names == ["optimizer", "rate", "momentum", "nesterov"]
    # A value is left from another choice: what depends on it does not count either.
    stale = {"optimizer": "adam", "rate": 0.1, "momentum": 0.5, "nesterov": True}
    assert space.counted(stale) == {"optimizer": "adam", "rate": 0.1}
    assert space.params([0, 0, 1, 1]) == {"optimizer": "adam", "rate": pytest.approx(1e-4)}


CHOICE = st.integers(1, 3)


@settings(max_examples=40)
@given(st.lists(CHOICE, min_size=4, max_size=4), st.booleans(), st.booleans())
def test_the_size_is_the_number_of_configurations(sizes, nested, two):
    first, second, third, fourth = (
        Dimension(f"d{i}", "choice", choices=tuple(range(size))) for i, size in enumerate(sizes)
    )
    inner = Dimension("inner", "int", 1, 2, only_if={"d0": (0,)})
    within = {"inner": (2,)} if nested else {"d1": (0, 2)}
    both = within | {"d2": (0,)} if two else within
    deepest = Dimension("deepest", "choice", choices=("a", "b", "c"), only_if=both)
    deciding = Dimension("inner", "choice", choices=(1, 2), only_if=inner.only_if)
    space = Space((first, deciding if nested else inner, second, third, deepest, fourth))
    every = [tuple(one.items()) for one in space.configurations()]
    assert space.size == len(listed(space)) == len(every)
    assert set(every) == listed(space)


def test_configurations_are_in_order():
    seed = Dimension("seed", "int", 0, 1)
    assert [tuple(one.values()) for one in Space((KIND, MOMENTUM, seed)).configurations()] == [
        ("adam", 0),
        ("adam", 1),
        *(("sgd", momentum, number) for momentum in (0.0, 0.5, 0.9) for number in (0, 1)),
    ]


def test_the_size_of_a_space_with_a_float_is_endless():
    assert Space((KIND, RATE)).size == math.inf
    assert Space((Dimension("rate", "float", 0.5, 0.5), COUNT)).size == 4
    assert Space(()).size == 1


@pytest.mark.parametrize(
    "search",
    [
        Search(1e-4, 1e-1, log=True),
        Search(0, 0.5),
        Search(values=["relu", "gelu"]),
        Search(values=[0]),
    ],
)
def test_what_names_values_is_sound(search):
    assert is_sound(search)


@pytest.mark.parametrize(
    "search",
    [
        Search(),
        Search(1),
        Search(high=1),
        Search(2, 1),
        Search(0, 1, log=True),
        Search(math.nan, 1),
        Search(0, 1, values=[1]),
        Search(log=True, values=[1]),
    ],
)
def test_what_names_none_or_both_is_not(search):
    assert not is_sound(search)


def test_a_params_annotation_says_what_is_worth_trying():

    search = Search(1e-4, 1e-1)
    assert search_of(Annotated[float, Gt(0), search]) is search
    assert search_of(Annotated[Annotated[float, Gt(0)], search]) is search
    assert search_of(Annotated[float, Gt(0)]) is None
    assert search_of(float) is None


def test_the_best_of_a_curve_up_to_an_epoch():
    curve = Curve((3.0, math.nan, 1.0, 2.0))
    assert [curve.best(epoch) for epoch in (0, 1, 2, 3, 4, 9)] == [math.inf, 3, 3, 1, 1, 1]
