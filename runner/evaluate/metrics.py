"""The quality of outputs, by the task: metrics, confusion counts and curves. NumPy alone.

Its tests hold every value equal to scikit-learn's. What is undefined (one class only in a part, an
error relative to a target of zero) is left out, never an error.

Metrics are named in snake_case: accuracy, precision_macro, f1_weighted, roc_auc; those of one
class, label or value carry its name in brackets, as recall[setosa]; those of one of several heads
its name in front, as kind.accuracy and recall[kind.setosa]. Averages over classes are over those
that occur among targets or predictions, as scikit-learn's are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Task
from runner.data.heads import DOT, outputs_by_head, targets_by_head

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

BINS = 10
"""Bins of equal width, over [0, 1], of the calibration curve and of the calibration error."""
EDGES = np.linspace(0, 1, BINS + 1)[1:-1]
DIGITS = 9
"""Decimals of the points of curves: more than the outputs have, and short in a journal."""
POINTS = 200
"""Points of a curve at most; fewer where many classes share `ALL_POINTS`."""
ALL_POINTS = 4000
MOST_CURVES = 100
"""Classes or labels up to which each has its curves."""
TOP = (3, 5)
"""The k of the top-k accuracies, where there are more classes than that."""


@dataclass(frozen=True)
class Curve:
    """One curve of one class, against all others where there are several; points in order.

    roc: x false and y true positive rate; pr: x recall, y precision; calibration: x the mean
    probability of a bin, y the share that was positive, without thresholds.
    """

    curve: str
    class_name: str
    x: Sequence[float]
    y: Sequence[float]
    threshold: Sequence[float | None]


@dataclass(frozen=True)
class OutputEvaluation:
    """The metrics, counts and curves of one part."""

    metrics: dict[str, float]
    classes: Sequence[str] = ()
    """What `confusion` counts, by number."""
    confusion: Sequence[tuple[int, int, int]] = ()
    """(actual, predicted, rows); pairs that never occur are left out."""
    curves: Sequence[Curve] = field(default_factory=list)


def evaluate_outputs(task: Task, targets: Array, outputs: Array) -> OutputEvaluation:
    """Evaluate a part's outputs (rows, outputs): probabilities, or a regression's values.

    targets: as the task has them, (rows,) or (rows, values). Outputs that are not all finite
    give an empty evaluation.
    """
    outputs = np.asarray(outputs).reshape(len(targets), -1)
    if task.heads:
        return _heads(task, np.asarray(targets), outputs)
    if len(targets) == 0 or not np.isfinite(outputs).all():
        return OutputEvaluation({})
    if task.kind == "regression":
        return OutputEvaluation(_regression(task, np.asarray(targets, np.float64), outputs))
    if task.kind == "multilabel":
        return _multilabel(task, np.asarray(targets).reshape(outputs.shape).astype(int), outputs)
    labels = np.asarray(targets).reshape(-1).astype(int)
    if task.kind == "binary":
        return _binary(task, labels, outputs[:, 0])
    return _classification(task, labels, outputs)


def _heads(task: Task, targets: Array, outputs: Array) -> OutputEvaluation:
    """Each head's evaluation; its name stands before those of metrics and classes."""
    metrics: dict[str, float] = {}
    classes: list[str] = []
    confusion: list[tuple[int, int, int]] = []
    curves: list[Curve] = []
    own_targets, own_outputs = targets_by_head(task, targets), outputs_by_head(task, outputs)
    for head, own in task.heads.items():
        one = evaluate_outputs(own, own_targets[head], own_outputs[head])
        metrics |= {_name_of_head(head, name): value for name, value in one.metrics.items()}
        first = len(classes)
        confusion += [(first + a, first + p, rows) for a, p, rows in one.confusion]
        classes += [f"{head}{DOT}{name}" for name in one.classes]
        curves += [replace(c, class_name=f"{head}{DOT}{c.class_name}") for c in one.curves]
    return OutputEvaluation(metrics, classes, confusion, curves)


