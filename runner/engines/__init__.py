"""The engines, which train: `train(jobs, record)`; and how `engine=<name>` finds one.

`contract.py` says what one must be; `keras_fit.py` is the reference, `fast/`, `packed/` are quick.
May import: record, model, evaluate and below.
"""

from __future__ import annotations

import importlib
from typing import cast

from runner.engines.contract import Engine
from runner.errors import ConfigError, choices
from runner.system import extensions

ENGINES = {
    "fast": "runner.engines.fast.engine:FastEngine",
    "keras": "runner.engines.keras_fit:KerasEngine",
    "packed": "runner.engines.packed.engine:PackedEngine",
}
AUTO = "auto"
"""The engine for so many runs: `packed` for several, `fast` for one."""


def name_of(name: str, runs: int = 1) -> str:
    """The engine that a name stands for, where so many runs are to be trained by it."""
    return name if name != AUTO else "packed" if runs > 1 else "fast"


def find_engine(name: str, runs: int = 1) -> Engine:
    """The engine called so, by us or by a package, or at `module:Class`.

    runs: how many are to be trained by it.

    Raises ConfigError where there is none, or where several packages have one of that name.
    """
    known = {AUTO: ENGINES[name_of(AUTO, runs)]} | ENGINES
    place = known.get(name, name)
    module, colon, attribute = place.partition(":")
    if not colon:
        if found := extensions.find(extensions.ENGINES, name, known):
            return cast(Engine, found.load()())
        have = [*known, *extensions.extensions(extensions.ENGINES, known)]
        raise ConfigError(f"there is no engine '{name}' (engine={name}): {choices(name, have)}")
    try:
        engine = getattr(importlib.import_module(module), attribute)()
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise ConfigError(f"the engine {place} cannot be loaded: {error}") from error
    if not (callable(getattr(engine, "ready", None)) and callable(getattr(engine, "train", None))):
        raise ConfigError(f"engine={name} is no engine: {place} makes nothing that can train")
    return cast(Engine, engine)
