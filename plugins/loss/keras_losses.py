"""Keras' losses, each with its own params.

Outputs are probabilities or plain values and have the classes on the last axis, so Keras'
`from_logits` and `axis` are no params here. Nor is `reduction`: the loss of an epoch is the mean
over its examples, whatever trains it.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

from runner import Task, loss

from .._targets import ALL, BY_CLASS, BY_LABEL, CLASSES, VALUES
from ._keras import make

NotNegative = Annotated[float, Ge(0)]
Positive = Annotated[float, Gt(0)]
Share = Annotated[float, Ge(0), Le(1)]
Smoothing = Annotated[float, Ge(0), Lt(1)]


@loss(aliases=["MeanSquaredError", "mean_squared_error", "MSE"])
def mse(task: Task) -> object:
    """Mean squared error; of probabilities where there are classes (Brier 1950)."""
    return make("MeanSquaredError", "mse", ALL, locals())


@loss(aliases=["MeanAbsoluteError", "mean_absolute_error", "MAE"])
def mae(task: Task) -> object:
    """Mean absolute error; of probabilities where there are classes."""
    return make("MeanAbsoluteError", "mae", ALL, locals())


@loss(aliases=["MeanAbsolutePercentageError", "mean_absolute_percentage_error", "MAPE"])
def mape(task: Task) -> object:
    """Mean absolute error in per cent of the target."""
    return make("MeanAbsolutePercentageError", "mape", VALUES, locals())


@loss(aliases=["MeanSquaredLogarithmicError", "mean_squared_logarithmic_error", "MSLE"])
def msle(task: Task) -> object:
    """Mean squared error of log(1 + value)."""
    return make("MeanSquaredLogarithmicError", "msle", VALUES, locals())


@loss(aliases=["Huber"])
def huber(task: Task, *, delta: Positive = 1.0) -> object:
    """Squared up to `delta`, absolute beyond (Huber 1964).

    delta: in the targets' deviations where they are standardised (targets=standardize).
    doi:10.1214/aoms/1177703732.
    """
    return make("Huber", "huber", ALL, locals())


@loss(aliases=["LogCosh"])
def log_cosh(task: Task) -> object:
    """Logarithm of the error's hyperbolic cosine: a smooth Huber."""
    return make("LogCosh", "log_cosh", ALL, locals())


@loss(aliases=["CosineSimilarity"])
def cosine_similarity(task: Task) -> object:
    """Minus the cosine between targets and outputs."""
    return make("CosineSimilarity", "cosine_similarity", ALL, locals(), several=True)


@loss(aliases=["Poisson"])
def poisson(task: Task) -> object:
    """Negative log-likelihood of counts: output - target * log(output)."""
    return make("Poisson", "poisson", VALUES, locals())


@loss(aliases=["BinaryCrossentropy", "bce", "BCE"])
def binary_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of yes or no, for each label by itself."""
    return make("BinaryCrossentropy", "binary_crossentropy", BY_LABEL, locals())


@loss(aliases=["BinaryFocalCrossentropy"])
def binary_focal_crossentropy(
    task: Task,
    *,
    apply_class_balancing: bool = False,
    alpha: Share = 0.25,
    gamma: NotNegative = 2.0,
    label_smoothing: Smoothing = 0.0,
) -> object:
    """Binary cross-entropy that dwells on hard examples (Lin et al. 2017).

    arXiv:1708.02002.
    """
    return make("BinaryFocalCrossentropy", "binary_focal_crossentropy", BY_LABEL, locals())


@loss(aliases=["SparseCategoricalCrossentropy"])
def sparse_categorical_crossentropy(task: Task, *, ignore_class: int | None = None) -> object:
    """Cross-entropy of one class out of many, the class given by its number."""
    return make(
        "SparseCategoricalCrossentropy", "sparse_categorical_crossentropy", BY_CLASS, locals()
    )


@loss(aliases=["CategoricalCrossentropy"])
def categorical_crossentropy(task: Task, *, label_smoothing: Smoothing = 0.0) -> object:
    """Cross-entropy of one class out of many, on one-hot targets (made here)."""
    return make("CategoricalCrossentropy", "categorical_crossentropy", BY_CLASS, locals())


@loss(aliases=["CategoricalFocalCrossentropy"])
def categorical_focal_crossentropy(
    task: Task,
    *,
    alpha: Share = 0.25,
    gamma: NotNegative = 2.0,
    label_smoothing: Smoothing = 0.0,
) -> object:
    """Categorical cross-entropy that dwells on hard examples (Lin et al. 2017).

    arXiv:1708.02002.
    """
    return make(
        "CategoricalFocalCrossentropy", "categorical_focal_crossentropy", BY_CLASS, locals()
    )


@loss(aliases=["CategoricalGeneralizedCrossEntropy"])
def categorical_generalized_cross_entropy(
    task: Task, *, q: Annotated[float, Gt(0), Lt(1)] = 0.5
) -> object:
    """Between cross-entropy (q near 0) and MAE (q near 1), for noisy labels (Zhang 2018).

    arXiv:1805.07836.
    """
    return make(
        "CategoricalGeneralizedCrossEntropy",
        "categorical_generalized_cross_entropy",
        BY_CLASS,
        locals(),
    )


@loss(aliases=["KLDivergence", "kld", "KLD"])
def kl_divergence(task: Task) -> object:
    """Kullback-Leibler divergence of the outputs from the targets."""
    return make("KLDivergence", "kl_divergence", BY_CLASS, locals())


@loss(aliases=["Hinge"])
def hinge(task: Task) -> object:
    """Hinge: max(0, 1 - target * output), the targets taken as -1 and 1."""
    return make("Hinge", "hinge", BY_LABEL, locals())


@loss(aliases=["SquaredHinge"])
def squared_hinge(task: Task) -> object:
    """The square of hinge."""
    return make("SquaredHinge", "squared_hinge", BY_LABEL, locals())


@loss(aliases=["CategoricalHinge"])
def categorical_hinge(task: Task) -> object:
    """Hinge between the right class and the best wrong one."""
    return make("CategoricalHinge", "categorical_hinge", BY_CLASS, locals())


@loss(aliases=["Dice"])
def dice(task: Task) -> object:
    """1 - Dice's coefficient of targets and outputs, over the whole batch."""
    return make("Dice", "dice", CLASSES, locals())


@loss(aliases=["Tversky"])
def tversky(task: Task, *, alpha: NotNegative = 0.5, beta: NotNegative = 0.5) -> object:
    """Dice with weights for false positives and false negatives (Salehi et al. 2017).

    arXiv:1706.05721.
    """
    return make("Tversky", "tversky", CLASSES, locals())


@loss(aliases=["Circle"])
def circle(
    task: Task, *, gamma: Positive = 80.0, margin: Share = 0.4, remove_diagonal: bool = True
) -> object:
    """Pairs of one class together, others apart (Sun et al. 2020); for embeddings.

    arXiv:2002.10857.
    """
    return make("Circle", "circle", BY_CLASS, locals())


@loss(aliases=["CTC"])
def ctc(task: Task) -> object:
    """Connectionist temporal classification (Graves et al. 2006); no task here has sequences.

    doi:10.1145/1143844.1143891.
    """
    return make("CTC", "ctc", (), locals())