def _name_of_head(head: str, name: str) -> str:
    """`kind.accuracy`, and of one class `recall[kind.setosa]`: its class is `kind.setosa`."""
    whole, bracket, inner = name.partition("[")
    return f"{whole}[{head}{DOT}{inner}" if bracket else f"{head}{DOT}{name}"


def names_of(task: Task) -> tuple[str, ...]:
    """The names of the classes, labels or values; their numbers where they have none."""
    count = 2 if task.kind == "binary" else task.outputs
    return task.names if len(task.names) == count else tuple(map(str, range(count)))


def predicted_of(task: Task, outputs: Array) -> Array:
    """The class or classes that outputs (…, outputs) stand for; a regression's values."""
    if task.kind == "regression":
        return outputs
    if task.kind == "classification":
        likeliest: Array = outputs.argmax(axis=-1)
        return likeliest
    likely: Array = (outputs > 0.5).astype(int)
    return likely[:, 0] if task.kind == "binary" else likely


def _classification(task: Task, targets: Array, outputs: Array) -> OutputEvaluation:
    names, rows = names_of(task), np.arange(len(targets))
    predicted = predicted_of(task, outputs)
    metrics = {"accuracy": float((predicted == targets).mean())}
    # Of equal outputs, the last class counts as the likeliest, as scikit-learn has it.
    ranked = np.argsort(outputs, axis=1, kind="stable")[:, ::-1]
    for k in TOP:
        if k < task.outputs:
            metrics[f"top_{k}"] = float((ranked[:, :k] == targets[:, None]).any(axis=1).mean())
    counts = np.zeros((task.outputs, task.outputs), dtype=np.int64)
    np.add.at(counts, (targets, predicted), 1)
    metrics |= by_class(names, counts)
    ones = [(name, targets == index, outputs[:, index]) for index, name in enumerate(names)]
    proper = bool((outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1, atol=1e-3))
    if proper:
        metrics["log_loss"] = _log_loss(outputs[rows, targets])
        right = predicted == targets
        metrics["calibration_error"] = calibration_error(right, outputs.max(axis=1))
    areas, curves = _ranking(ones, proper)
    return OutputEvaluation(metrics | areas, names, pairs(counts), curves)


def _binary(task: Task, targets: Array, scores: Array) -> OutputEvaluation:
    names = names_of(task)
    predicted = predicted_of(task, scores[:, None])
    counts = np.zeros((2, 2), dtype=np.int64)
    np.add.at(counts, (targets, predicted), 1)
    metrics = {"accuracy": float((predicted == targets).mean())}
    each = by_class(names, counts)
    for name in ("precision", "recall", "f1"):
        if f"{name}[{names[1]}]" in each:
            metrics[name] = each[f"{name}[{names[1]}]"]
    metrics |= each
    proper = bool(((scores >= 0) & (scores <= 1)).all())
    if proper:
        metrics["log_loss"] = _log_loss(np.where(targets == 1, scores, 1 - scores))
        metrics["calibration_error"] = calibration_error(targets == 1, scores)
    areas, curves = _ranking([(names[1], targets == 1, scores)], proper)
    whole = {name: value for name, value in areas.items() if "[" not in name}
    return OutputEvaluation(metrics | whole, names, pairs(counts), curves)


def _multilabel(task: Task, targets: Array, outputs: Array) -> OutputEvaluation:
    """accuracy is the share of labels, subset_accuracy that of rows that are right in all."""
    names = names_of(task)
    predicted = predicted_of(task, outputs)
    same = predicted == targets
    metrics = {
        "accuracy": float(same.mean()),
        "subset_accuracy": float(same.all(axis=1).mean()),
    }
    true = ((predicted == 1) & same).sum(axis=0)
    metrics |= _rates(names, true, predicted.sum(axis=0), targets.sum(axis=0))
    proper = bool(((outputs >= 0) & (outputs <= 1)).all())
    if proper:
        metrics["log_loss"] = _log_loss(np.where(targets == 1, outputs, 1 - outputs).ravel())
        metrics["calibration_error"] = calibration_error((targets == 1).ravel(), outputs.ravel())
    ones = [(name, targets[:, i] == 1, outputs[:, i]) for i, name in enumerate(names)]
    areas, curves = _ranking(ones, proper)
    classes = [word for name in names for word in (f"not {name}", name)]
    confusion = []
    for index in range(len(names)):
        counts = np.zeros((2, 2), dtype=np.int64)
        np.add.at(counts, (targets[:, index], predicted[:, index]), 1)
        confusion += [(2 * index + a, 2 * index + p, n) for a, p, n in pairs(counts)]
    return OutputEvaluation(metrics | areas, classes, confusion, curves)


