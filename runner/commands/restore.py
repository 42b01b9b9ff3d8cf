"""`restore`: the model of a run back, as a .keras file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.commands import add_run
from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words


def add(words: Words) -> None:
    """`restore RUN`."""
    parser = words.add_parser(
        "restore", description="Write a run's trained model, best weights, as a .keras file."
    )
    add_run(parser)
    parser.add_argument("--to", type=Path, required=True, help="where to: model.keras")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write the model, and say where."""
    say(f"wrote {restore(arguments.run_id, arguments.to, arguments.results)}")
    return 0


def restore(run: str, to: Path, results: Path | None = None) -> Path:
    """Write the run's model with its best weights to a .keras file and return its path.

    The model takes raw rows: the preprocessing that was fitted for the run is part of it.

    Raises WarehouseError where the run or its files are unknown, missing or altered, and
    ConfigError where the file cannot be written or its name is not one that Keras writes.
    """
    from runner.commands.writing import refuse_own, written
    from runner.sweep.earlier import model_of
    from warehouse.place import Place

    if to.suffix != ".keras":
        raise ConfigError(f"--to {to} is not valid: give a file name that ends in .keras")
    refuse_own(to, Place.of(results))
    model = model_of(run, results)
    with written(to) as draft:
        model.save(draft)
    return to
