"""Evaluation: scikit-learn is the oracle of every value, and what is undefined is left out."""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
import pytest

from runner.components.types import Task
from runner.evaluate.metrics import POINTS, Curve, OutputEvaluation, evaluate_outputs

CLOSE = 1e-6
NAMES = ("red", "green", "blue", "grey")


def softmax(values: Any) -> Any:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def some_classes(rows: int = 300, classes: int = 4, seed: int = 0) -> tuple[Any, Any]:
    """Labels, and probabilities that know something of them; some of them equal."""
    draw = np.random.default_rng(seed)
    targets = draw.integers(0, classes, rows)
    scores = draw.normal(size=(rows, classes)).round(1)
    scores[np.arange(rows), targets] += 1
    return targets, softmax(scores)


def curve_of(judgement: OutputEvaluation, curve: str, name: str) -> Curve:
    return next(c for c in judgement.curves if (c.curve, c.class_name) == (curve, name))


def assert_lies_on(curve: Curve, x: Any, y: Any, threshold: Any) -> None:
    """Every point is one of the oracle's, the first and the last included."""
    oracle = np.column_stack([x, y])
    for point in zip(curve.x, curve.y, strict=True):
        assert np.abs(oracle - point).max(axis=1).min() < CLOSE
    assert (curve.x[0], curve.y[0]) == pytest.approx(tuple(oracle[0]), abs=CLOSE)
    assert (curve.x[-1], curve.y[-1]) == pytest.approx(tuple(oracle[-1]), abs=CLOSE)
    for value in curve.threshold:
        assert value is None or np.isclose(threshold, value, rtol=0, atol=CLOSE).any()


def test_metrics_of_a_classification_are_scikit_learns() -> None:
    from sklearn import metrics as sk

    targets, outputs = some_classes()
    found = evaluate_outputs(Task.classification(4, NAMES), targets, outputs).metrics
    predicted = outputs.argmax(axis=1)
    expected = {
        "accuracy": sk.accuracy_score(targets, predicted),
        "top_3": sk.top_k_accuracy_score(targets, outputs, k=3),
        "roc_auc": sk.roc_auc_score(targets, outputs, multi_class="ovr"),
        "pr_auc": sk.average_precision_score(np.eye(4)[targets], outputs),
        "log_loss": sk.log_loss(targets, outputs),
    }
    scores = {"precision": sk.precision_score, "recall": sk.recall_score, "f1": sk.f1_score}
    for name, score in scores.items():
        for average in ("macro", "weighted"):
            expected[f"{name}_{average}"] = score(targets, predicted, average=average)
        for class_name, value in zip(NAMES, score(targets, predicted, average=None), strict=True):
            expected[f"{name}[{class_name}]"] = value
    for index, class_name in enumerate(NAMES):
        one = targets == index, outputs[:, index]
        expected[f"roc_auc[{class_name}]"] = sk.roc_auc_score(*one)
        expected[f"pr_auc[{class_name}]"] = sk.average_precision_score(*one)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=CLOSE)
    assert set(found) - set(expected) == {"calibration_error"}


def test_the_confusion_matrix_is_scikit_learns() -> None:
    from sklearn.metrics import confusion_matrix

    targets, outputs = some_classes()
    found = evaluate_outputs(Task.classification(4, NAMES), targets, outputs)
    matrix = np.zeros((4, 4), dtype=int)
    for actual, predicted, rows in found.confusion:
        matrix[actual, predicted] = rows
    assert (matrix == confusion_matrix(targets, outputs.argmax(axis=1))).all()
    assert found.classes == NAMES


@pytest.mark.parametrize("rows", [60, 5000])
def test_curves_lie_on_scikit_learns(rows: int) -> None:
    from sklearn import metrics as sk
    from sklearn.calibration import calibration_curve

    targets, outputs = some_classes(rows, 3)
    outputs = softmax(np.log(outputs) + np.random.default_rng(1).normal(size=outputs.shape))
    found = evaluate_outputs(Task.classification(3), targets, outputs)
    assert len(found.curves) == 9
    for index in range(3):
        name, positive, score = str(index), targets == index, outputs[:, index]
        false, true, threshold = sk.roc_curve(positive, score)
        roc = curve_of(found, "roc", name)
        assert_lies_on(roc, false, true, threshold)
        assert len(roc.x) == min(len(false), POINTS)
        precision, recall, threshold = sk.precision_recall_curve(
            positive, score, drop_intermediate=True
        )
        pr = curve_of(found, "pr", name)
        assert_lies_on(pr, recall, precision, threshold)
        assert len(pr.x) == min(len(recall), POINTS)
        share, mean = calibration_curve(positive, score, n_bins=10)
        calibration = curve_of(found, "calibration", name)
        assert np.asarray(calibration.x) == pytest.approx(mean, abs=CLOSE)
        assert np.asarray(calibration.y) == pytest.approx(share, abs=CLOSE)