def _regression(task: Task, targets: Array, outputs: Array) -> dict[str, float]:
    """The metrics of a regression: means over several values, and each value's own."""
    actual = targets.reshape(outputs.shape)
    error = outputs.astype(np.float64) - actual
    errors = {
        "mae": np.abs(error).mean(axis=0),
        "rmse": np.sqrt((error**2).mean(axis=0)),
    }
    spread = ((actual - actual.mean(axis=0)) ** 2).sum(axis=0)
    if len(actual) > 1 and (spread > 0).all():
        errors["r2"] = 1 - (error**2).sum(axis=0) / spread
    if (actual != 0).all():
        errors["mape"] = np.abs(error / actual).mean(axis=0)
    metrics = {name: float(values.mean()) for name, values in errors.items()}
    if task.outputs > 1:
        for index, output in enumerate(names_of(task)):
            metrics |= {f"{name}[{output}]": float(v[index]) for name, v in errors.items()}
    return metrics


def by_class(names: Sequence[str], counts: Array) -> dict[str, float]:
    """`_rates` of a confusion matrix, actual classes as rows."""
    return _rates(names, np.diag(counts), counts.sum(axis=0), counts.sum(axis=1))


def _rates(names: Sequence[str], true: Array, called: Array, there: Array) -> dict[str, float]:
    """Precision, recall and F1 over all classes, and of each.

    true: rows of the class that were found; called: rows that were called so; there: rows of the
    class. A class without a value counts as 0 in the averages and has no value of its own.
    """
    values = {
        "precision": (true, called),
        "recall": (true, there),
        "f1": (2 * true, called + there),
    }
    occurs = (called + there) > 0
    metrics: dict[str, float] = {}
    for name, (over, under) in values.items():
        each = over / np.maximum(under, 1)
        metrics[f"{name}_macro"] = float(each[occurs].mean()) if occurs.any() else 0.0
        if there.sum():
            metrics[f"{name}_weighted"] = float((each * there).sum() / there.sum())
        for index, class_name in enumerate(names):
            if under[index]:
                metrics[f"{name}[{class_name}]"] = float(each[index])
    return metrics


def pairs(counts: Array) -> list[tuple[int, int, int]]:
    """(actual, predicted, count) of the pairs that occur in a confusion matrix."""
    return [(int(a), int(p), int(counts[a, p])) for a, p in zip(*counts.nonzero(), strict=True)]


def _log_loss(given: Array) -> float:
    """The mean of -log of the probability that was given to what is so."""
    return float(log_losses(given).mean())


def log_losses(given: Array) -> Array:
    """-log of each probability that was given to what is so, float64."""
    least = float(np.finfo(given.dtype).eps)
    losses: Array = -np.log(np.clip(given.astype(np.float64), least, 1 - least))
    return losses


def calibration_error(positive: Array, probability: Array) -> float:
    """The expected calibration error over ten bins of equal width.

    Naeini et al. 2015, doi:10.1609/aaai.v29i1.9602.

    The mean distance, weighted by rows, between a bin's mean probability and its share of
    positives. Of several classes, the likeliest one's probability and whether it is right.
    """
    counts, means, shares = _bins(positive, probability)
    return float((counts * np.abs(means - shares)).sum() / counts.sum())


def _bins(positive: Array, probability: Array) -> tuple[Array, Array, Array]:
    """The rows, mean probability and share of positives of each bin that has rows."""
    place = np.searchsorted(EDGES, probability)
    counts = np.bincount(place, minlength=BINS)
    filled = counts > 0
    means = np.bincount(place, weights=probability, minlength=BINS)[filled] / counts[filled]
    shares = np.bincount(place, weights=positive, minlength=BINS)[filled] / counts[filled]
    return counts[filled], means, shares


