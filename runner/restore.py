"""Give a trained model back: from its graph and weights, or rebuilt from its config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner import weights
from runner.config import Config, config_of
from runner.data import load, prepare
from runner.devices import import_tensorflow
from runner.engines.tensors import assign_tensors, with_preprocessing
from runner.errors import ConfigError, WarehouseError
from runner.lineage import look_up
from runner.registry import load as load_plugins
from warehouse.place import Place

if TYPE_CHECKING:
    import keras


def restore(run: str, to: Path, results: Path | None = None) -> Path:
    """Write the run's model with its best weights to a .keras file and return its path.

    The model takes raw rows: the preprocessing that was fitted for the run is part of it.

    Raises WarehouseError where the run or its files are unknown, missing or altered, and
    ConfigError where the file's name is not one that Keras writes.
    """
    if to.suffix != ".keras":
        raise ConfigError(f"--to {to} is not valid: give a file name that ends in .keras")
    if not to.absolute().parent.is_dir():
        raise ConfigError(f"--to {to} is not valid: there is no folder {to.absolute().parent}")
    model = model_of(run, results)
    model.save(to)
    return to


def model_of(run: str, results: Path | None = None) -> keras.Model:
    """The run's model with its best weights, bit for bit; it takes raw rows."""
    folder = Place.of(results).folder
    with warehouse.connect(folder) as connection:
        run_id = warehouse.find_run(connection, run)
        rows = connection.execute(
            "SELECT role, uri, sha256 FROM weights WHERE run_id = ? AND role IN ('best', 'graph')",
            [run_id],
        ).fetchall()
        said = connection.execute("SELECT config FROM runs WHERE run_id = ?", [run_id]).fetchone()
    files = {role: (uri, sha256) for role, uri, sha256 in rows}
    if "best" not in files:
        raise WarehouseError(f"run {run_id} has no weights: it ended before it kept any")
    tensors = weights.load(folder, *files["best"])
    import_tensorflow()
    model = None
    if "graph" in files:
        model = _from_graph(weights.read(folder, *files["graph"]).decode())
    if model is None:
        assert said is not None
        model = _from_config(json.loads(said[0]) | {"results": str(folder)})
    assign_tensors(model, tensors)
    return model


def with_parents(config: Config, base: Path) -> Config:
    """The config with the weights of every earlier run that a param names looked up.

    base: where the user stands, against which the results folder counts.
    """
    return look_up(config, base, model_of)


def _from_graph(graph: str) -> keras.Model | None:
    """The model that the JSON describes; None if it needs classes that only a plugin has."""
    import keras

    load_plugins()
    try:
        return keras.models.model_from_json(graph)
    except Exception:
        return None


def _from_config(body: Mapping[str, Any]) -> keras.Model:
    """The model as the run's components make it, which takes its data and its plugins."""
    from runner.build import assemble

    config = with_parents(config_of(body, load_plugins()), Path())
    data = prepare(load(config), config)
    return with_preprocessing(assemble(config, data).model, data.preprocessing)