def test_a_binary_tasks_values_are_those_of_its_second_class() -> None:
    from sklearn import metrics as sk
    from sklearn.calibration import calibration_curve

    draw = np.random.default_rng(3)
    targets = draw.integers(0, 2, 400)
    score = np.clip(targets * 0.3 + draw.random(400) * 0.7, 0, 1)
    found = evaluate_outputs(
        Task.binary(("benign", "malignant")), targets[:, None], score[:, None]
    )
    predicted = score > 0.5
    expected = {
        "accuracy": sk.accuracy_score(targets, predicted),
        "precision": sk.precision_score(targets, predicted),
        "recall": sk.recall_score(targets, predicted),
        "f1": sk.f1_score(targets, predicted),
        "f1[benign]": sk.f1_score(targets, predicted, pos_label=0),
        "precision_weighted": sk.precision_score(targets, predicted, average="weighted"),
        "recall_macro": sk.recall_score(targets, predicted, average="macro"),
        "roc_auc": sk.roc_auc_score(targets, score),
        "pr_auc": sk.average_precision_score(targets, score),
        "log_loss": sk.log_loss(targets, score),
    }
    share, mean = calibration_curve(targets, score, n_bins=10)
    filled = np.histogram(score, np.linspace(0, 1, 11))[0]
    filled = filled[filled > 0]
    expected["calibration_error"] = (filled * np.abs(share - mean)).sum() / 400
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, abs=CLOSE)
    assert {c.class_name for c in found.curves} == {"malignant"}
    assert sum(rows for _, _, rows in found.confusion) == 400


def test_metrics_of_several_labels_are_scikit_learns() -> None:
    from sklearn import metrics as sk

    draw = np.random.default_rng(4)
    targets = draw.integers(0, 2, (200, 3))
    outputs = np.clip(targets * 0.3 + draw.random((200, 3)) * 0.7, 0, 1)
    found = evaluate_outputs(Task.multilabel(3, ("a", "b", "c")), targets, outputs)
    predicted = (outputs > 0.5).astype(int)
    expected = {
        "accuracy": 1 - sk.hamming_loss(targets, predicted),
        "subset_accuracy": sk.accuracy_score(targets, predicted),
        "f1_macro": sk.f1_score(targets, predicted, average="macro"),
        "recall_weighted": sk.recall_score(targets, predicted, average="weighted"),
        "precision[b]": sk.precision_score(targets[:, 1], predicted[:, 1]),
        "roc_auc": sk.roc_auc_score(targets, outputs),
        "pr_auc": sk.average_precision_score(targets, outputs),
        "log_loss": sk.log_loss(targets.ravel(), outputs.ravel()),
    }
    assert {name: found.metrics[name] for name in expected} == pytest.approx(expected, abs=CLOSE)
    matrices = sk.multilabel_confusion_matrix(targets, predicted)
    said = {(found.classes[a], found.classes[p]): rows for a, p, rows in found.confusion}
    assert said["b", "not b"] == matrices[1][1, 0]
    assert said["not c", "c"] == matrices[2][0, 1]


@pytest.mark.parametrize("values", [1, 3])
def test_metrics_of_a_regression_are_scikit_learns(values: int) -> None:
    from sklearn import metrics as sk

    draw = np.random.default_rng(5)
    targets = draw.normal(5, 1, (100, values))
    outputs = (targets + draw.normal(size=targets.shape)).astype("float32")
    task = Task.regression(values, ("x", "y", "z")[:values])
    given = targets[:, 0] if values == 1 else targets
    found = evaluate_outputs(task, given, outputs).metrics
    scores = {
        "mae": sk.mean_absolute_error,
        "rmse": sk.root_mean_squared_error,
        "r2": sk.r2_score,
        "mape": sk.mean_absolute_percentage_error,
    }
    expected = {name: score(targets, outputs) for name, score in scores.items()}
    if values > 1:
        for index, said in enumerate(task.names):
            expected |= {
                f"{name}[{said}]": score(targets[:, index], outputs[:, index])
                for name, score in scores.items()
            }
    assert found == pytest.approx(expected, abs=CLOSE)


def test_what_is_undefined_is_left_out_and_never_an_error() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        one = evaluate_outputs(
            Task.classification(3), np.zeros(5, int), np.eye(3)[[0, 0, 1, 0, 0]]
        )
        nothing = evaluate_outputs(Task.binary(), np.zeros(2), np.full((2, 1), np.nan))
        constant = evaluate_outputs(Task.regression(), np.zeros(4), np.ones((4, 1)))
        never = evaluate_outputs(Task.binary(), np.array([0, 1]), np.array([[0.1], [0.2]]))
    assert one.metrics["recall[0]"] == pytest.approx(0.8)
    assert not {"roc_auc", "pr_auc", "recall[1]", "f1[2]", "precision[2]"} & set(one.metrics)
    assert one.curves == []
    assert nothing == OutputEvaluation({})
    assert constant.metrics == {"mae": 1.0, "rmse": 1.0}
    assert "precision" not in never.metrics and never.metrics["recall"] == 0


def test_outputs_that_are_no_probabilities_have_no_log_loss_nor_calibration() -> None:
    targets, outputs = some_classes()
    found = evaluate_outputs(Task.classification(4), targets, np.log(outputs))
    assert not {"log_loss", "calibration_error"} & set(found.metrics)
    assert {curve.curve for curve in found.curves} == {"roc", "pr"}


def test_many_classes_share_the_points_and_too_many_have_no_curves() -> None:
    targets, outputs = some_classes(2000, 50)
    found = evaluate_outputs(Task.classification(50), targets, outputs)
    assert max(len(curve.x) for curve in found.curves) <= 80
    targets, outputs = some_classes(2000, 120)
    assert evaluate_outputs(Task.classification(120), targets, outputs).curves == []


def test_a_small_part_is_judged_in_milliseconds() -> None:
    targets, outputs = some_classes(360, 10)
    seconds = []
    for _ in range(10):
        began = time.perf_counter()
        evaluate_outputs(Task.classification(10), targets, outputs)
        seconds.append(time.perf_counter() - began)
    assert min(seconds) < 0.015
