"""What every engine does at the edges of an epoch: seeds, the record, weights, the stop."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from runner.backend.seeds import generator_state, known_generators
from runner.engines.arrays import Logs, Model, Variable
from runner.engines.contract import Job
from runner.engines.step_losses import StepLosses
from runner.journal.records import EpochEnd, RunEnd
from runner.model.build import monitor_of, steps
from runner.model.checkpoint import restore, snapshot
from runner.model.files import graph_of, numpy_of, tensors_of, with_preprocessing
from runner.model.layers import layers_of, owners_of
from runner.record.events import Kept, OnEvent

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


class Tracker:
    """Follows one run: emits its epochs, keeps its best weights, notices when it must end."""

    def __init__(
        self,
        job: Job,
        record: OnEvent,
        named_by: Model = None,
        generators: Sequence[Variable] | None = None,
    ) -> None:
        """Follow a job whose recipe is built.

        named_by: a Keras model whose layers tell the names of the weights, where the job's own
        model only stands for one; generators: the states of what it draws from.
        """
        self._job = job
        self._record = record
        self._model = job.recipe.model
        self._named_by = named_by or self._model
        self._generators = generators or known_generators(self._model)
        self._monitor, mode = monitor_of(job.config, job.data, job.recipe.modes)
        self._sign = 1.0 if mode == "min" else -1.0
        self._best = math.inf
        self._best_weights: list[Array] = []
        self._began = time.perf_counter()
        every = job.config.settings.record_steps
        self.losses = (
            StepLosses(self._model, every, steps(job.config, job.data)) if every else None
        )
        """Reads the loss inside of epochs, if asked; the engine says how far it is."""
        self.epoch = 0
        """The last epoch that was recorded, counted from 1."""
        self.best_epoch: int | None = None
        self.trouble: str | None = None
        """Why the run cannot go on, if its loss stopped being a number."""
        self.stopped = False
        """Whether somebody asked for a stop."""

    def train_begin(self) -> None:
        """Go on from the job's checkpoint, if it has one: call it last of all callbacks."""
        if self._job.resume is None:
            return
        for event in self._job.resume.epochs:
            self._record(replace(event, run_id=self._job.start.run_id))
            self.epoch = event.epoch
        self._best, self.best_epoch, self._best_weights = restore(
            self._job.recipe, self._job.resume
        )

    def epoch_begin(self, epoch: int) -> None:
        """Set every random mask of the epoch (counted from 1) from (seed, epoch)."""
        self._began = time.perf_counter()
        seed = self._job.config.settings.seed
        for index, state in enumerate(self._generators):
            state.assign(generator_state(seed, epoch, index))
        if self.losses:
            self.losses.begin()

    def epoch_end(self, epoch: int, logs: Logs) -> None:
        """Record the epoch and keep its weights if they are the best so far."""
        values = {name: float(value) for name, value in logs.items()}
        if self.losses:
            self._record(self.losses.record(self._job.start.run_id, epoch))
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
        value = self._sign * values[self._monitor]
        if value < self._best:
            self._best, self.best_epoch = value, epoch
            self._best_weights = [numpy_of(weight) for weight in self._model.weights]
        if not math.isfinite(values["loss"]):
            self.trouble = (
                f"the loss became {values['loss']} in epoch {epoch}; "
                f"the last epoch with a finite loss is {epoch - 1 or 'none'}"
            )
        self.stopped = self._job.stop() and epoch < self._job.config.settings.epochs
        if self.trouble or self.stopped:
            self._model.stop_training = True

    def checkpoint(self) -> None:
        """Keep what a resume needs, every so many epochs; after all other callbacks."""
        every = self._job.config.settings.checkpoint
        if every is None or self.epoch % every or self.trouble:
            return
        best = (self._best, self.best_epoch, self._best_weights)
        tensors, state = snapshot(self._job.recipe, best)
        owners = owners_of(self._named_by, self._named_by.name)
        named = {
            f"model/{index:04d}": owners[id(weight)]
            for index, weight in enumerate(self._named_by.weights)
        }
        run_id = self._job.start.run_id
        self._record(Kept(run_id, self.epoch, "checkpoint", tensors, state=state, owners=named))

    def settle_on(self, model: Model) -> None:
        """From now on this is the run's model: a Keras model that has taken over its weights."""
        self._model = model

    def take_best(self) -> None:
        """Give the model the weights of its best epoch back."""
        if self.best_epoch not in (None, self.epoch):
            for weight, value in zip(self._model.weights, self._best_weights, strict=True):
                weight.assign(value)

    def keep_best(self) -> None:
        """Give the model the weights of its best epoch back and have them stored."""
        self.take_best()
        model = with_preprocessing(self._model, self._job.data.preprocessing)
        tensors, graph = tensors_of(model), graph_of(model)
        owners = owners_of(model, self._model.name)
        self._record(
            Kept(
                run_id=self._job.start.run_id,
                epoch=self.best_epoch or self.epoch,
                role="best",
                tensors=tensors,
                graph=graph,
                owners={
                    name: owners[id(weight)]
                    for name, weight in zip(tensors, model.weights, strict=True)
                },
                layers=layers_of(model, self._model.name, graph),
            )
        )

    def finished(self) -> RunEnd:
        """The end of a run that did all its epochs; the caller knows its seconds."""
        return RunEnd.finished(self._job.start.run_id, 0.0, self.epoch, self.best_epoch)

    def stopped_by_user(self, when: str = "") -> RunEnd:
        """The end of a run that the user stopped; when: such as "after epoch 3"."""
        reason = f"stopped by the user {when}".rstrip()
        return RunEnd.stopped(self._job.start.run_id, reason, 0.0, self.epoch, self.best_epoch)

    def failed(self, error: BaseException | str) -> RunEnd:
        """The end of a run that cannot go on."""
        return RunEnd.failed(self._job.start.run_id, error, 0.0, self.epoch, self.best_epoch)


def _by_split(values: Mapping[str, float]) -> dict[str, dict[str, float]]:
    """Keras' logs by split, without the losses, which have columns of their own."""
    by_split: dict[str, dict[str, float]] = {}
    for name, value in values.items():
        split = "val" if name.startswith("val_") else "train"
        plain = name.removeprefix("val_")
        if plain not in ("loss", "learning_rate"):
            by_split.setdefault(split, {})[plain] = value
    return by_split
