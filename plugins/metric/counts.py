"""Keras' metrics that count what is found and what is missed, each with its own params.

Where the task has classes, the targets become one-hot, so that every class counts against the
rest. A metric is one number: params that would make it a vector are left out (`average=None`,
lists of thresholds).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from runner import Task, metric

from .._targets import BY_CLASS, BY_LABEL, CLASSES
from ._keras import make

Share = Annotated[float, Ge(0), Le(1)]
Threshold = Share | None
Count = Annotated[int, Ge(1)]
ClassId = Annotated[int, Ge(0)]
Thresholds = Annotated[int, Ge(2)]


@metric(aliases=["AUC"])
def auc(
    task: Task,
    *,
    num_thresholds: Thresholds = 200,
    curve: Literal["ROC", "PR"] = "ROC",
    summation_method: Literal["interpolation", "minoring", "majoring"] = "interpolation",
    thresholds: Sequence[Share] | None = None,
    multi_label: bool = False,
    label_weights: Sequence[float] | None = None,
) -> object:
    """Area under the ROC or PR curve; `multi_label` averages over classes, else all are pooled."""
    return make(
        "AUC",
        "auc",
        task,
        CLASSES,
        num_thresholds=num_thresholds,
        curve=curve,
        summation_method=summation_method,
        thresholds=thresholds,
        multi_label=multi_label,
        num_labels=task.outputs if multi_label else None,
        label_weights=label_weights,
    )


@metric(aliases=["Precision"])
def precision(
    task: Task,
    *,
    thresholds: Threshold = None,
    top_k: Count | None = None,
    class_id: ClassId | None = None,
) -> object:
    """Share of the answers yes that are right, at a threshold of 0.5 or in the top k."""
    return make(
        "Precision",
        "precision",
        task,
        CLASSES,
        thresholds=thresholds,
        top_k=top_k,
        class_id=class_id,
    )


@metric(aliases=["Recall"])
def recall(
    task: Task,
    *,
    thresholds: Threshold = None,
    top_k: Count | None = None,
    class_id: ClassId | None = None,
) -> object:
    """Share of what is true that is found, at a threshold of 0.5 or in the top k."""
    return make(
        "Recall", "recall", task, CLASSES, thresholds=thresholds, top_k=top_k, class_id=class_id
    )


@metric(aliases=["TruePositives"], mode="max")
def true_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly yes."""
    return make("TruePositives", "true_positives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["TrueNegatives"], mode="max")
def true_negatives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly no."""
    return make("TrueNegatives", "true_negatives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["FalsePositives"], mode="min")
def false_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are wrongly yes."""
    return make("FalsePositives", "false_positives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["FalseNegatives"], mode="min")
def false_negatives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are wrongly no."""
    return make("FalseNegatives", "false_negatives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["PrecisionAtRecall"])
def precision_at_recall(
    task: Task,
    *,
    recall: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best precision where recall is at least this."""
    return make(
        "PrecisionAtRecall",
        "precision_at_recall",
        task,
        CLASSES,
        recall=recall,
        num_thresholds=num_thresholds,
        class_id=class_id,
    )


@metric(aliases=["RecallAtPrecision"])
def recall_at_precision(
    task: Task,
    *,
    precision: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best recall where precision is at least this."""
    return make(
        "RecallAtPrecision",
        "recall_at_precision",
        task,
        CLASSES,
        precision=precision,
        num_thresholds=num_thresholds,
        class_id=class_id,
    )


@metric(aliases=["SensitivityAtSpecificity"])
def sensitivity_at_specificity(
    task: Task,
    *,
    specificity: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best sensitivity where specificity is at least this."""
    return make(
        "SensitivityAtSpecificity",
        "sensitivity_at_specificity",
        task,
        CLASSES,
        specificity=specificity,
        num_thresholds=num_thresholds,
        class_id=class_id,
    )


@metric(aliases=["SpecificityAtSensitivity"])
def specificity_at_sensitivity(
    task: Task,
    *,
    sensitivity: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best specificity where sensitivity is at least this."""
    return make(
        "SpecificityAtSensitivity",
        "specificity_at_sensitivity",
        task,
        CLASSES,
        sensitivity=sensitivity,
        num_thresholds=num_thresholds,
        class_id=class_id,
    )


def _decision(task: Task, threshold: float | None) -> float | None:
    """Keras' None is the likeliest label, which says nothing where labels are not exclusive."""
    return 0.5 if threshold is None and task.kind in BY_LABEL else threshold


@metric(aliases=["F1Score"])
def f1_score(
    task: Task,
    *,
    average: Literal["micro", "macro", "weighted"] = "macro",
    threshold: Annotated[float, Gt(0), Le(1)] | None = None,
) -> object:
    """Harmonic mean of precision and recall; threshold null: the likeliest class, else 0.5."""
    decision = _decision(task, threshold)
    return make("F1Score", "f1_score", task, CLASSES, average=average, threshold=decision)


@metric(aliases=["FBetaScore", "f_beta_score"])
def fbeta_score(
    task: Task,
    *,
    average: Literal["micro", "macro", "weighted"] = "macro",
    beta: Annotated[float, Gt(0)] = 1.0,
    threshold: Annotated[float, Gt(0), Le(1)] | None = None,
) -> object:
    """f1_score with recall weighing `beta` times as much as precision."""
    return make(
        "FBetaScore",
        "fbeta_score",
        task,
        CLASSES,
        average=average,
        beta=beta,
        threshold=_decision(task, threshold),
    )


@metric(aliases=["BinaryIoU", "binary_io_u"])
def binary_iou(
    task: Task, *, target_class_ids: Sequence[ClassId] = (0, 1), threshold: Share = 0.5
) -> object:
    """Intersection over union of yes and of no, averaged."""
    return make(
        "BinaryIoU",
        "binary_iou",
        task,
        BY_LABEL,
        target_class_ids=tuple(target_class_ids),
        threshold=threshold,
    )


@metric(aliases=["IoU", "io_u"])
def iou(
    task: Task, *, target_class_ids: Sequence[ClassId], ignore_class: int | None = None
) -> object:
    """Intersection over union, averaged over the classes named."""
    return make(
        "IoU",
        "iou",
        task,
        BY_CLASS,
        num_classes=task.outputs,
        target_class_ids=tuple(target_class_ids),
        ignore_class=ignore_class,
        sparse_y_pred=False,
    )


@metric(aliases=["MeanIoU", "mean_io_u"])
def mean_iou(task: Task, *, ignore_class: int | None = None) -> object:
    """Intersection over union, averaged over all classes."""
    return make(
        "MeanIoU",
        "mean_iou",
        task,
        BY_CLASS,
        num_classes=task.outputs,
        ignore_class=ignore_class,
        sparse_y_pred=False,
    )


@metric(aliases=["OneHotIoU", "one_hot_io_u"])
def one_hot_iou(
    task: Task, *, target_class_ids: Sequence[ClassId], ignore_class: int | None = None
) -> object:
    """Intersection over union, averaged over the classes named, on one-hot targets."""
    return make(
        "OneHotIoU",
        "one_hot_iou",
        task,
        BY_CLASS,
        num_classes=task.outputs,
        target_class_ids=tuple(target_class_ids),
        ignore_class=ignore_class,
        sparse_y_pred=False,
    )


@metric(aliases=["OneHotMeanIoU", "one_hot_mean_io_u"])
def one_hot_mean_iou(task: Task, *, ignore_class: int | None = None) -> object:
    """Intersection over union, averaged over all classes, on one-hot targets."""
    return make(
        "OneHotMeanIoU",
        "one_hot_mean_iou",
        task,
        BY_CLASS,
        num_classes=task.outputs,
        ignore_class=ignore_class,
        sparse_y_pred=False,
    )
