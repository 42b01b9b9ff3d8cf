"""Keras' metrics, each with its own params.

Outputs are probabilities or plain values and have the classes on the last axis, so Keras'
`from_logits` and `axis` are no params here. Where the task has classes and Keras does not take
them by their numbers, targets become one-hot: an error is one of probabilities, and every class
counts against the rest. A metric is one number: params that would make it a vector are left out
(`average=None`, lists of thresholds).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from runner import Task, metric

from .._targets import ALL, BY_CLASS, BY_LABEL, CLASSES, VALUES
from ._keras import make

Share = Annotated[float, Ge(0), Le(1)]
Smoothing = Annotated[float, Ge(0), Lt(1)]
Threshold = Share | None
Count = Annotated[int, Ge(1)]
ClassId = Annotated[int, Ge(0)]
Thresholds = Annotated[int, Ge(2)]

# --- How far outputs are from targets ------------------------------------------------------------


@metric(aliases=["MeanSquaredError", "mean_squared_error", "MSE"])
def mse(task: Task) -> object:
    """Mean squared error; of probabilities where there are classes (Brier 1950)."""
    return make("MeanSquaredError", "mse", ALL, locals())


@metric(aliases=["RootMeanSquaredError", "rmse"])
def root_mean_squared_error(task: Task) -> object:
    """Square root of the mean squared error."""
    return make("RootMeanSquaredError", "root_mean_squared_error", ALL, locals())


@metric(aliases=["MeanAbsoluteError", "mean_absolute_error", "MAE"])
def mae(task: Task) -> object:
    """Mean absolute error; of probabilities where there are classes."""
    return make("MeanAbsoluteError", "mae", ALL, locals())


@metric(aliases=["MeanAbsolutePercentageError", "mean_absolute_percentage_error", "MAPE"])
def mape(task: Task) -> object:
    """Mean absolute error in per cent of the target."""
    return make("MeanAbsolutePercentageError", "mape", VALUES, locals())


@metric(aliases=["MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "MSLE"])
def msle(task: Task) -> object:
    """Mean squared error of log(1 + value)."""
    return make("MeanSquaredLogarithmicError", "msle", VALUES, locals())


@metric(aliases=["LogCoshError", "logcosh"])
def log_cosh_error(task: Task) -> object:
    """Logarithm of the error's hyperbolic cosine."""
    return make("LogCoshError", "log_cosh_error", ALL, locals())


@metric(aliases=["CosineSimilarity"])
def cosine_similarity(task: Task) -> object:
    """Cosine between targets and outputs."""
    return make("CosineSimilarity", "cosine_similarity", ALL, locals(), several=True)


@metric(aliases=["R2Score"])
def r2_score(
    task: Task,
    *,
    class_aggregation: Literal["uniform_average", "variance_weighted_average"] = "uniform_average",
    num_regressors: Annotated[int, Ge(0)] = 0,
) -> object:
    """Share of the variance that is explained; adjusted where `num_regressors` is given."""
    return make("R2Score", "r2_score", VALUES, locals())


@metric(aliases=["PearsonCorrelation"])
def pearson_correlation(task: Task) -> object:
    """Correlation of targets and outputs among the values of one example (Pearson 1895).

    doi:10.1098/rspl.1895.0041.
    """
    return make("PearsonCorrelation", "pearson_correlation", VALUES, locals(), several=True)


@metric(aliases=["ConcordanceCorrelation"])
def concordance_correlation(task: Task) -> object:
    """Agreement of targets and outputs among the values of one example (Lin 1989).

    doi:10.2307/2532051.
    """
    return make(
        "ConcordanceCorrelation", "concordance_correlation", VALUES, locals(), several=True
    )


@metric(aliases=["Poisson"])
def poisson(task: Task) -> object:
    """Negative log-likelihood of counts."""
    return make("Poisson", "poisson", VALUES, locals())


# --- Classes -------------------------------------------------------------------------------------


@metric(aliases=["BinaryCrossentropy", "bce", "BCE"])
def binary_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of yes or no, for each label by itself."""
    return make("BinaryCrossentropy", "binary_crossentropy", BY_LABEL, locals())


@metric(aliases=["CategoricalCrossentropy"])
def categorical_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of one class out of many."""
    return make("CategoricalCrossentropy", "categorical_crossentropy", BY_CLASS, locals())


