"""`run:<id>` in a param: the weights of an earlier run, looked up in the warehouse."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.components.types import RunWeights
from runner.config.config import Choice, Config
from runner.errors import ConfigError, WarehouseError
from runner.journal.results import results_folder

if TYPE_CHECKING:
    import keras

Load = Callable[[str, Path], "keras.Model"]
"""From a run id and a results folder to the run's trained model."""


def look_up(config: Config, base: Path, load: Load) -> Config:
    """The config with the weights of every run that a param names; nothing else is changed.

    base: where the user stands, against which the results folder counts.

    Raises ConfigError with ids that are near where there is no such run, or it kept no weights.
    """
    results = results_folder(config.settings.results, base)
    chosen = {
        kind: [_looked_up(choice, results, load) for choice in choices]
        for kind, choices in config.chosen.items()
    }
    return dataclasses.replace(config, chosen=chosen)


def _looked_up(choice: Choice, results: Path, load: Load) -> Choice:
    def found(name: str, value: Any) -> Any:
        if not isinstance(value, RunWeights):
            return value
        where = f"{choice.component.kind.key}.{name}={value}"
        return _weights(value.run_id, where, results, load)

    params = {name: found(name, value) for name, value in choice.params.items()}
    return dataclasses.replace(choice, params=params)


def _weights(run: str, where: str, results: Path, load: Load) -> RunWeights:
    """What the warehouse has of the run's best weights."""
    try:
        with warehouse.connect(results) as connection:
            run_id = warehouse.find_run(connection, run)
            kept = warehouse.weights_of(connection, run_id, results, role="best")
    except WarehouseError as error:
        raise ConfigError(f"{where} is not valid: {error}") from error
    if not kept:
        raise ConfigError(f"{where} is not valid: the run ended before it kept any weights")
    best = kept[0]
    if not best.path.is_file():
        raise ConfigError(f"{where} is not valid: its weights {best.path} are not there any more")
    return RunWeights(
        run_id, best.weights_id, best.path, best.sha256, functools.partial(load, run_id, results)
    )
