"""From a config and data to a compiled model: heads, monitors, optimizers, initial weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner.components.types import Data, Recipe, Task
from runner.config.compose import compose
from runner.data.prepare import Prepared, prepare
from runner.errors import ConfigError, ModelError, PluginError, RunnerError
from runner.model.build import build, monitor_of
from tests.conftest import Site

ROWS = 20
TASKS = {
    "classification": Task.classification(3),
    "binary": Task.binary(),
    "multilabel": Task.multilabel(3),
    "regression": Task.regression(2),
}
MODELS = """
from runner import architecture, regularizer

@architecture
def ends_in(input_shape, outputs, *, layer: str = "dense"):
    '''Ends in an activation of its own.'''
    import keras
    last = {
        "dense": [keras.layers.Dense(outputs, activation="softmax", name="last")],
        "layer": [keras.layers.Dense(outputs), keras.layers.Softmax(name="last")],
        "activation": [keras.layers.Dense(outputs), keras.layers.Activation("tanh", name="last")],
        "none": [keras.layers.Dense(outputs, name="last")],
    }[layer]
    return keras.Sequential([keras.Input(input_shape), *last])

@architecture
def own_code(input_shape, outputs):
    '''A subclassed model.'''
    import keras
    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.inner = keras.layers.Dense(4)
            self.outer = keras.layers.Dense(outputs)
        def call(self, x):
            return self.outer(self.inner(x))
    return Own()

@architecture
def unbuilt(outputs):
    '''A Sequential model that does not know its input yet.'''
    import keras
    return keras.Sequential([keras.layers.Dense(outputs)])

@architecture
def too_wide(input_shape, outputs):
    '''One output too many.'''
    import keras
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs + 1)])

@architecture
def no_model(outputs):
    '''No model.'''
    return outputs

@regularizer
def forgetful(recipe):
    '''Forgets to return the recipe.'''
