"""Asking a sampler: which one, and whether what it suggests is sound."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from runner.components.registry import Registry
from runner.components.search_types import Dimension, History, Params, Space, Suggestion
from runner.config.config import Choice, search_choice
from runner.config.settings import SearchSettings
from runner.errors import ConfigError, PluginError


def sampler_of(search: SearchSettings, registry: Registry, objectives: int) -> Choice:
    """The sampler that the settings choose, with its params.

    Raises ConfigError where there is none of the name, a param is wrong, or it serves one
    objective and there are several.
    """
    chosen = search_choice("sampler", search.sampler, registry)
    if objectives > 1 and "objectives" not in chosen.component.needs:
        able = [one.name for one in registry.of_kind("sampler") if "objectives" in one.needs]
        raise ConfigError(
            f"search.sampler={chosen.component.name} betters one objective, and "
            f"search.objectives names {objectives}: name one, or take another sampler: "
            f"{', '.join(able) or 'none is installed'}"
        )
    return chosen


def ask(
    sampler: Choice, space: Space, history: History, n: int, seed: int, objectives: int
) -> list[Suggestion]:
    """Up to n configurations to try next, none of which was tried before.

    Raises PluginError for suggestions that are none of the space; whatever the sampler raises.
    """
    answer = sampler(
        space=space, history=history, pending=[], n=n, seed=seed, objectives=objectives
    )
    if not isinstance(answer, Sequence) or isinstance(answer, str):
        raise PluginError(f"{_who(sampler)} returned {answer!r:.80}, no list of suggestions")
    tried = {as_text(trial.params) for trial in history.trials}
    fresh: list[Suggestion] = []
    for one in answer:
        suggestion = one if isinstance(one, Suggestion) else Suggestion(one)
        params = _settled(sampler, space, suggestion.params)
        suggestion = dataclasses.replace(suggestion, params=params)
        if (text := as_text(suggestion.params)) not in tried:
            tried.add(text)
            fresh.append(suggestion)
    return fresh[:n]


def as_text(params: Params) -> str:
    """A configuration as JSON, the same for equal ones."""
    return json.dumps(dict(params), sort_keys=True, separators=(",", ":"))


def from_record(space: Space, params: Params) -> dict[str, Any]:
    """A configuration as it was suggested, from what JSON made of it."""
    return {name: _restored(space[name], value) for name, value in params.items()}


def _restored(dimension: Dimension, value: Any) -> Any:
    text = json.dumps(value)
    return next((one for one in dimension.choices if json.dumps(one) == text), value)


def _settled(sampler: Choice, space: Space, params: Any) -> dict[str, Any]:
    """The configuration in plain values; PluginError for one that is none of the space."""
    if not isinstance(params, Mapping):
        raise PluginError(f"{_who(sampler)} suggested {params!r:.80}, no configuration")
    wanted = {dimension.name: dimension for dimension in space.active(params)}
    if params.keys() != wanted.keys():
        odd = sorted(params.keys() ^ wanted.keys())[0]
        reason = "without" if odd in wanted else "with"
        raise PluginError(f"{_who(sampler)} suggested {dict(params)!r:.200} {reason} {odd}")
    settled = {}
    for name, dimension in wanted.items():
        value = params[name]
        if isinstance(value, np.generic):
            value = value.item()
        if not dimension.contains(value):
            raise PluginError(
                f"{_who(sampler)} suggested {name}={value!r}, which is not in the space"
            )
        is_number = dimension.kind != "choice"
        settled[name] = (int if dimension.kind == "int" else float)(value) if is_number else value
    return settled


def _who(sampler: Choice) -> str:
    return f"the sampler '{sampler.component.name}' breaks its contract: it"
