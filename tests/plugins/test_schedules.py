"""Built-in schedules: the learning rate by step."""

from __future__ import annotations

import pytest

from runner.errors import ConfigError

RUN = {"learning_rate": 0.1, "epochs": 10, "steps_per_epoch": 5, "monitor": "val_loss"}
SHAPES = {
    # component and params: learning rate by step of a run of ten epochs of five steps
    ("cosine", ()): {0: 0.1, 25: 0.05, 50: 0.0},
    ("cosine", (("alpha", 0.1),)): {0: 0.1, 50: 0.01, 60: 0.01},
    ("exponential", (("factor", 0.5),)): {0: 0.1, 5: 0.05, 10: 0.025},
    ("step", (("every", 2), ("factor", 0.1))): {0: 0.1, 9: 0.1, 10: 0.01, 19: 0.01, 20: 0.001},
    ("warmup", (("warmup_epochs", 2.0),)): {0: 0.0, 5: 0.05, 10: 0.1, 30: 0.05, 50: 0.0},
    ("warmup", (("then", "constant"), ("start", 0.5), ("warmup_epochs", 2.0))): {
        0: 0.05,
        5: 0.075,
        10: 0.1,
        40: 0.1,
    },
    ("warmup", (("warmup_epochs", 20.0),)): {0: 0.0, 50: 0.05},
}


@pytest.mark.parametrize("case", SHAPES, ids=str)
def test_a_schedule_gives_the_rate_of_its_formula(make, case):
    name, params = case
    rate = make("schedule", name, **RUN, mode="min", **dict(params))
    got = {step: float(rate(step)) for step in SHAPES[case]}
    assert got == pytest.approx(SHAPES[case], abs=1e-7)


def test_constant_is_the_number_itself(make):
    assert make("schedule", "constant", **RUN, mode="min") == 0.1


# Keras hands NumPy 2 its variables in a way that NumPy will drop.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_reduce_on_plateau_watches_the_monitor_of_the_run(make):
    import keras

    made = make(
        "schedule", "reduce_on_plateau", **RUN | {"monitor": "val_auc"}, mode="max", factor=0.1
    )
    assert isinstance(made, keras.callbacks.ReduceLROnPlateau)
    assert (made.monitor, made.mode, made.factor) == ("val_auc", "max", 0.1)
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(0.5), "mse")
    made.set_model(model)
    made.on_train_begin()
    for epoch in range(7):
        made.on_epoch_end(epoch, {"val_auc": 0.5})
    assert float(model.optimizer.learning_rate) == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("cosine", {"alpha": 2}),
        ("step", {"every": 0}),
        ("step", {"factor": 0}),
        ("exponential", {"factor": -1}),
        ("warmup", {"then": "sine"}),
        ("warmup", {"warmup_epochs": 0}),
        ("reduce_on_plateau", {"factor": 1.0}),
    ],
)
def test_params_out_of_range_are_refused(make, name, params):
    with pytest.raises(ConfigError):
        make("schedule", name, **RUN, mode="min", **params)
