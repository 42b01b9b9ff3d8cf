"""Built-in optimizers against Keras' own signatures."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from runner import ModelError
from runner.errors import ConfigError

NO_COMPONENT = {
    "Optimizer": "the base class",
    "LossScaleOptimizer": "wraps another one; mixed precision brings it by itself",
    "MultiOptimizer": "wraps several others",
    "OptimizerMap": "wraps several others",
}


def keras_optimizers():
    import keras

    return {
        name: cls
        for name, cls in inspect.getmembers(keras.optimizers, inspect.isclass)
        if name not in NO_COMPONENT
    }


def test_every_keras_optimizer_is_a_component_with_its_params_and_defaults(make):
    for name, cls in keras_optimizers().items():
        assert ("optimizer", name) in make.registry.components, (
            f"Keras has an optimizer {name} that plugins/optimizer/ lacks: add it there, or say "
            "in NO_COMPONENT why not"
        )
        component = make.registry.find("optimizer", name)
        theirs = {
            p.name: p.default
            for p in inspect.signature(cls).parameters.values()
            if p.kind is not p.VAR_KEYWORD and p.name != "name"
        }
        ours = {p.name: p.default for p in component.params}
        assert ours == theirs, (
            f"Keras' {name} and our {component.name} differ in params or defaults"
        )


def test_no_optimizer_is_built_in_that_keras_has_not(make):
    ours = {
        c.marks.aliases[0]
        for c in make.registry.of_kind("optimizer")
        if c.distribution == "sweephouse"
    }
    assert ours == set(keras_optimizers())


@pytest.mark.slow
def test_every_optimizer_makes_the_loss_smaller(make):
    import keras

    x = np.random.default_rng(0).normal(size=(64, 3)).astype("float32")
    y = x @ np.array([[1.0], [-2.0], [0.5]], "float32")
    for component in make.registry.of_kind("optimizer"):
        if component.distribution != "sweephouse":
            continue
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
        optimizer = make("optimizer", component.name, learning_rate=0.01)
        model.compile(optimizer, "mse", run_eagerly=True)
        losses = [float(model.train_on_batch(x, y)) for _ in range(4)]
        assert losses[-1] < losses[0], component.name
        assert float(optimizer.learning_rate) == pytest.approx(0.01)


def test_params_reach_keras(make):
    optimizer = make(
        "optimizer", "sgd", learning_rate=0.5, momentum=0.9, nesterov=True, clipnorm=1
    )
    assert (optimizer.momentum, optimizer.nesterov, optimizer.clipnorm) == (0.9, True, 1.0)
    muon = make("optimizer", "muon", exclude_layers=["head"])
    assert list(muon.exclude_layers) == ["head"]


def test_a_schedule_may_stand_for_the_learning_rate(make):
    import keras

    for component in make.registry.of_kind("optimizer"):
        rate = keras.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5)
        params = {p.name: p.default for p in component.params} | {"learning_rate": rate}
        assert float(component({}, params).learning_rate) == pytest.approx(0.1)


def test_params_that_exclude_each_other_are_one_sentence(make):
    with pytest.raises(ModelError, match=r"Adam cannot be made so.*clipnorm"):
        make("optimizer", "adam", clipnorm=1.0, clipvalue=1.0)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("adam", {"learning_rate": -0.1}),
        ("adam", {"learning_rate": 0}),
        ("adam", {"learning_rate": float("nan")}),
        ("adam", {"beta_1": 1.0}),
        ("sgd", {"momentum": 1.5}),
        ("adamw", {"weight_decay": -1e-4}),
        ("muon", {"ns_steps": 0}),
        ("adafactor", {"beta_2_decay": 0.8}),
        ("rmsprop", {"rho": "much"}),
        ("lion", {"gradient_accumulation_steps": 1}),
    ],
)
def test_params_out_of_range_are_refused(make, name, params):
    with pytest.raises(ConfigError):
        make("optimizer", name, **params)