@metric(aliases=["SparseCategoricalCrossentropy"])
def sparse_categorical_crossentropy(task: Task, *, ignore_class: int | None = None) -> object:
    """Cross-entropy of one class out of many, the class given by its number."""
    return make(
        "SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", BY_CLASS, locals()
    )


@metric(aliases=["KLDivergence"])
def kl_divergence(task: Task) -> object:
    """Kullback-Leibler divergence of the outputs from the targets."""
    return make("KLDivergence", "kl_divergence", BY_CLASS, locals())


@metric(aliases=["Hinge"])
def hinge(task: Task) -> object:
    """Hinge: max(0, 1 - target * output), the targets taken as -1 and 1."""
    return make("Hinge", "hinge", BY_LABEL, locals())


@metric(aliases=["SquaredHinge"])
def squared_hinge(task: Task) -> object:
    """The square of hinge."""
    return make("SquaredHinge", "squared_hinge", BY_LABEL, locals())


@metric(aliases=["CategoricalHinge"])
def categorical_hinge(task: Task) -> object:
    """Hinge between the right class and the best wrong one."""
    return make("CategoricalHinge", "categorical_hinge", BY_CLASS, locals())


@metric(aliases=["BinaryAccuracy"])
def binary_accuracy(task: Task, *, threshold: Share = 0.5) -> object:
    """Share of right labels, each decided at a threshold."""
    return make("BinaryAccuracy", "binary_accuracy", BY_LABEL, locals())


@metric(aliases=["CategoricalAccuracy"])
def categorical_accuracy(task: Task) -> object:
    """Share of examples whose likeliest class is the right one, on one-hot targets."""
    return make("CategoricalAccuracy", "categorical_accuracy", BY_CLASS, locals())


@metric(aliases=["SparseCategoricalAccuracy"])
def sparse_categorical_accuracy(task: Task) -> object:
    """Share of examples whose likeliest class is the right one."""
    return make("SparseCategoricalAccuracy", "sparse_categorical_accuracy", BY_CLASS, locals())


@metric(aliases=["TopKCategoricalAccuracy"])
def top_k_categorical_accuracy(task: Task, *, k: Count = 5) -> object:
    """Share of examples whose class is among the k likeliest, on one-hot targets."""
    return make("TopKCategoricalAccuracy", "top_k_categorical_accuracy", BY_CLASS, locals())


@metric(aliases=["SparseTopKCategoricalAccuracy"])
def sparse_top_k_categorical_accuracy(task: Task, *, k: Count = 5) -> object:
    """Share of examples whose class is among the k likeliest."""
    return make(
        "SparseTopKCategoricalAccuracy", "sparse_top_k_categorical_accuracy", BY_CLASS, locals()
    )


# --- Counts of what is found and what is missed --------------------------------------------------


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
    return make("AUC", "auc", CLASSES, locals(), num_labels=task.outputs if multi_label else None)


@metric(aliases=["Precision"])
def precision(
    task: Task,
    *,
    thresholds: Threshold = None,
    top_k: Count | None = None,
    class_id: ClassId | None = None,
) -> object:
    """Share of the answers yes that are right, at a threshold of 0.5 or in the top k."""
    return make("Precision", "precision", CLASSES, locals())


@metric(aliases=["Recall"])
def recall(
    task: Task,
    *,
    thresholds: Threshold = None,
    top_k: Count | None = None,
    class_id: ClassId | None = None,
) -> object:
    """Share of what is true that is found, at a threshold of 0.5 or in the top k."""
    return make("Recall", "recall", CLASSES, locals())


@metric(aliases=["TruePositives"], mode="max")
def true_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly yes."""
    return make("TruePositives", "true_positives", CLASSES, locals())


@metric(aliases=["TrueNegatives"], mode="max")
def true_negatives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are rightly no."""
    return make("TrueNegatives", "true_negatives", CLASSES, locals())


