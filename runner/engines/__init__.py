"""The engines, and how `engine=<name>` finds one."""

from __future__ import annotations

import importlib
from typing import cast

from runner.engines.contract import Engine
from runner.errors import ConfigError, choices

ENGINES = {
    "fast": "runner.engines.fast:FastEngine",
    "keras": "runner.engines.reference:KerasEngine",
}


def find_engine(name: str) -> Engine:
    """The engine called so, or at `module:Class`; ConfigError where there is none."""
    place = ENGINES.get(name, name)
    module, colon, attribute = place.partition(":")
    if not colon:
        raise ConfigError(f"there is no engine '{name}' (engine={name}): {choices(name, ENGINES)}")
    try:
        return cast(Engine, getattr(importlib.import_module(module), attribute)())
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"the engine {place} cannot be loaded: {error}") from error
