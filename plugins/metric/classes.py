"""Keras' accuracies and class losses as metrics, each with its own params.

Outputs are probabilities with the classes on the last axis, so Keras' `from_logits` and `axis`
are no params here.
"""

from __future__ import annotations

from typing import Annotated

from annotated_types import Ge, Le, Lt

from runner import Task, metric

from .._targets import BY_CLASS, BY_LABEL
from ._keras import make

Share = Annotated[float, Ge(0), Le(1)]
Smoothing = Annotated[float, Ge(0), Lt(1)]
Count = Annotated[int, Ge(1)]


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
