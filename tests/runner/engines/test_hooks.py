"""Callbacks hear in every engine what `fit` tells them, and what they add to logs is recorded."""

from __future__ import annotations

from typing import Any

import pytest

from runner.journal.records import EpochEnd, RunStart
from tests.conftest import Site
from tests.runner.pairs import events_of, job_of

HOOKS = """
from runner import callback

HEARD = []

@callback
def hooks(*, batches: bool = False):
    '''Notes every call of Keras with its logs, and adds to some of them.'''
    import keras

    def hook(name):
        def heard(self, *given, logs=None):
            *where, logs = [*given, logs] if logs is not None else given
            HEARD.append((name, where, {k: round(v, 5) for k, v in (logs or {}).items()}))
            if name == "on_train_begin":
                HEARD.append(("params", dict(self.params)))
            elif name == "on_epoch_end":
                logs["added"] = 3.0 - where[0]
                HEARD.append(("history", list(self.model.history.epoch)))
            elif name == "on_test_end":
                logs["tested"] = 5.0
        return heard

    edges = ("begin", "end")
    passes = [f"on_{one}_{edge}" for one in ("train", "test", "epoch") for edge in edges]
    more = [f"on_{one}_batch_{edge}" for one in ("train", "test") for edge in edges]
    names = [*passes, *(more if batches else [])]
    return type("Hooks", (keras.callbacks.Callback,), {name: hook(name) for name in names})()

@callback
def swap():
    '''Averages of weights in their place while val is evaluated.'''
    import keras
    return keras.callbacks.SwapEMAWeights()
"""
WORDS = ("dataset=iris", "epochs=2", "regularizer=[]", "batch_size=32", "limit_batches=2")


@pytest.fixture
def heard(site: Site) -> Any:
    """What the callback of a plugin heard."""
    site.install(HOOKS)
    import toys  # type: ignore[import-not-found]

    return toys.HEARD


def test_a_callback_hears_from_fast_what_fit_tells_it_and_adds_metrics(heard: Any) -> None:
    told = {}
    for engine in ("keras", "fast"):
        heard.clear()
        events = events_of(job_of([*WORDS, "callback=[hooks]", "monitor=added"]), engine)
        assert isinstance(events[0], RunStart) and events[0].engine == engine
        epochs = [e.metrics for e in events if isinstance(e, EpochEnd)]
        assert [e["train"]["added"] for e in epochs] == [3, 2]
        assert [e["val"]["tested"] for e in epochs] == [5, 5]
        told[engine] = list(heard)
    assert told["fast"] == told["keras"]
    names = [name for name, *_ in told["fast"]]
    epoch = ["on_epoch_begin", "on_test_begin", "on_test_end", "on_epoch_end", "history"]
    assert names == ["on_train_begin", "params", *epoch, *epoch, "on_train_end"]
    assert told["fast"][1] == ("params", {"verbose": 0, "epochs": 2, "steps": 2})
    assert told["fast"][-1][2]["val_loss"] > 0


@pytest.mark.slow
def test_one_that_acts_on_batches_has_fit_and_hears_every_one(heard: Any) -> None:
    words = [*WORDS, "callback=[hooks]", "callback.hooks.batches=true"]
    [start, *_] = events_of(job_of(words), "fast")
    assert isinstance(start, RunStart)
    assert start.engine_reason == "fast declines: the callback Hooks acts on batches"
    for name, times in {"on_train_batch_begin": 4, "on_test_batch_end": 2}.items():
        assert [one[0] for one in heard].count(name) == times


@pytest.mark.slow
def test_averages_that_a_callback_swaps_in_are_what_val_is_evaluated_with(heard: Any) -> None:
    words = [*WORDS, "callback=[swap]", "optimizer.use_ema=true"]
    losses = [
        [(e.loss, e.val_loss) for e in events_of(job_of(words), engine) if isinstance(e, EpochEnd)]
        for engine in ("keras", "fast")
    ]
    assert losses[0] == [pytest.approx(one, rel=1e-6) for one in losses[1]]
