"""Built-in losses: all of Keras', right on every task they take and refused on the others."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from runner import ModelError, Task

TASKS = {
    "classification": Task.classification(3),
    "binary": Task.binary(),
    "multilabel": Task.multilabel(3),
    "regression": Task.regression(),
}
LEFT_OUT = {
    "name": "the component has one",
    "dtype": "precision is the run's",
    "reduction": "an epoch's loss is the mean over examples",
    "from_logits": "outputs are probabilities",
    "axis": "classes are on the last axis",
}


def batch(task, rows=8):
    """Targets as a dataset gives them, outputs as a model with its head gives them."""
    rng = np.random.default_rng(0)
    outputs = rng.uniform(0.05, 1, (rows, task.outputs)).astype("float32")
    if task.kind == "classification":
        return rng.integers(0, 3, rows), outputs / outputs.sum(axis=1, keepdims=True)
    if task.kind == "binary":
        return rng.integers(0, 2, rows), outputs
    if task.kind == "multilabel":
        return rng.integers(0, 2, (rows, 3)).astype("float32"), outputs
    return rng.uniform(0.1, 2, rows).astype("float32"), outputs


def value(loss, task):
    return float(loss(*batch(task)))


def names_in_keras():
    """Every string that keras.losses.get accepts: its own table, without a private import."""
    import keras

    table = keras.losses.get.__globals__["ALL_OBJECTS_DICT"]
    return sorted(set(table) - {"Loss", "LossFunctionWrapper"})


def test_every_name_that_keras_accepts_is_a_component(make):
    for name in names_in_keras():
        assert ("loss", name) in make.registry.components, f"plugins/loss/ lacks Keras' {name}"


def test_params_and_defaults_are_those_of_keras(make):
    import keras

    for component in make.registry.of_kind("loss"):
        if component.name in ("auto", "nt_xent") or component.distribution != "sweephouse":
            continue
        cls = getattr(keras.losses, component.marks.aliases[0])
        theirs = {
            p.name: p.default
            for p in inspect.signature(cls).parameters.values()
            if p.name not in LEFT_OUT
        }
        ours = {p.name: p.default for p in component.params}
        assert ours == theirs, f"{component.name} and Keras' {cls.__name__} differ"


def test_every_loss_is_right_on_some_tasks_and_one_sentence_on_the_others(make):
    for component in make.registry.of_kind("loss"):
        fits = []
        for task in TASKS.values():
            try:
                loss = make("loss", component.name, task=task)
            except ModelError as error:
                said = str(error)
                assert said.startswith(f"loss={component.name} "), said
                assert "\n" not in said
            else:
                assert np.isfinite(value(loss, task)), (component.name, task)
                fits.append(task.kind)
        assert fits or component.name in ("ctc", "nt_xent"), component.name


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("categorical_crossentropy", "regression"),
        ("sparse_categorical_crossentropy", "regression"),
        ("binary_crossentropy", "regression"),
        ("binary_crossentropy", "classification"),
        ("sparse_categorical_crossentropy", "binary"),
        ("hinge", "regression"),
        ("poisson", "classification"),
        ("mape", "binary"),
        ("cosine_similarity", "regression"),
        ("ctc", "classification"),
    ],
)
def test_a_loss_of_another_task_is_refused(make, name, kind):
    with pytest.raises(ModelError, match=f"loss={name} .*take loss=auto"):
        make("loss", name, task=TASKS[kind])


def test_auto_is_the_loss_of_the_task(make):
    got = {kind: make("loss", "auto", task=task).name for kind, task in TASKS.items()}
    assert got == {
        "classification": "sparse_categorical_crossentropy",
        "binary": "binary_crossentropy",
        "multilabel": "binary_crossentropy",
        "regression": "mean_squared_error",
    }


def test_class_numbers_become_one_hot_for_the_losses_that_want_it(make):
    task = TASKS["classification"]
    sparse = value(make("loss", "auto", task=task), task)
    dense = make("loss", "categorical_crossentropy", task=task)
    assert value(dense, task) == pytest.approx(sparse, rel=1e-5)
    y, p = batch(task)
    brier = ((np.eye(3)[y] - p) ** 2).mean()
    assert value(make("loss", "mse", task=task), task) == pytest.approx(brier, rel=1e-5)


def test_class_numbers_stay_numbers_for_the_losses_that_want_them(make):
    task = TASKS["classification"]
    y, p = batch(task)
    loss = make("loss", "categorical_generalized_cross_entropy", task=task, q=0.7)
    right = ((1 - p[np.arange(8), y] ** 0.7) / 0.7).mean()
    assert value(loss, task) == pytest.approx(right, rel=1e-5)


def test_targets_of_one_column_do_not_broadcast(make):
    """(rows,) against (rows, 1) must not become a (rows, rows) table of errors."""
    for kind, name in (("regression", "mae"), ("binary", "mse"), ("regression", "huber")):
        y, p = batch(TASKS[kind])
        error = np.abs(y - p[:, 0])
        right = {"mae": error, "mse": error**2, "huber": np.where(error < 1, error**2 / 2, 0)}
        got = value(make("loss", name, task=TASKS[kind]), TASKS[kind])
        if name != "huber" or error.max() < 1:
            assert got == pytest.approx(right[name].mean(), rel=1e-5)


def test_params_reach_keras(make):
    y, p = np.array([0.0]), np.array([[3.0]])
    loss = make("loss", "huber", task=TASKS["regression"], delta=2.0)
    assert float(loss(y, p)) == pytest.approx(2 * 3 - 2)


def test_sample_weights_reach_the_loss_on_changed_targets(make):
    task = TASKS["classification"]
    loss = make("loss", "categorical_crossentropy", task=task)
    y, p = batch(task)
    only = np.zeros(8, "float32")
    only[2] = 1
    assert float(loss(y, p, only)) == pytest.approx(-np.log(p[2, y[2]]) / 8, rel=1e-4)
