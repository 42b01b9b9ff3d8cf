"""An earlier run: looked up in the warehouse, to use its model or to train it again."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.backend.devices import import_tensorflow
from runner.components.loose import bring_back
from runner.components.registry import Registry
from runner.components.registry import load as load_plugins
from runner.components.types import RunWeights, Task
from runner.config.config import Choice, Config, config_of
from runner.data.prepare import load, prepare
from runner.errors import ConfigError, PluginError, WarehouseError
from runner.journal import weights
from runner.journal.records import EpochEnd, UsedComponent
from runner.journal.results import results_folder
from runner.model.checkpoint import Checkpoint
from runner.model.files import assign_tensors, with_preprocessing
from runner.sweep.plan import Planner, Run, enter_lake
from warehouse.place import Place

if TYPE_CHECKING:
    import keras
    import numpy as np

    Array = np.ndarray[Any, Any]

EXACT = "exact"
"""How a run was extended that is the same as one of so many epochs."""
File = tuple[str, str]
"""uri and sha256."""
Look = Callable[[str, Path], "EarlierRun"]
"""Looks a run up, by its id or either end of it, and the results folder."""


@dataclass(frozen=True)
class EarlierRun:
    """A run as the warehouse has it."""

    run_id: str
    results: Path
    status: str
    fingerprint: str
    experiment: str
    overrides: Sequence[str]
    versions: Mapping[str, str]
    config: Mapping[str, Any]
    data: Mapping[str, Any]
    """As in the run's `run_start`: task, outputs, names, raw_shape."""
    files: Sequence[warehouse.WeightsFile]
    """Its saved weights, the newest first."""
    reason: str | None = None
    """Of a stopped run, who stopped it."""
    engine: str = ""
    engine_reason: str | None = None
    """Of a packed run, its pack."""
    trained: int = 0
    """How many epochs it has."""
    extension: str | None = None
    """Of an extended run "exact", or why it may not be what it would be in one go."""
    components: Sequence[UsedComponent] = ()
    """What it was made of, as it was recorded."""

    @property
    def is_whole(self) -> bool:
        """Whether it is what one training of its config would be."""
        return self.extension in (None, EXACT)

    def newest(self, role: str) -> warehouse.WeightsFile | None:
        """The newest file of a role: best, checkpoint or graph."""
        return next((file for file in self.files if file.role == role), None)

    @property
    def task(self) -> Task:
        """What it was trained for."""
        return Task.recorded(self.data)

    @property
    def weights_id(self) -> str:
        """The id of the best weights."""
        return self._best_weights().weights_id

    @property
    def best(self) -> File:
        """The file of the best weights; WarehouseError where there is none."""
        return self._file(self._best_weights())

    def tensors(self) -> dict[str, Array]:
        """The best weights by name; WarehouseError where the file is gone or altered."""
        return weights.load(self.results, *self.best)

    def model(self) -> keras.Model:
        """The model with these weights, bit for bit; it takes raw rows."""
        tensors = self.tensors()
        import_tensorflow()
        graph = self.newest("graph")
        model = None
        if graph is not None:
            with contextlib.suppress(ConfigError, PluginError):
                self._plugins()  # whose layers the graph may name; without them it may not
            model = _from_graph(weights.read(self.results, *self._file(graph)).decode())
        if model is None:
            model = self._rebuilt()
        assign_tensors(model, tensors)
        return model

    def plan_again(
        self,
        changes: Mapping[str, Any] | None = None,
        planner: Planner | None = None,
        **relation: Any,
    ) -> Run:
        """The same run planned anew; ConfigError if its plugins are gone.

        changes: settings that are to be others, with what was typed for each.
        planner: of several runs on the same data, one for all.
        """
        changes = changes or {}
        kept = [word for word in self.overrides if word.partition("=")[0] not in changes]
        overrides = [*kept, *(f"{name}={value}" for name, value in changes.items())]
        config = self._config_now(changes)
        return (planner or Planner()).plan(config, self.experiment, overrides, **relation)

    def checkpoint(self) -> Checkpoint | None:
        """The state after the epoch of its last checkpoint, if it kept one."""
        file = self.newest("checkpoint")
        if file is None:
            return None
        return Checkpoint(
            epochs=[event for event in self.epochs() if event.epoch <= file.epoch],
            tensors=weights.load(self.results, *self._file(file)),
            state=weights.load_state(self.results, *self._file(file)),
        )

    def kept_weights(self) -> Checkpoint:
        """The best weights as a point to go on from; WarehouseError where it kept none."""
        epoch = self._best_weights().epoch
        epochs = [event for event in self.epochs() if event.epoch <= epoch]
        return Checkpoint(epochs, self.tensors(), state=None)

    def epochs(self) -> list[EpochEnd]:
        """The run's epochs as they were recorded."""
        with warehouse.connect(self.results) as connection:
            losses = connection.execute(
                "SELECT epoch, loss, val_loss, learning_rate, seconds, wall_seconds FROM epochs "
                "WHERE run_id = ? ORDER BY epoch",
                [self.run_id],
            ).fetchall()
            values = connection.execute(
                "SELECT epoch, split, name, value FROM metrics WHERE run_id = ?", [self.run_id]
            ).fetchall()
        metrics: dict[int, dict[str, dict[str, float]]] = {}
        for epoch, split, name, value in values:
            metrics.setdefault(epoch, {}).setdefault(split, {})[name] = value
        return [
            EpochEnd(
                self.run_id, epoch, loss, val_loss, rate, seconds, metrics.get(epoch, {}), wall
            )
            for epoch, loss, val_loss, rate, seconds, wall in losses
        ]

    def columns(self) -> list[str]:
        """The names of its data's columns, in order; empty where nobody looked at the data."""
        with warehouse.connect(self.results) as connection:
            rows = connection.execute(
                "SELECT name FROM dataset_columns WHERE identity = ? ORDER BY position",
                [self.data.get("identity")],
            ).fetchall()
        return [name for (name,) in rows]

    def _best_weights(self) -> warehouse.WeightsFile:
        best = self.newest("best")
        if best is None:
            raise WarehouseError(f"run {self.run_id} has no weights: it ended before it kept any")
        return best

    def _file(self, file: warehouse.WeightsFile) -> File:
        """The file, fetched from the team's lake where it is not here."""
        uri = file.path.relative_to(self.results).as_posix()
        warehouse.fetch(uri, file.sha256, self.results)
        return uri, file.sha256

    def _config_now(self, changes: Mapping[str, Any] | None = None) -> Config:
        """The config with the plugins of today, and with the weights that it names."""
        # Before there was a choice, targets were what the dataset gave.
        body = {"targets": "raw", **self.config, **(changes or {}), "results": str(self.results)}
        return with_parents(config_of(body, self._plugins()), Path())

    def _plugins(self) -> Registry:
        """All plugins, and the loose files that it was trained with; says what has changed."""
        registry = load_plugins()
        for sentence in bring_back(registry, self.components):
            warnings.warn(sentence, stacklevel=2)
        return registry

    def _rebuilt(self) -> keras.Model:
        """The model as the run's components make it, which takes its data and its plugins."""
        from runner.model.build import assemble
        from runner.model.heads import apart
        from runner.model.inputs import as_graph

        config = self._config_now()
        data = prepare(load(config), config)
        recipe = assemble(config, data, run_id=self.run_id, results=self.results)
        model = apart(as_graph(recipe.model, data), data.splits.task)
        return with_preprocessing(model, data.preprocessing)