"""


def prepared(task: str, *overrides: str) -> tuple[Any, Prepared]:
    said = TASKS[task]
    random = np.random.Generator(np.random.Philox(key=[1, 2]))
    features = random.normal(size=(ROWS, 4))
    if task == "classification":
        targets: Any = np.arange(ROWS) % 3
    elif task == "regression":
        targets = random.normal(size=(ROWS, 2))
    else:
        shape = (ROWS,) if said.outputs == 1 else (ROWS, said.outputs)
        targets = random.integers(0, 2, shape)
    config, _ = compose(["batch_size=4", "regularizer=[]", *overrides])
    return config, prepare(Data(features, targets, said), config)


def built(task: str, *overrides: str) -> Recipe:
    return build(*prepared(task, *overrides))


# --- Heads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "head", "loss", "metric"),
    [
        ("classification", "softmax", "sparse_categorical_crossentropy", "accuracy"),
        ("binary", "sigmoid", "binary_crossentropy", "accuracy"),
        ("multilabel", "sigmoid", "binary_crossentropy", "accuracy"),
        ("regression", "linear", "mean_squared_error", "mae"),
    ],
)
def test_head_loss_and_metric_follow_from_the_task(
    task: str, head: str, loss: str, metric: str
) -> None:
    recipe = built(task, "targets=raw")
    assert recipe.model.layers[-1].activation.__name__ == head
    assert recipe.loss.name == loss
    assert [one.name for one in recipe.metrics] == [metric]
    outputs = np.asarray(recipe.model(np.ones((5, 4), "float32")))
    assert outputs.shape == (5, TASKS[task].outputs)
    if head == "softmax":
        assert np.allclose(outputs.sum(axis=1), 1)
    if head == "sigmoid":
        assert ((outputs > 0) & (outputs < 1)).all()


@pytest.mark.many
@pytest.mark.parametrize("layer", ["dense", "layer", "activation"])
def test_a_model_that_ends_in_an_activation_keeps_it(site: Site, layer: str) -> None:
    site.install(MODELS)
    recipe = built("classification", "architecture=ends_in", f"architecture.layer={layer}")
    assert recipe.model.layers[-1].name == "last"


def test_a_model_that_ends_in_a_linear_layer_gets_a_head(site: Site) -> None:
    site.install(MODELS)
    recipe = built("classification", "architecture=ends_in", "architecture.layer=none")
    assert recipe.model.layers[-1].name == "probabilities"
    words = ["architecture=ends_in", "architecture.layer=none"]
    assert built("regression", *words, "targets=raw").model.layers[-1].name == "last"
    assert built("regression", *words).model.layers[-1].name == "units"


@pytest.mark.many
@pytest.mark.parametrize("architecture", ["own_code", "unbuilt"])
def test_models_without_a_graph_get_a_head_too(site: Site, architecture: str) -> None:
    site.install(MODELS)
    recipe = built("classification", f"architecture={architecture}")
    outputs = np.asarray(recipe.model(np.ones((5, 4), "float32")))
    assert np.allclose(outputs.sum(axis=1), 1)


def test_a_regularizer_of_structure_refuses_a_subclassed_model_in_one_sentence(
    site: Site,
) -> None:
    site.install(MODELS)
    with pytest.raises(ModelError, match="regularizer=dropout cannot change Own, a subclassed"):
        built("classification", "architecture=own_code", "regularizer=[dropout]")


def test_probabilities_are_float32_under_mixed_precision() -> None:
    model = built("classification", "precision=mixed_bfloat16").model
    assert model.layers[1].compute_dtype == "bfloat16"
    assert model.layers[-1].compute_dtype == "float32"
    assert built("classification").model.layers[1].compute_dtype == "float32"


# --- What does not fit ---------------------------------------------------------------------------


@pytest.mark.many
@pytest.mark.parametrize(
    ("task", "overrides", "error", "sentence"),
    [
        (
            "classification",
            ["architecture=too_wide"],
            ModelError,
            r"'too_wide' gives outputs of shape \(4,\) .* task needs \(3,\)",
        ),
        ("binary", ["architecture=no_model"], PluginError, "'no_model' returned int, not a Keras"),
        (
            "binary",
            ["regularizer=[forgetful]"],
            PluginError,
            "'forgetful' returned None, not Recipe",
        ),
        ("binary", ["architecture=cnn"], ModelError, "architecture=cnn takes images"),
        ("binary", ["architecture=rnn"], ModelError, "architecture=rnn takes series"),
        (
            "regression",
            ["loss=sparse_categorical_crossentropy"],
            ModelError,
            "loss=sparse_categorical_crossentropy is for a classification task",
        ),
        ("regression", ["metrics=[accuracy]"], ModelError, r"metrics=\[accuracy\] is for a"),
        (
            "binary",
            ["monitor=val_acuracy"],
            ConfigError,
            "'val_acuracy'.*did you mean 'val_accuracy'",
        ),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    site: Site, task: str, overrides: list[str], error: type[RunnerError], sentence: str
) -> None:
    site.install(MODELS)
    with pytest.raises(error, match=sentence) as refused:
        built(task, *overrides)
    assert "\n" not in str(refused.value)


# --- Monitor -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("monitor=null", ("val_loss", "min")),
        ("monitor=loss", ("loss", "min")),
        ("monitor=val_accuracy", ("val_accuracy", "max")),
        ("monitor=val_auc", ("val_auc", "max")),
        ("monitor=f1_score", ("f1_score", "max")),
        ("monitor=val_r2_score", ("val_r2_score", "max")),
        ("monitor=val_pearson_correlation", ("val_pearson_correlation", "max")),
        ("monitor=val_false_negatives", ("val_false_negatives", "min")),
        ("monitor=val_mae", ("val_mae", "min")),
        ("monitor=val_binary_crossentropy", ("val_binary_crossentropy", "min")),
        ("split.val=0", ("loss", "min")),
    ],
)
@pytest.mark.many
def test_the_monitor_knows_which_way_is_better(override: str, expected: tuple[str, str]) -> None:
    assert monitor_of(*prepared("binary", override)) == expected


def test_the_mode_may_be_said() -> None:
    assert monitor_of(*prepared("binary", "monitor=val_mae", "mode=max")) == ("val_mae", "max")


# --- Optimizer, schedule, metrics, weights -------------------------------------------------------


def test_a_schedule_acts_on_the_optimizers_rate() -> None:
    recipe = built("binary", "optimizer.learning_rate=0.5", "schedule=cosine", "epochs=2")
    rates = [float(recipe.optimizer.learning_rate)]
    recipe.optimizer.iterations.assign(6)  # twelve rows in batches of four, twice
    rates.append(float(recipe.optimizer.learning_rate))
    assert rates[0] == pytest.approx(0.5)
    assert rates[1] == pytest.approx(0.0, abs=1e-6)


def test_a_schedule_that_is_a_callback_becomes_one() -> None:
    import keras

    callbacks = built("binary", "schedule=reduce_on_plateau").callbacks
    assert [type(one) for one in callbacks] == [keras.callbacks.ReduceLROnPlateau]


def test_a_schedule_without_a_learning_rate_is_refused(site: Site) -> None:
    site.install(
        """
        from runner import optimizer

        @optimizer
        def fixed():
            '''Has no learning rate to schedule.'''
            import keras
            return keras.optimizers.SGD(0.1)
        """
    )
    assert built("binary", "optimizer=fixed")
    with pytest.raises(ConfigError, match="schedule=cosine needs a param learning_rate"):
        built("binary", "optimizer=fixed", "schedule=cosine")


def test_a_metric_asked_for_twice_is_computed_once() -> None:
    names = [one.name for one in built("binary", "metrics=[auto,accuracy,auc]").metrics]
    assert sorted(names) == ["accuracy", "auc"]


def test_initial_weights_follow_from_the_seed_alone() -> None:
    def weights(*overrides: str) -> list[Any]:
        return [weight.numpy() for weight in built("binary", *overrides).model.weights]

    first, again, other = weights(), weights("optimizer=sgd"), weights("seed=1")
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(first, other, strict=True))


@pytest.mark.slow
def test_equal_runs_name_their_weights_equally() -> None:
    overrides = ("architecture.units=[4,4]", "regularizer=[dropout,batch_norm,l2]")
    paths = [[w.path for w in built("binary", *overrides).model.weights] for _ in range(2)]
    assert paths[0] == paths[1]
