"""Keras' metrics of how far outputs are from targets, each with its own params.

Where the task has classes, targets become one-hot and the errors are those of probabilities.
"""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from runner import Task, metric

from .._targets import ALL, VALUES
from ._keras import make


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
    return make("CosineSimilarity", "cosine_similarity", task, ALL, several=True)


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
    return make("PearsonCorrelation", "pearson_correlation", task, VALUES, several=True)


@metric(aliases=["ConcordanceCorrelation"])
def concordance_correlation(task: Task) -> object:
    """Agreement of targets and outputs among the values of one example (Lin 1989)."""
    return make("ConcordanceCorrelation", "concordance_correlation", task, VALUES, several=True)


@metric(aliases=["Poisson"])
def poisson(task: Task) -> object:
    """Negative log-likelihood of counts."""
    return make("Poisson", "poisson", task, VALUES)
