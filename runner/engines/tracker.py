"""What every engine does at the edges of an epoch: seeds, the record, the best weights."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.build import monitor_of
from runner.engines.contract import Job, Kept, Record
from runner.errors import ModelError
from runner.randomness import generator_state, seed_generators
from runner.records import EpochEnd, RunEnd, Status, now

if TYPE_CHECKING:
    import keras

    Array = np.ndarray[Any, Any]


class Tracker:
    """Follows one run: emits its epochs, remembers its best weights, notices a lost loss."""

    def __init__(self, job: Job, record: Record) -> None:
        self._job = job
        self._record = record
        self._model = job.recipe.model
        self._generators = seed_generators(self._model)
        self._monitor, mode = monitor_of(job.config, job.data)
        self._sign = 1.0 if mode == "min" else -1.0
        self._best = math.inf
        self._best_weights: list[Array] = []
        self._began = time.perf_counter()
        self.epoch = 0
        """The last epoch that was recorded, counted from 1."""
        self.best_epoch: int | None = None
        self.trouble: str | None = None
        """Why the run cannot go on, if its loss stopped being a number."""

    def epoch_begin(self, epoch: int) -> None:
        """Set every random mask of the epoch (counted from 1) from (seed, epoch)."""
        self._began = time.perf_counter()
        seed = self._job.config.settings.seed
        for index, state in enumerate(self._generators):
            state.assign(generator_state(seed, epoch, index))

    def epoch_end(self, epoch: int, logs: Mapping[str, Any]) -> None:
        """Record the epoch and keep its weights if they are the best so far."""
        values = {name: float(value) for name, value in logs.items()}
        self._record(
            EpochEnd(
                run_id=self._job.start.run_id,
                epoch=epoch,
                loss=values["loss"],
                val_loss=values.get("val_loss"),
                learning_rate=float(self._model.optimizer.learning_rate),
                seconds=time.perf_counter() - self._began,
                metrics=_by_split(values),
            )
        )
        self.epoch = epoch
        if not math.isfinite(values["loss"]):
            self.trouble = (
                f"the loss became {values['loss']} in epoch {epoch}; "
                f"the last epoch with a finite loss is {epoch - 1}"
            )
            self._model.stop_training = True
        judged = self._sign * values[self._monitor]
        if judged < self._best:
            self._best, self.best_epoch = judged, epoch
            self._best_weights = [np.array(weight) for weight in self._model.weights]

    def restore_best(self) -> None:
        """Give the model the weights of its best epoch back."""
        if self.best_epoch not in (None, self.epoch):
            for weight, value in zip(self._model.weights, self._best_weights, strict=True):
                weight.assign(value)

    def kept(self) -> Kept:
        """The best weights with the graph of the model that takes raw rows."""
        model = with_preprocessing(self._model, self._job.data.preprocessing)
        return Kept(
            run_id=self._job.start.run_id,
            epoch=self.best_epoch or self.epoch,
            role="best",
            tensors=tensors_of(model),
            graph=_graph_of(model),
        )

    def end(self, status: Status, error: str | None = None, trace: str | None = None) -> RunEnd:
        """The record that closes the run; the caller knows its seconds."""
        return RunEnd(
            run_id=self._job.start.run_id,
            status=status,
            ended_at=now(),
            seconds=0.0,
            epochs=self.epoch,
            best_epoch=self.best_epoch,
            error=error,
            traceback=trace,
        )


def _by_split(values: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Keras' logs by split, without the losses, which have columns of their own."""
    found: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        split = "val" if name.startswith("val_") else "train"
        plain = name.removeprefix("val_")
        if plain not in ("loss", "learning_rate"):
            found.setdefault(split, {})[plain] = value
    return found


def with_preprocessing(model: keras.Model, preprocessing: keras.Model | None) -> keras.Model:
    """The model that takes raw rows."""
    import keras

    if preprocessing is None:
        return model
    return keras.Model(preprocessing.inputs, model(preprocessing.outputs[0]))


def tensors_of(model: keras.Model) -> dict[str, Array]:
    """The model's weights by their path; equal paths are told apart by a count."""
    found: dict[str, Array] = {}
    for weight in model.weights:
        name, count = weight.path, 1
        while name in found:
            count += 1
            name = f"{weight.path}#{count}"
        found[name] = np.array(weight)
    return found


def assign_tensors(model: keras.Model, tensors: Mapping[str, Array]) -> None:
    """Give the model the weights that `tensors_of` took; ModelError where they do not fit."""
    names = list(tensors_of(model))
    if sorted(names) != sorted(tensors):
        odd = sorted(set(names) ^ set(tensors))
        raise ModelError(f"the saved weights do not fit the model; they differ in {odd[0]}")
    for name, weight in zip(names, model.weights, strict=True):
        if tuple(weight.shape) != tensors[name].shape:
            raise ModelError(
                f"the saved weights do not fit the model: {name} has shape "
                f"{tensors[name].shape}, the model wants {tuple(weight.shape)}"
            )
        weight.assign(tensors[name])


def _graph_of(model: keras.Model) -> str | None:
    """The model as JSON; None where Keras cannot (it is then rebuilt from the config)."""
    try:
        return str(model.to_json())
    except Exception:
        return None