@metric(aliases=["FalsePositives"], mode="min")
def false_positives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are wrongly yes."""
    return make("FalsePositives", "false_positives", CLASSES, locals())


@metric(aliases=["FalseNegatives"], mode="min")
def false_negatives(task: Task, *, thresholds: Threshold = None) -> object:
    """How many are wrongly no."""
    return make("FalseNegatives", "false_negatives", CLASSES, locals())


@metric(aliases=["PrecisionAtRecall"])
def precision_at_recall(
    task: Task,
    *,
    recall: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best precision where recall is at least this."""
    return make("PrecisionAtRecall", "precision_at_recall", CLASSES, locals())


@metric(aliases=["RecallAtPrecision"])
def recall_at_precision(
    task: Task,
    *,
    precision: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best recall where precision is at least this."""
    return make("RecallAtPrecision", "recall_at_precision", CLASSES, locals())


@metric(aliases=["SensitivityAtSpecificity"])
def sensitivity_at_specificity(
    task: Task,
    *,
    specificity: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best sensitivity where specificity is at least this."""
    return make("SensitivityAtSpecificity", "sensitivity_at_specificity", CLASSES, locals())


@metric(aliases=["SpecificityAtSensitivity"])
def specificity_at_sensitivity(
    task: Task,
    *,
    sensitivity: Share,
    num_thresholds: Thresholds = 200,
    class_id: ClassId | None = None,
) -> object:
    """The best specificity where sensitivity is at least this."""
    return make("SpecificityAtSensitivity", "specificity_at_sensitivity", CLASSES, locals())


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
    threshold = _decision(task, threshold)
    return make("F1Score", "f1_score", CLASSES, locals())


@metric(aliases=["FBetaScore", "f_beta_score"])
def fbeta_score(
    task: Task,
    *,
    average: Literal["micro", "macro", "weighted"] = "macro",
    beta: Annotated[float, Gt(0)] = 1.0,
    threshold: Annotated[float, Gt(0), Le(1)] | None = None,
) -> object:
    """f1_score with recall weighing `beta` times as much as precision."""
    threshold = _decision(task, threshold)
    return make("FBetaScore", "fbeta_score", CLASSES, locals())


@metric(aliases=["BinaryIoU", "binary_io_u"])
def binary_iou(
    task: Task, *, target_class_ids: Sequence[ClassId] = (0, 1), threshold: Share = 0.5
) -> object:
    """Intersection over union of yes and of no, averaged."""
    return make(
        "BinaryIoU", "binary_iou", BY_LABEL, locals(), target_class_ids=tuple(target_class_ids)
    )


@metric(aliases=["IoU", "io_u"])
def iou(
    task: Task, *, target_class_ids: Sequence[ClassId], ignore_class: int | None = None
) -> object:
    """Intersection over union, averaged over the classes named."""
    return make(
        "IoU",
        "iou",
        BY_CLASS,
        locals(),
        num_classes=task.outputs,
        target_class_ids=tuple(target_class_ids),
        sparse_y_pred=False,
    )


@metric(aliases=["MeanIoU", "mean_io_u"])
def mean_iou(task: Task, *, ignore_class: int | None = None) -> object:
    """Intersection over union, averaged over all classes."""
    return make(
        "MeanIoU", "mean_iou", BY_CLASS, locals(), num_classes=task.outputs, sparse_y_pred=False
    )


@metric(aliases=["OneHotIoU", "one_hot_io_u"])
def one_hot_iou(
    task: Task, *, target_class_ids: Sequence[ClassId], ignore_class: int | None = None
) -> object:
    """Intersection over union, averaged over the classes named, on one-hot targets."""
    return make(
        "OneHotIoU",
        "one_hot_iou",
        BY_CLASS,
        locals(),
        num_classes=task.outputs,
        target_class_ids=tuple(target_class_ids),
        sparse_y_pred=False,
    )


@metric(aliases=["OneHotMeanIoU", "one_hot_mean_io_u"])
def one_hot_mean_iou(task: Task, *, ignore_class: int | None = None) -> object:
    """Intersection over union, averaged over all classes, on one-hot targets."""
    return make(
        "OneHotMeanIoU",
        "one_hot_mean_iou",
        BY_CLASS,
        locals(),
        num_classes=task.outputs,
        sparse_y_pred=False,
    )
