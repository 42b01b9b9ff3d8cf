"""Keras' metrics, each with its own params.

Where the task has classes, the targets become one-hot, so that precision, recall, auc and the
like count every class against the rest. A metric is one number: params that would make it a
vector are left out (`average=None`, lists of thresholds), as are `axis` and `from_logits`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from runner import Task, metric

from .._targets import (  # noqa: TID252 - two kinds share it
    ALL,
    BY_CLASS,
    BY_LABEL,
    CLASSES,
    VALUES,
    VECTORS,
)
from ._keras import make

Share = Annotated[float, Ge(0), Le(1)]
Smoothing = Annotated[float, Ge(0), Lt(1)]
Threshold = Share | None
Count = Annotated[int, Ge(1)]
ClassId = Annotated[int, Ge(0)]
Thresholds = Annotated[int, Ge(3)]


@metric(aliases=["MeanSquaredError", "mean_squared_error", "MSE"])
def mse(task: Task) -> object:
    """Mean squared error; of probabilities where there are classes (Brier 1950)."""
    return make("MeanSquaredError", "mse", task, ALL)


@metric(aliases=["RootMeanSquaredError", "rmse"])
def root_mean_squared_error(task: Task) -> object:
    """Square root of the mean squared error."""
    return make("RootMeanSquaredError", "root_mean_squared_error", task, ALL)


@metric(aliases=["MeanAbsoluteError", "mean_absolute_error", "MAE"])
def mae(task: Task) -> object:
    """Mean absolute error; of probabilities where there are classes."""
    return make("MeanAbsoluteError", "mae", task, ALL)


@metric(aliases=["MeanAbsolutePercentageError", "mean_absolute_percentage_error", "MAPE"])
def mape(task: Task) -> object:
    """Mean absolute error in per cent of the target."""
    return make("MeanAbsolutePercentageError", "mape", task, VALUES)


@metric(aliases=["MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "MSLE"])
def msle(task: Task) -> object:
    """Mean squared error of log(1 + value)."""
    return make("MeanSquaredLogarithmicError", "msle", task, VALUES)


@metric(aliases=["LogCoshError", "logcosh"])
def log_cosh_error(task: Task) -> object:
    """Logarithm of the error's hyperbolic cosine."""
    return make("LogCoshError", "log_cosh_error", task, ALL)


@metric(aliases=["CosineSimilarity"])
def cosine_similarity(task: Task) -> object:
    """Cosine between targets and outputs."""
    return make("CosineSimilarity", "cosine_similarity", task, VECTORS)


@metric(aliases=["R2Score"])
def r2_score(
    task: Task,
    *,
    class_aggregation: Literal["uniform_average", "variance_weighted_average"] = "uniform_average",
    num_regressors: Annotated[int, Ge(0)] = 0,
) -> object:
    """Share of the variance that is explained; adjusted where `num_regressors` is given."""
    return make(
        "R2Score",
        "r2_score",
        task,
        VALUES,
        class_aggregation=class_aggregation,
        num_regressors=num_regressors,
    )


@metric(aliases=["PearsonCorrelation"])
def pearson_correlation(task: Task) -> object:
    """Correlation of targets and outputs among the values of one example (Pearson 1895)."""
    return make("PearsonCorrelation", "pearson_correlation", task, VECTORS)


@metric(aliases=["ConcordanceCorrelation"])
def concordance_correlation(task: Task) -> object:
    """Agreement of targets and outputs among the values of one example (Lin 1989)."""
    return make("ConcordanceCorrelation", "concordance_correlation", task, VECTORS)


@metric(aliases=["Poisson"])
def poisson(task: Task) -> object:
    """Negative log-likelihood of counts."""
    return make("Poisson", "poisson", task, VALUES)


@metric(aliases=["BinaryCrossentropy", "bce", "BCE"])
def binary_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of yes or no, for each label by itself."""
    return make(
        "BinaryCrossentropy",
        "binary_crossentropy",
        task,
        BY_LABEL,
        label_smoothing=label_smoothing,
    )


@metric(aliases=["CategoricalCrossentropy"])
def categorical_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of one class out of many."""
    return make(
        "CategoricalCrossentropy",
        "categorical_crossentropy",
        task,
        BY_CLASS,
        label_smoothing=label_smoothing,
    )


@metric(aliases=["SparseCategoricalCrossentropy"])
def sparse_categorical_crossentropy(task: Task, *, ignore_class: int | None = None) -> object:
    """Cross-entropy of one class out of many, the class given by its number."""
    return make(
        "SparseCategoricalCrossentropy",
        "sparse_categorical_crossentropy",
        task,
        BY_CLASS,
        ignore_class=ignore_class,
    )


@metric(aliases=["KLDivergence"])
def kl_divergence(task: Task) -> object:
    """Kullback-Leibler divergence of the outputs from the targets."""
    return make("KLDivergence", "kl_divergence", task, BY_CLASS)


@metric(aliases=["Hinge"])
def hinge(task: Task) -> object:
    """Hinge: max(0, 1 - target * output), the targets taken as -1 and 1."""
    return make("Hinge", "hinge", task, BY_LABEL)


@metric(aliases=["SquaredHinge"])
def squared_hinge(task: Task) -> object:
    """The square of hinge."""
    return make("SquaredHinge", "squared_hinge", task, BY_LABEL)


@metric(aliases=["CategoricalHinge"])
def categorical_hinge(task: Task) -> object:
    """Hinge between the right class and the best wrong one."""
    return make("CategoricalHinge", "categorical_hinge", task, BY_CLASS)


@metric(aliases=["BinaryAccuracy"])
def binary_accuracy(task: Task, *, threshold: Share = 0.5) -> object:
    """Share of right labels, each decided at a threshold."""
    return make("BinaryAccuracy", "binary_accuracy", task, BY_LABEL, threshold=threshold)


@metric(aliases=["CategoricalAccuracy"])
def categorical_accuracy(task: Task) -> object:
    """Share of examples whose likeliest class is the right one, on one-hot targets."""
    return make("CategoricalAccuracy", "categorical_accuracy", task, BY_CLASS)


@metric(aliases=["SparseCategoricalAccuracy"])
def sparse_categorical_accuracy(task: Task) -> object:
    """Share of examples whose likeliest class is the right one."""
    return make("SparseCategoricalAccuracy", "sparse_categorical_accuracy", task, BY_CLASS)


@metric(aliases=["TopKCategoricalAccuracy"])
def top_k_categorical_accuracy(task: Task, *, k: Count = 5) -> object:
    """Share of examples whose class is among the k likeliest, on one-hot targets."""
    return make("TopKCategoricalAccuracy", "top_k_categorical_accuracy", task, BY_CLASS, k=k)


@metric(aliases=["SparseTopKCategoricalAccuracy"])
def sparse_top_k_categorical_accuracy(task: Task, *, k: Count = 5) -> object:
    """Share of examples whose class is among the k likeliest."""
    return make(
        "SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", task, BY_CLASS, k=k
    )


@metric(aliases=["AUC"])
def auc(
    task: Task,
    *,
    num_thresholds: Annotated[int, Ge(2)] = 200,
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


@metric(aliases=["TruePositives"])
def true_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly yes."""
    return make("TruePositives", "true_positives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["TrueNegatives"])
def true_negatives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly no."""
    return make("TrueNegatives", "true_negatives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["FalsePositives"])
def false_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are wrongly yes."""
    return make("FalsePositives", "false_positives", task, CLASSES, thresholds=thresholds)


@metric(aliases=["FalseNegatives"])
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