def earlier_run(run: str, results: Path | None = None) -> EarlierRun:
    """Look a run up, by its id or either end of it; WarehouseError if it is unknown."""
    folder = Place.of(results).folder
    with warehouse.connect(folder) as connection:
        run_id = warehouse.find_run(connection, run)
        files = warehouse.weights_of(connection, run_id, folder)
        row = connection.execute(
            "SELECT status, fingerprint, experiment, overrides, versions, config, data, reason, "
            "engine, engine_reason, epochs, extension FROM runs WHERE run_id = ?",
            [run_id],
        ).fetchone()
        names = ("kind", "name", "distribution", "version", "source")
        rows = connection.execute(
            f"SELECT {', '.join(names)} FROM components WHERE run_id = ? ORDER BY ALL", [run_id]
        ).fetchall()
        components = [UsedComponent(**dict(zip(names, one, strict=True))) for one in rows]  # type: ignore[typeddict-item]
    assert row is not None
    status, fingerprint, experiment, overrides, versions, config, data, *rest = row
    return EarlierRun(
        run_id,
        folder,
        status,
        fingerprint,
        experiment,
        overrides,
        versions,
        _loaded(config, "config", run_id),
        _loaded(data, "data", run_id),
        files,
        *(*rest, components),
    )


def pack_of(earlier: EarlierRun) -> list[EarlierRun]:
    """The runs that trained in one pack with it, itself among them, in the order of the jobs."""
    with warehouse.connect(earlier.results) as connection:
        rows = connection.execute(
            "SELECT run_id FROM runs WHERE engine = 'packed' AND engine_reason = ? "
            "ORDER BY run_id",
            [earlier.engine_reason],
        ).fetchall()
    return [
        earlier if run_id == earlier.run_id else earlier_run(run_id, earlier.results)
        for (run_id,) in rows
    ]


