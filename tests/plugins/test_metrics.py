"""Built-in metrics: all of Keras', each one number and right on every task it takes."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from runner import ModelError, Task

NOT_ON_TARGETS = {"Metric", "Mean", "Sum", "MeanMetricWrapper"}
"""What keras.metrics.get accepts too, but takes no targets and outputs: building blocks."""
LEFT_OUT = {"name", "dtype", "from_logits", "axis", "num_labels", "num_classes"}
LEFT_OUT |= {"from_sorted_ids", "sparse_y_true", "sparse_y_pred"}
OTHER_DEFAULTS = {
    # A metric is one number; Keras' None is a vector.
    ("f1_score", "average"): "macro",
    ("fbeta_score", "average"): "macro",
    ("binary_crossentropy", "label_smoothing"): 0.0,
    ("categorical_crossentropy", "label_smoothing"): 0.0,
}
REQUIRED = {
    "precision_at_recall": {"recall": 0.5},
    "recall_at_precision": {"precision": 0.5},
    "sensitivity_at_specificity": {"specificity": 0.5},
    "specificity_at_sensitivity": {"sensitivity": 0.5},
    "iou": {"target_class_ids": [0, 2]},
    "one_hot_iou": {"target_class_ids": [0, 2]},
}
TASKS = {
    "classification": Task.classification(3),
    "binary": Task.binary(),
    "multilabel": Task.multilabel(3),
    "regression": Task.regression(),
    "regression of two": Task.regression(2),
}
ROWS = 40


@pytest.fixture(scope="module")
def sk():
    """Its reference; whoever collects the tests need not import it."""
    return pytest.importorskip("sklearn.metrics")


def batch(task):
    rng = np.random.default_rng(1)
    outputs = rng.uniform(0.05, 1, (ROWS, task.outputs)).astype("float32")
    if task.kind == "classification":
        return rng.integers(0, 3, ROWS), outputs / outputs.sum(axis=1, keepdims=True)
    if task.kind == "binary":
        return rng.integers(0, 2, ROWS), outputs
    if task.kind == "multilabel":
        return rng.integers(0, 2, (ROWS, 3)).astype("float32"), outputs
    shape = ROWS if task.outputs == 1 else (ROWS, task.outputs)
    return rng.uniform(0.1, 2, shape).astype("float32"), outputs


def value(metric, task):
    """The metric over two uneven batches, as an epoch has them."""
    y, p = batch(task)
    metric.reset_state()
    metric.update_state(y[:25], p[:25])
    metric.update_state(y[25:], p[25:])
    return float(metric.result())


def test_every_name_that_keras_accepts_is_a_component(make):
    import keras

    table = keras.metrics.get.__globals__["ALL_OBJECTS_DICT"]
    blocks = {name for name, cls in table.items() if cls.__name__ in NOT_ON_TARGETS}
    for name in sorted(set(table) - blocks):
        assert ("metric", name) in make.registry.components, f"plugins/metric/ lacks {name}"


def test_params_and_defaults_are_those_of_keras(make):
    import keras

    for component in make.registry.of_kind("metric"):
        if component.name in ("auto", "accuracy") or component.distribution != "sweephouse":
            continue
        cls = getattr(keras.metrics, component.marks.aliases[0])
        theirs = {
            p.name: OTHER_DEFAULTS.get((component.name, p.name), p.default)
            for p in inspect.signature(cls).parameters.values()
            if p.name not in LEFT_OUT
        }
        ours = {p.name: p.default for p in component.params}
        assert ours == theirs, f"{component.name} and Keras' {cls.__name__} differ"


@pytest.mark.slow
def test_every_metric_is_a_number_on_some_tasks_and_one_sentence_on_the_others(make):
    for component in make.registry.of_kind("metric"):
        fits = []
        for task in TASKS.values():
            params = REQUIRED.get(component.name, {})
            try:
                metric = make("metric", component.name, task=task, **params)
            except ModelError as error:
                said = str(error)
                assert said.startswith(f"metrics=[{component.name}] "), said
                assert "\n" not in said
            else:
                assert np.isfinite(value(metric, task)), (component.name, task)
                wanted = {"classification": "accuracy", "binary": "accuracy"}
                wanted |= {"multilabel": "accuracy", "regression": "mae"}
                auto = component.name == "auto"
                assert metric.name == (wanted[task.kind] if auto else component.name)
                fits.append(task.kind)
        assert fits, component.name


def hot(task):
    y, p = batch(task)
    y = np.eye(3)[y] if task.kind == "classification" else y.reshape(p.shape)
    return y, p


def test_counts_on_classes_are_those_of_scikit_learn_one_against_the_rest(make, sk):
    for kind in ("classification", "binary", "multilabel"):
        task = TASKS[kind]
        y, p = hot(task)
        decided = p > 0.5
        got = {n: value(make("metric", n, task=task), task) for n in ("precision", "recall")}
        right = {
            "precision": sk.precision_score(y.ravel(), decided.ravel()),
            "recall": sk.recall_score(y.ravel(), decided.ravel()),
        }
        assert got == pytest.approx(right, rel=1e-5), kind
        found = value(make("metric", "true_positives", task=task), task)
        assert found == (decided & (y == 1)).sum()


def test_f1_is_that_of_scikit_learn_on_every_task(make, sk):
    for kind in ("classification", "binary", "multilabel"):
        task = TASKS[kind]
        y, p = hot(task)
        if kind == "classification":
            right = sk.f1_score(y.argmax(axis=1), p.argmax(axis=1), average="macro")
        else:
            right = sk.f1_score(y, p > 0.5, average="binary" if kind == "binary" else "macro")
        assert value(make("metric", "f1_score", task=task), task) == pytest.approx(right, rel=1e-5)


def test_auc_is_close_to_that_of_scikit_learn(make, sk):
    for kind, params, average in (
        ("binary", {}, "micro"),
        ("multilabel", {"multi_label": True}, "macro"),
        ("multilabel", {}, "micro"),
        ("classification", {"multi_label": True}, "macro"),
        ("classification", {}, "micro"),
    ):
        task = TASKS[kind]
        y, p = hot(task)
        right = sk.roc_auc_score(y, p, average=average)
        got = value(make("metric", "auc", task=task, **params), task)
        assert got == pytest.approx(right, abs=0.01), (kind, params)


def test_accuracy_follows_the_task(make):
    for kind in ("classification", "binary", "multilabel"):
        task = TASKS[kind]
        y, p = batch(task)
        if kind == "classification":
            right = (p.argmax(axis=1) == y).mean()
        else:
            right = ((p > 0.5) == y.reshape(p.shape)).mean()
        metric = make("metric", "auto", task=task)
        assert metric.name == "accuracy"
        assert value(metric, task) == pytest.approx(right)


def test_errors_do_not_broadcast_targets_of_one_column(make, sk):
    task = TASKS["regression"]
    y, p = batch(task)
    error = y - p[:, 0]
    right = {
        "mae": np.abs(error).mean(),
        "mse": (error**2).mean(),
        "root_mean_squared_error": np.sqrt((error**2).mean()),
        "r2_score": sk.r2_score(y, p[:, 0]),
    }
    got = {name: value(make("metric", name, task=task), task) for name in right}
    assert got == pytest.approx(right, rel=1e-4)


def test_iou_takes_the_number_of_classes_from_the_task(make, sk):
    task = TASKS["classification"]
    y, p = batch(task)
    right = sk.jaccard_score(y, p.argmax(axis=1), average="macro")
    for name in ("mean_iou", "one_hot_mean_iou"):
        assert value(make("metric", name, task=task), task) == pytest.approx(right, rel=1e-5)
    some = sk.jaccard_score(y, p.argmax(axis=1), average="macro", labels=[0, 2])
    for name in ("iou", "one_hot_iou"):
        got = value(make("metric", name, task=task, target_class_ids=[0, 2]), task)
        assert got == pytest.approx(some, rel=1e-5)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("accuracy", "regression"),
        ("auc", "regression"),
        ("f1_score", "regression"),
        ("r2_score", "binary"),
        ("mape", "classification"),
        ("binary_accuracy", "classification"),
        ("pearson_correlation", "regression"),
    ],
)
def test_a_metric_of_another_task_is_refused(make, name, kind):
    with pytest.raises(ModelError, match=rf"metrics=\[{name}\] .*take metrics=\[auto\]"):
        make("metric", name, task=TASKS[kind])


@pytest.mark.slow
def test_metrics_count_inside_of_a_compiled_model(make):
    import keras

    task = TASKS["classification"]
    y, p = batch(task)
    model = keras.Sequential([keras.Input((3,)), keras.layers.Activation("linear")])
    names = ["accuracy", "f1_score", "auc", "precision", "mean_iou", "mse"]
    model.compile(
        loss=make("loss", "auto", task=task), metrics=[make("metric", n, task=task) for n in names]
    )
    got = model.evaluate(p, y, batch_size=25, verbose=0, return_dict=True)
    right = {n: value(make("metric", n, task=task), task) for n in names}
    assert {n: got[n] for n in names} == pytest.approx(right, rel=1e-4)
