"""Spaces of searches: from words and presets, and back to words."""

from __future__ import annotations

import functools

from hydra.core.override_parser.overrides_parser import OverridesParser

from runner.components.registry import load
from runner.components.search_types import Dimension, Space
from runner.config.compose import compose, reading_what_is_typed
from runner.config.config import Config
from runner.config.settings import SearchSettings
from runner.search.space import Asked, asked_of


@functools.cache
def config_of(*words: str) -> Config:
    return compose(words)[0]


def asked(*words: str, space: object = None) -> Asked:
    search = SearchSettings(space=space)  # type: ignore[arg-type]
    with reading_what_is_typed(multirun=True):
        overrides = OverridesParser.create().parse_overrides(list(words))
    return asked_of(overrides, search, lambda fixed: config_of(*fixed), load())


def space_of(*words: str, space: object = None) -> Space:
    return asked(*words, space=space).space


def test_an_interval_is_a_float_between_its_bounds():
    (one,) = space_of("optimizer.learning_rate=tag(log,interval(1e-4,1e-1))")
    assert one == Dimension("optimizer.learning_rate", "float", 1e-4, 1e-1, log=True)