def _loaded(text: str | None, column: str, run_id: str) -> Mapping[str, Any]:
    """The object that a column holds as JSON text; WarehouseError if somebody has changed it."""
    try:
        value = json.loads(text or "")
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise WarehouseError(
            f"the {column} of run {run_id} in the warehouse is not what was recorded: "
            "`python -m warehouse rebuild` makes it again from the journals"
        )
    return value


def trained(run: str, results: Path | None = None) -> EarlierRun:
    """Look a run up that kept weights; WarehouseError if it is unknown or kept none."""
    earlier = earlier_run(run, results)
    _ = earlier.best  # raises now, before anything is loaded for the model
    return earlier


def model_of(run: str, results: Path | None = None) -> keras.Model:
    """The run's model with its best weights, bit for bit; it takes raw rows."""
    return earlier_run(run, results).model()


def with_parents(config: Config, base: Path, look: Look = earlier_run) -> Config:
    """The config with the weights of every run that a param names (`run:<id>`) looked up.

    base: where the user stands, against which the results folder counts. look: looks a run up, by
    its id and the results folder.

    Raises ConfigError with ids that are near where there is no such run, or it kept no weights.
    """
    results = results_folder(config.settings.results, base)
    enter_lake(config, results)
    chosen = {
        kind: [_with_parents(choice, results, look) for choice in choices]
        for kind, choices in config.chosen.items()
    }
    return dataclasses.replace(config, chosen=chosen)


def _with_parents(choice: Choice, results: Path, look: Look) -> Choice:
    params = dict(choice.params)
    for name, value in params.items():
        if isinstance(value, RunWeights):
            where = f"{choice.component.kind.key}.{name}={value}"
            params[name] = _weights(value.run_id, where, results, look)
    return dataclasses.replace(choice, params=params)


def _weights(run: str, where: str, results: Path, look: Look) -> RunWeights:
    """The run's best weights, as the component takes them."""
    try:
        parent = look(run, results)
    except WarehouseError as error:
        raise ConfigError(f"{where} is not valid: {error}") from error
    best = parent.newest("best")
    if best is None:
        raise ConfigError(f"{where} is not valid: the run ended before it kept any weights")
    try:
        _ = parent.best  # fetched, where it is in a lake
    except WarehouseError as error:
        raise ConfigError(f"{where} is not valid: {error}") from error
    if not best.path.is_file():
        raise ConfigError(f"{where} is not valid: its weights {best.path} are not there any more")
    return RunWeights(parent.run_id, best.weights_id, best.path, best.sha256, parent.model)


def _from_graph(graph: str) -> keras.Model | None:
    """The model that the JSON describes; None if it needs classes that only a plugin has."""
    import keras

    load_plugins()
    try:
        return keras.models.model_from_json(graph)
    except Exception:
        return None