def _ranking(
    ones: Sequence[tuple[str, Array, Array]], proper: bool
) -> tuple[dict[str, float], list[Curve]]:
    """The areas under the curves, and the curves, of each (name, positive, score) that has both.

    proper: whether the scores are probabilities.
    """
    areas: dict[str, list[float]] = {"roc_auc": [], "pr_auc": []}
    metrics: dict[str, float] = {}
    curves: list[Curve] = []
    points = max(2 * BINS, min(POINTS, ALL_POINTS // len(ones)))
    for name, positive, score in ones:
        if positive.all() or not positive.any():
            continue
        false, true, thresholds = _ranked(positive, score)
        fpr, tpr = (np.append(0, counts / counts[-1]) for counts in (false, true))
        metrics[f"roc_auc[{name}]"] = float(
            ((fpr[1:] - fpr[:-1]) * (tpr[1:] + tpr[:-1])).sum() / 2
        )
        precision = true / (true + false)
        metrics[f"pr_auc[{name}]"] = float(((tpr[1:] - tpr[:-1]) * precision).sum())
        for area, values in areas.items():
            values.append(metrics[f"{area}[{name}]"])
        if len(ones) <= MOST_CURVES:
            curves.append(_roc(name, false, true, thresholds, points))
            curves.append(_pr(name, false, true, thresholds, points))
            if proper:
                _, means, shares = _bins(positive, score)
                nothing = [None] * len(means)
                curves.append(Curve("calibration", name, _short(means), _short(shares), nothing))
    means_of = {area: float(np.mean(values)) for area, values in areas.items() if values}
    return means_of | metrics, curves


def _ranked(positive: Array, score: Array) -> tuple[Array, Array, Array]:
    """False and true positives at each threshold, from the highest score down."""
    order = np.argsort(score, kind="stable")[::-1]
    score, positive = score[order], positive[order]
    last = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
    true = np.cumsum(positive)[last]
    return 1 + last - true, true, score[last]


def _roc(name: str, false: Array, true: Array, thresholds: Array, points: int) -> Curve:
    """The ROC curve from (0, 0) to (1, 1), without points on a straight line between others."""
    corner = np.ones(len(true), dtype=bool)
    corner[1:-1] = _bends(false) | _bends(true)
    keep = np.flatnonzero(corner)
    x = np.append(0, false[keep] / false[-1])
    y = np.append(0, true[keep] / true[-1])
    at = _thinned(len(x), points)
    threshold = np.append(np.inf, thresholds[keep])
    return Curve("roc", name, _short(x[at]), _short(y[at]), _short(threshold[at]))


def _pr(name: str, false: Array, true: Array, thresholds: Array, points: int) -> Curve:
    """The curve from recall 1 down to 0, without thresholds that only lose precision."""
    steps = true[1:] != true[:-1]
    corner = np.ones(len(true), dtype=bool)
    corner[1:-1] = steps[:-1] | steps[1:]
    keep = np.flatnonzero(corner)[::-1]
    x = np.append(true[keep] / true[-1], 0)
    y = np.append(true[keep] / (true[keep] + false[keep]), 1)
    at = _thinned(len(x), points)
    # The last point, where nothing counts as positive, has no threshold.
    threshold: list[float | None] = [*_short(thresholds[keep][at[:-1]]), None]
    return Curve("pr", name, _short(x[at]), _short(y[at]), threshold)


def _bends(counts: Array) -> Array:
    """Whether counts rise by another step after an inner point than before it."""
    bends: Array = counts[2:] - counts[1:-1] != counts[1:-1] - counts[:-2]
    return bends


def _thinned(count: int, points: int) -> Array:
    """At most so many of `count` places, evenly spread, the first and the last among them."""
    if count <= points:
        return np.arange(count)
    return np.linspace(0, count - 1, points).round().astype(int)


def _short(values: Array) -> list[float]:
    rounded: list[float] = np.round(values.astype(np.float64), DIGITS).tolist()
    return rounded
