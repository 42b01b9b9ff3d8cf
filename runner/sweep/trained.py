"""Give a trained model back: from its graph and weights, or rebuilt from its config."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.backend.devices import import_tensorflow
from runner.components.registry import load as load_plugins
from runner.config.config import Config, config_of
from runner.data.prepare import load, prepare
from runner.errors import WarehouseError
from runner.journal import weights
from runner.model.files import assign_tensors, with_preprocessing
from runner.sweep.lineage import look_up
from warehouse.place import Place

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]
    File = tuple[str, str]
    """uri and sha256."""


@dataclass(frozen=True)
class Trained:
    """What is kept of a run, enough to use its model."""

    run_id: str
    results: Path
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    """As in the run's `run_start`: task, outputs, names, raw_shape."""
    weights_id: str
    best: File
    graph: File | None

    def tensors(self) -> dict[str, Array]:
        """The best weights by name; WarehouseError where the file is gone or altered."""
        return weights.load(self.results, *self.best)

    def model(self) -> keras.Model:
        """The model with these weights, bit for bit; it takes raw rows."""
        tensors = self.tensors()
        import_tensorflow()
        model = None
        if self.graph is not None:
            model = _from_graph(weights.read(self.results, *self.graph).decode())
        if model is None:
            model = _from_config({**self.config, "results": str(self.results)})
        assign_tensors(model, tensors)
        return model


def trained(run: str, results: Path | None = None) -> Trained:
    """Look a run up; WarehouseError if it is unknown or kept no weights."""
    folder = Place.of(results).folder
    with warehouse.connect(folder) as connection:
        run_id = warehouse.find_run(connection, run)
        rows = connection.execute(
            "SELECT role, weights_id, uri, sha256 FROM weights "
            "WHERE run_id = ? AND role IN ('best', 'graph')",
            [run_id],
        ).fetchall()
        said = connection.execute(
            "SELECT config, data FROM runs WHERE run_id = ?", [run_id]
        ).fetchone()
    assert said is not None
    files = {role: (weights_id, uri, sha256) for role, weights_id, uri, sha256 in rows}
    if "best" not in files:
        raise WarehouseError(f"run {run_id} has no weights: it ended before it kept any")
    weights_id, *best = files["best"]
    config, data = (json.loads(text) for text in said)
    graph = files["graph"][1:] if "graph" in files else None
    return Trained(run_id, folder, config, data, weights_id, (best[0], best[1]), graph)


def model_of(run: str, results: Path | None = None) -> keras.Model:
    """The run's model with its best weights, bit for bit; it takes raw rows."""
    return trained(run, results).model()


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
    from runner.model.build import assemble

    config = with_parents(config_of(body, load_plugins()), Path())
    data = prepare(load(config), config)
    return with_preprocessing(assemble(config, data).model, data.preprocessing)
