"""The edges of an epoch in every engine: seeds, the record, weights, the stop."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.backend.seeds import generator_state, known_generators
from runner.components.types import Mode
from runner.engines.arrays import Callback, Logs, Model, Variable
from runner.engines.contract import Job
from runner.engines.evaluators import after_epoch
from runner.engines.step_losses import StepLosses
from runner.errors import ModelError
from runner.journal.records import EpochEnd, RunEnd, by_split
from runner.model.averages import averages_in_place, makes_averages
from runner.model.build import monitor_of, steps
from runner.model.checkpoint import begin_with_weights, restore, snapshot
from runner.model.files import graph_of, numpy_of, tensors_of, with_preprocessing
from runner.model.heads import apart
from runner.model.layers import layers_of, owners_of
from runner.model.names import missing_monitor
from runner.model.own_steps import class_of
from runner.record.events import Kept, OnEvent
from runner.system.terminal import say

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def ranking_of(job: Job) -> tuple[str, Mode]:
    """The metric by which the job's epochs are ranked, as its built recipe has it, and how."""
    recipe = job.recipe
    if not recipe.monitor:  # it was made by other hands
        return monitor_of(job.config, job.data, recipe.modes)
    return recipe.monitor, recipe.modes[recipe.monitor.removeprefix("val_")]


class Tracker:
    """The follower of one run: it emits epochs, keeps the best weights, notices a stop."""

    def __init__(
        self,
        job: Job,
        record: OnEvent,
        named_by: Model = None,
        generators: Sequence[Variable] | None = None,
        weights: Callable[[], list[Array]] | None = None,
    ) -> None:
        """Follow a job whose recipe is built.

        named_by: a Keras model whose layers tell the names of the weights, where the job's own
        model only stands for one; generators: the states of what it draws from; weights: gives
        the weights that were evaluated last, where they are not the model's at that moment.
        """
        self._job = job
        self._record = record
        self._model = job.recipe.model
        self._named_by = named_by or self._model
        self._generators = generators or known_generators(self._model)
        self._monitor, self._mode = ranking_of(job)
        self._sign = 1.0 if self._mode == "min" else -1.0
        self._best = math.inf
        self._best_weights: list[Array] = []
        """Of the best epoch; of the last one where none has a value of the monitor."""
        self._weights = weights
        self._tested: list[Array] | None = None
        """The weights that the present epoch was evaluated with, where others are trained."""
        self._trained = contextlib.ExitStack()
        self._over: _EpochOver | None = None
        self._val_measured: set[str] = set()
        self._val_added: dict[str, Any] = {}
        self._began = time.perf_counter()
        self.share = 1.0
        """How much of the present time is the run's own: less than all in a pack."""
        self.seconds = self.wall_seconds = 0.0
        """Of its epochs here: the run's share, and by the clock on the wall."""
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
        self.hopeless: str | None = None
        """Why the run is not worth going on with, as its judge said."""

    def train_begin(self) -> None:
        """Go on from the job's checkpoint, if it has one: call it last of all callbacks."""
        job, resume = self._job, self._job.resume
        if resume is None:
            return
        for event in resume.epochs:
            self._record(replace(event, run_id=job.start.run_id))
            self.epoch = event.epoch
        if resume.state is not None:
            self._best, self.best_epoch, self._best_weights = restore(job.recipe, resume)
            return
        begin_with_weights(job.recipe, resume, job.data.preprocessing, steps(job.config, job.data))
        self._best_weights = self._present_weights()
        value = resume.epochs[-1].value(self._monitor)
        if value is not None and not math.isnan(value):
            self._best, self.best_epoch = self._sign * value, self.epoch

    def epoch_begin(self, epoch: int) -> None:
        """Set every random mask of the epoch (counted from 1) from (seed, epoch)."""
        self._began = time.perf_counter()
        seed = self._job.config.settings.seed
        for index, state in enumerate(self._generators):
            state.assign(generator_state(seed, epoch, index))
        if self.losses:
            self.losses.begin()

    def test_begin(self) -> None:
        """Put averages of weights in place, if there are any: call it first of all callbacks."""
        self._trained.enter_context(averages_in_place(self._model))

    def tested_with(self, callbacks: Sequence[Callback]) -> None:
        """Note the weights that val is evaluated with: call it last of all callbacks."""
        if makes_averages(self._model.optimizer) or any(map(_acts_on_tests, callbacks)):
            self._tested = self._present_weights()

    def test_over(self, logs: Logs) -> None:
        """Note what val came to, before any callback adds to it: call it first of all."""
        self._val_measured = set(logs)

    def test_end(self, logs: Logs) -> None:
        """Note what callbacks added, and put back what is trained: call it last of all."""
        self._val_added = {f"val_{k}": v for k, v in logs.items() if k not in self._val_measured}
        self._trained.close()

    def epoch_over(self, epoch: int, logs: dict[str, Any]) -> None:
        """Take what the epoch came to, before any callback acts on it: call it first of all."""
        if "loss" not in logs:
            names = ", ".join(name for name in logs if not name.startswith("val_"))
            raise ModelError(
                f"the train_step of {class_of(self._model)} gives {names or 'nothing'}, and no "
                "loss: have it give one called loss"
            )
        wall = time.perf_counter() - self._began
        self.seconds += wall * self.share
        self.wall_seconds += wall
        over = _EpochOver(
            epoch,
            measured={name: float(value) for name, value in logs.items()},
            logs=logs,
            learning_rate=float(np.asarray(self._model.optimizer.learning_rate)),
            seconds=wall * self.share,
            wall_seconds=wall,
        )
        logs.update(self._val_added)  # where those who come after see it, too
        value = over.measured.get(self._monitor)
        # A callback may still put the monitor into the logs, and weights into the model.
        if value is None or self.best_epoch is None or self._sign * value < self._best:
            over.weights = self._evaluated_weights()
        self._tested, self._over = None, over

    def epoch_end(self) -> None:
        """Record the epoch and keep its weights if they are the best so far; last of all."""
        over, self._over = self._over, None
        if over is None:
            return
        epoch, run_id = over.epoch, self._job.start.run_id
        values = over.values()
        if self.losses:
            self._record(self.losses.record(run_id, epoch))
        self._record(
            EpochEnd(
                run_id=run_id,
                epoch=epoch,
                loss=values["loss"],
                val_loss=values.get("val_loss"),
                learning_rate=over.learning_rate,
                seconds=over.seconds,
                metrics=by_split(_without_rate(values)),
                wall_seconds=over.wall_seconds,
            )
        )
        self.epoch = epoch
        value = self._sign * values.get(self._monitor, math.nan)
        if self._job.judge:
            self._job.judge.report(self._monitor, self._mode, self._sign * value)
        if value < self._best:
            self._best, self.best_epoch = value, epoch
        if self.best_epoch in (None, epoch) and over.weights is not None:
            self._best_weights = over.weights
        if not math.isfinite(values["loss"]):
            self.trouble = (
                f"the loss became {values['loss']} in epoch {epoch}; "
                f"the last epoch with a finite loss is {epoch - 1 or 'none'}"
            )
        elif self._monitor not in values:
            self.trouble = missing_monitor(self._monitor, values)
        self.stopped = self._job.stop() and epoch < self._job.config.settings.epochs
        if self.trouble or self.stopped:
            self._model.stop_training = True

    def look(self) -> None:
        """Have evaluators look at the epoch's weights, those whose turn it is."""
        if not self.trouble:
            after_epoch(self._job, self._model, self.epoch, self._record)

    def judge(self) -> None:
        """Stop the run if it is hopeless; after its last epoch, and where it ends anyway, no word.

        Those that train side by side are asked about when all have ended the epoch.
        """
        judge, epochs = self._job.judge, self._job.config.settings.epochs
        if judge is None or self._model.stop_training or self.epoch >= epochs:
            return
        self.hopeless = judge.verdict()
        if self.hopeless:
            self._model.stop_training = True

    def _present_weights(self) -> list[Array]:
        return [numpy_of(weight) for weight in self._model.weights]

    def _evaluated_weights(self) -> list[Array]:
        """The weights whose losses the epoch has."""
        if self._weights is not None:
            return self._weights()
        if self._tested is not None:
            return self._tested
        with averages_in_place(self._model):
            return self._present_weights()

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
        """Take a Keras model that has taken over the weights for the run's from now on."""
        self._model = model

    def take_best(self) -> None:
        """Give the model the weights of its best epoch back, whatever callbacks left in it."""
        if self._best_weights:
            for weight, value in zip(self._model.weights, self._best_weights, strict=True):
                weight.assign(value)

    def keep_best(self) -> None:
        """Give the model the weights of its best epoch back and have them stored."""
        self.take_best()
        model = apart(self._model, self._job.data.splits.task)
        model = with_preprocessing(model, self._job.data.preprocessing)
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
        self.epoch_end()  # of one that callbacks were acting on
        sentence = f"stopped by the user {when}".rstrip()
        return RunEnd.stopped(self._job.start.run_id, sentence, 0.0, self.epoch, self.best_epoch)

    def pruned(self) -> RunEnd:
        """The end of a run that its judge gave up."""
        sentence = f"pruned after epoch {self.epoch} {self.hopeless}"
        return RunEnd.stopped(
            self._job.start.run_id, sentence, 0.0, self.epoch, self.best_epoch, "pruned"
        )

    def failed(self, error: BaseException | str) -> RunEnd:
        """The end of a run that cannot go on."""
        self.epoch_end()  # of one that callbacks were acting on
        return RunEnd.failed(self._job.start.run_id, error, 0.0, self.epoch, self.best_epoch)


