"""Targets far from 1: learned in deviations, told in the user's units, in every engine."""

from __future__ import annotations

import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Data, Task
from runner.config.compose import compose
from runner.data.prepare import prepare
from runner.engines import find_engine
from runner.evaluate.metrics import evaluate_outputs
from runner.journal.records import Evaluation
from runner.model.build import build
from runner.model.files import assign_tensors
from runner.record.events import Kept
from runner.sweep.earlier import EarlierRun
from tests.runner.pairs import events_of, job_from, resumed

RANDOM = np.random.default_rng(0)
SIZE = RANDOM.uniform(30, 200, 500)
PRICE = (SIZE * 2500 + RANDOM.normal(0, 9000, 500)).astype("float32")
X = SIZE[:, None].astype("float32")
WORDS = ["preprocessing=[standardize]", "architecture=mlp"]


def job_on(targets: Any, *words: str, engine: str = "fast") -> Any:
    targets = np.asarray(targets, "float32")
    task = Task.regression(1 if targets.ndim == 1 else targets.shape[1])
    config = compose([*WORDS, f"engine={engine}", *words])[0]
    return job_from(config, prepare(Data(X, targets, task), config))


def r2_of(events: Any) -> float:
    one = next(e for e in events if isinstance(e, Evaluation) and e.split == "test")
    return float(one.metrics["r2"])


@pytest.mark.many
@pytest.mark.parametrize(
    "engine", [pytest.param("keras", marks=pytest.mark.slow), "fast", "packed"]
)
def test_prices_are_learned_in_20_epochs_by_every_engine(engine):
    job = job_on(PRICE, engine=engine)
    if engine != "packed":
        assert r2_of(events_of(job)) > 0.9
        return
    jobs = [job, job_on(PRICE, "optimizer.learning_rate=0.002", engine=engine)]
    jobs = [
        replace(one, start=replace(one.start, run_id=f"run{number}"))
        for number, one in enumerate(jobs)
    ]
    events: list[Any] = []
    with find_engine("packed").ready(job.config.settings):
        find_engine("packed").train(jobs, events.append)
    told = [e for e in events if isinstance(e, Evaluation) and e.split == "test"]
    assert [e.metrics["r2"] > 0.9 for e in told] == [True, True]


@pytest.mark.parametrize("factor", [1e-6, 1e6])
@pytest.mark.many
def test_losses_and_metrics_are_in_the_units_of_the_data(factor):
    events = events_of(job_on(PRICE * factor, "loss=mae", "regularizer=[]", "epochs=5"))
    one = next(e for e in events if isinstance(e, Evaluation) and e.split == "test")
    assert one.metrics["loss"] == pytest.approx(one.metrics["mae"], rel=1e-4)
    assert one.metrics["mae"] > 5000 * factor
    assert one.metrics["r2"] > 0.5


@pytest.mark.slow
def test_the_kept_model_says_values_without_classes_of_ours():
    import keras

    job = job_on(PRICE)
    best = [e for e in events_of(job) if isinstance(e, Kept) and e.role == "best"][-1]
    assert best.graph is not None
    model = keras.models.model_from_json(best.graph)
    assign_tensors(model, best.tensors)
    outputs = np.asarray(model(X))  # raw rows
    assert evaluate_outputs(job.data.splits.task, PRICE, outputs).metrics["r2"] > 0.9


LOSSES = {"mse": {}, "mae": {}, "huber": {"delta": 0.5}, "log_cosh": {}}


@pytest.mark.many
@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", LOSSES)
def test_the_loss_is_the_users_and_its_gradient_that_of_standardised_targets(loss, outputs):
    import tensorflow as tf

    targets = PRICE if outputs == 1 else PRICE[:, None] * [1.0, 1e-3, -1e3] + [0, 5, 1e6]
    words = [f"loss.{name}={value}" for name, value in LOSSES[loss].items()]
    recipe = build_of(targets, f"loss={loss}", *words, "regularizer=[]")
    raw = build_of(targets, f"loss={loss}", *words, "regularizer=[]", "targets=raw")
    given = job_on(targets).data.splits.train
    y, mean, std = given[1], given[1].mean(axis=0), given[1].std(axis=0)
    learned = tf.constant(RANDOM.normal(size=(len(y), outputs)), tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(learned)
        told = learned * std.astype("float32") + mean.astype("float32")
        value = recipe.loss(y, told)
    assert float(value) == pytest.approx(float(raw.loss(y, told)), rel=1e-6)
    with tf.GradientTape() as alone:
        alone.watch(learned)
        standard = raw.loss((y - mean) / std, learned)
    assert np.allclose(
        tape.gradient(value, learned), alone.gradient(standard, learned), rtol=1e-2, atol=1e-6
    )


def build_of(targets: Any, *words: str) -> Any:
    job = job_on(targets, *words)
    return build(job.config, job.data)


STAYS_RAW = ["loss=poisson", "loss=msle", "loss=mape", "targets=raw"]


@pytest.mark.many
@pytest.mark.parametrize("word", STAYS_RAW)
def test_what_has_a_scale_of_its_own_stays_raw(word):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        recipe = build_of(PRICE, word)
    far = [one for one in caught if "may never reach them; loss=mse" in str(one.message)]
    assert len(far) == (word != "targets=raw")
    assert "units" not in [layer.name for layer in recipe.model.layers]
    assert type(recipe.loss).__module__.startswith("keras")


def test_a_value_that_is_constant_beside_others_is_left_alone():
    targets = np.stack([PRICE, np.full(500, 7.0)], axis=1)
    layer = build_of(targets).model.layers[-1]
    assert layer.scale[1] == 1 and layer.offset[1] == pytest.approx(7)


@pytest.mark.slow
def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path):
    (tmp_path / "price.csv").write_text(
        "size,price\n" + "".join(f"{s:.1f},{p:.1f}\n" for s, p in zip(SIZE, PRICE, strict=True))
    )
    words = ["dataset=csv", f"dataset.path={tmp_path / 'price.csv'}", "dataset.label=price"]
    words += [*WORDS, "epochs=4", "deterministic=false"]
    from tests.runner.pairs import job_of

    whole = [e for e in events_of(job_of(words)) if isinstance(e, Evaluation)]
    after = [e for e in resumed(words, "fast", "fast", 2) if isinstance(e, Evaluation)]
    assert [e.metrics for e in after] == [e.metrics for e in whole]


def test_an_older_run_is_trained_again_as_it_was():
    config = compose(WORDS)[0].plain()
    del config["targets"]
    run = EarlierRun.__new__(EarlierRun)
    object.__setattr__(run, "config", config)
    object.__setattr__(run, "results", Path("results"))
    assert run._config_now().settings.targets == "raw"
