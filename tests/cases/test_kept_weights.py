"""The kept weights are those of the epoch that is named, whatever callbacks do, in any engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from runner.components.types import Stream
from runner.engines import find_engine, tracker
from runner.engines.contract import Job
from runner.errors import ConfigError
from runner.journal.records import EpochEnd, Evaluation, RunEnd, RunStart
from runner.model.build import build
from runner.record.events import Event, Kept
from tests.conftest import Site
from tests.runner.pairs import job_of

IRIS = (
    *("dataset=iris", "preprocessing=[]", "epochs=4", "batch_size=16", "regularizer=[]"),
    *("architecture.units=[6]", "metrics=[accuracy]", "optimizer.learning_rate=0.02"),
)
EMA = ("optimizer.use_ema=true", "optimizer.ema_momentum=0.9")
CALLBACKS = """
import keras
from runner import callback

@callback
def zeroing(*, hook: str = "on_epoch_end"):
    '''Leaves zeros in the model.'''
    class Zeroing(keras.callbacks.Callback):
        def empty(self, *_):
            self.model.set_weights([value * 0 for value in self.model.get_weights()])
    setattr(Zeroing, hook, Zeroing.empty)
    return Zeroing()

@callback
def own_average():
    '''Evaluates an average of its own, as older scripts do.'''
    class Own(keras.callbacks.Callback):
        average = None
        def on_epoch_end(self, epoch, logs=None):
            now = self.model.get_weights()
            old = self.average or now
            self.average = [0.5 * a + 0.5 * b for a, b in zip(old, now)]
        def on_test_begin(self, logs=None):
            self.trained = self.model.get_weights()
            if self.average:
                self.model.set_weights(self.average)
        def on_test_end(self, logs=None):
            self.model.set_weights(self.trained)
    return Own()