@dataclass
class _EpochOver:
    """An epoch that is over, while callbacks act on it."""

    epoch: int
    measured: Mapping[str, float]
    logs: Logs
    """The same; callbacks put numbers of their own in."""
    learning_rate: float
    seconds: float
    wall_seconds: float
    weights: list[Array] | None = None
    """Those that were evaluated, where they may be the best."""

    def values(self) -> dict[str, float]:
        """The measured values, and the numbers that callbacks added."""
        added = {}
        for name, value in self.logs.items():
            if name in self.measured or name == "learning_rate":
                if name in self.measured and value != self.measured[name] == self.measured[name]:
                    _say_changed(name)
                continue
            try:
                added[str(name)] = float(value)
            except (TypeError, ValueError):
                _say_no_number(str(name), type(value).__name__)
        return {**self.measured, **added}


@functools.cache
def _say_no_number(name: str, kind: str) -> None:
    say(f"a callback puts {name} into the logs of an epoch, and {kind} is no number: left out")


@functools.cache
def _say_changed(name: str) -> None:
    say(f"a callback changes {name} in the logs of an epoch: the measured value is recorded")


def _acts_on_tests(callback: Callback) -> bool:
    """Whether the callback may change the weights for an evaluation."""
    import keras

    plain = keras.callbacks.Callback
    return any(
        hook in vars(callback) or getattr(type(callback), hook) is not getattr(plain, hook)
        for hook in ("on_test_begin", "on_test_end")
    )


def _without_rate(values: Mapping[str, float]) -> dict[str, float]:
    """Keras' logs without the learning rate, which has a field of its own."""
    return {k: v for k, v in values.items() if k.removeprefix("val_") != "learning_rate"}
