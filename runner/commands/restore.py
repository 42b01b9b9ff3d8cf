"""`restore`: the model of a run back, as a .keras file."""

from __future__ import annotations

from pathlib import Path

from runner.commands.writing import refuse_own, written
from runner.errors import ConfigError
from runner.sweep.trained import model_of
from warehouse.place import Place


def restore(run: str, to: Path, results: Path | None = None) -> Path:
    """Write the run's model with its best weights to a .keras file and return its path.

    The model takes raw rows: the preprocessing that was fitted for the run is part of it.

    Raises WarehouseError where the run or its files are unknown, missing or altered, and
    ConfigError where the file cannot be written or its name is not one that Keras writes.
    """
    if to.suffix != ".keras":
        raise ConfigError(f"--to {to} is not valid: give a file name that ends in .keras")
    refuse_own(to, Place.of(results))
    model = model_of(run, results)
    with written(to) as draft:
        model.save(draft)
    return to