@callback
def noting(*, tells: str = "yes"):
    '''Puts numbers into the logs.'''
    class Noting(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            logs["val_kappa"] = [0.1, 0.7, 0.4, 0.3][epoch]
            logs["weight_sum"] = sum(abs(w).sum() for w in self.model.get_weights())
            logs["val_loss"] = -1.0
            logs["tells"] = tells
    return Noting()
"""


def keras_callback(name: str, params: str = "{}") -> tuple[str, ...]:
    """The words for one of Keras' own callbacks."""
    return (
        "callback=[keras]",
        f"callback.keras.class_name={name}",
        f"callback.keras.params={params}",
    )


STOP = "{monitor:loss,mode:max,patience:1,restore_best_weights:true}"
CASES = {
    "restored by early stopping": keras_callback("EarlyStopping", STOP),
    "averages": EMA,
    "averages put in place": (*EMA, "optimizer.ema_overwrite_frequency=3"),
    "averages without val": (*EMA, "split.val=0"),
    "swapped for tests": (*EMA, *keras_callback("SwapEMAWeights")),
    "swapped for epochs": (*EMA, *keras_callback("SwapEMAWeights", "{swap_on_epoch:true}")),
    "zeros after epochs": ("callback=[zeroing]",),
    "zeros at the end": ("callback=[zeroing]", "callback.zeroing.hook=on_train_end"),
    "zeros before the journal": ("callback=[zeroing,noting]", "monitor=val_kappa", "mode=max"),
    "an average of its own": ("callback=[own_average]",),
}


def trained(words: Sequence[str], engine: str) -> tuple[Job, list[Event]]:
    """A job, and what the engine says of it; two of them where it packs."""
    job = job_of([*IRIS, *words], engine)
    jobs = [job]
    if engine == "packed":
        twin = replace(job.start, run_id="twin")
        jobs.append(replace(job, start=twin))
    events: list[Event] = []
    chosen = find_engine(engine)
    with chosen.ready(job.config.settings):
        chosen.train(jobs, events.append)
    return job, [event for event in events if event.run_id == job.start.run_id]


def one(kind: type, events: Sequence[Event]) -> list:
    return [event for event in events if isinstance(event, kind)]


@pytest.mark.many
@pytest.mark.parametrize("engine", ["fast", "keras", "packed"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.exhaustive
def test_the_kept_weights_have_the_losses_of_the_epoch_that_is_named(
    case: str, engine: str, site: Site
) -> None:
    site.install(CALLBACKS)
    job, events = trained(CASES[case], engine)
    [end], [start] = one(RunEnd, events), one(RunStart, events)
    assert end.status == "finished", end.error
    if engine == "packed" and case.startswith("averages") and "place" not in case:
        assert start.engine.startswith("packed"), start.engine
    [best] = [kept for kept in one(Kept, events) if kept.role == "best"]
    assert best.epoch == end.best_epoch
    epochs = {event.epoch: event for event in one(EpochEnd, events)}
    evaluations = {event.split: event.metrics for event in one(Evaluation, events)}
    recipe, val = build(job.config, job.data), job.data.splits.val
    for weight, value in zip(recipe.model.weights, best.tensors.values(), strict=True):
        weight.assign(value)
    if val is None:
        return
    assert not isinstance(val, Stream)
    again = recipe.model.evaluate(*val, verbose=0, return_dict=True)
    recorded = epochs[best.epoch]
    assert again["loss"] == pytest.approx(recorded.val_loss, rel=1e-5)
    assert again["accuracy"] == pytest.approx(recorded.metrics["val"]["accuracy"])
    assert evaluations["val"]["loss"] == pytest.approx(recorded.val_loss, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "keras", "packed"])
@pytest.mark.exhaustive
def test_averages_are_evaluated_in_every_epoch_and_training_goes_on_without(engine: str) -> None:
    plain, averaged = (one(EpochEnd, trained(words, engine)[1]) for words in ((), EMA))
    assert [e.loss for e in averaged] == pytest.approx([e.loss for e in plain], rel=1e-5)
    assert all(abs(a.val_loss - p.val_loss) > 1e-4 for a, p in zip(averaged, plain, strict=True))


@pytest.mark.slow
def test_the_engines_agree_on_averages() -> None:
    losses = [
        [event.val_loss for event in one(EpochEnd, trained(EMA, engine)[1])]
        for engine in ("keras", "fast", "packed")
    ]
    assert np.allclose(losses[0], losses[1], rtol=1e-5)
    assert np.allclose(losses[0], losses[2], rtol=1e-4)


@pytest.mark.parametrize(
    "engine", ["fast", *(pytest.param(one, marks=pytest.mark.slow) for one in ("keras", "packed"))]
)
def test_what_a_callback_puts_into_the_logs_is_recorded_and_can_be_monitored(
    engine: str, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.install(CALLBACKS)
    tracker._say_no_number.cache_clear()
    tracker._say_changed.cache_clear()
    words = ("callback=[noting]", "monitor=val_kappa", "mode=max", "regularizer=[early_stopping]")
    _, events = trained((*words, "regularizer.early_stopping.patience=1"), engine)
    epochs, [end] = one(EpochEnd, events), one(RunEnd, events)
    assert [event.metrics["val"]["kappa"] for event in epochs] == [0.1, 0.7, 0.4]
    assert all(event.metrics["train"]["weight_sum"] > 0 for event in epochs)
    assert all("tells" not in event.metrics["train"] for event in epochs)
    printed = capsys.readouterr().out
    assert "a callback puts tells into the logs of an epoch, and str is no number" in printed
    assert all(event.val_loss > 0 for event in epochs), "what was measured stays"
    changed = "a callback changes val_loss in the logs of an epoch: the measured value is recorded"
    assert changed in printed
    assert (end.status, end.best_epoch) == ("finished", 2)


@pytest.mark.slow
def test_a_monitor_that_no_callback_puts_there_ends_the_run_with_the_names(site: Site) -> None:
    site.install(CALLBACKS)
    _, events = trained(("callback=[noting]", "monitor=val_kapa", "mode=max"), "fast")
    [end] = one(RunEnd, events)
    assert (end.status, end.epochs, end.traceback) == ("failed", 1, None)
    assert "no metric 'val_kapa' (monitor): did you mean 'val_kappa'?" in str(end.error)
    with pytest.raises(ConfigError, match="no metric 'val_kapa'"):
        build(job_of([*IRIS, "monitor=val_kapa"]).config, job_of(IRIS).data)


@pytest.mark.slow
def test_an_epoch_whose_callbacks_fail_is_recorded(site: Site) -> None:
    site.install(CALLBACKS.replace('logs["tells"] = tells', 'raise OSError("no such cable")'))
    _, events = trained(("callback=[noting]",), "fast")
    [epoch], [end] = one(EpochEnd, events), one(RunEnd, events)
    assert (end.status, end.epochs) == ("failed", 1)
    assert epoch.metrics["val"]["kappa"] == 0.1
    assert math.isfinite(epoch.loss)
