"""A Gaussian process of scikit-learn over configurations, with priors that hold for any search."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner import Dimension, Params, Space, Trial

Array = NDArray[np.float64]

STEPS = 20
"""So many steps of L-BFGS; no suggestion shows what more of them gain."""
SCALE, LENGTH, NOISE = (1.0, 1.0), (1.5, 0.8), (0.03, 1.0)
"""Priors, where numbers lie in -1 to 1 and outcomes are quantiles: the median of each, and the
deviation of its logarithm."""


def quantiles(trials: Sequence[Trial]) -> Array:
    """The outcomes by their rank, as quantiles of a Gaussian; what breaks a constraint is last."""
    outcomes = [(0.0, one.values[0]) if one.feasible else (_broken(one), 0.0) for one in trials]
    order = {outcome: place for place, outcome in enumerate(sorted(set(outcomes)))}
    places = np.array([order[outcome] for outcome in outcomes])
    # Those that tie share the middle of their ranks.
    counts = np.bincount(places)
    middles = (np.cumsum(counts) - counts / 2) / len(trials)
    gaussian = statistics.NormalDist()
    values: Array = np.array([gaussian.inv_cdf(middle) for middle in middles])[places]
    return values


def _broken(trial: Trial) -> float:
    """How far the constraints are broken, all together."""
    broken = sum(max(violation, 0.0) for violation in trial.violations)
    return math.inf if math.isnan(broken) else broken


def encode(space: Space, configurations: Sequence[Params]) -> Array:
    """The configurations as rows: numbers in -1 to 1, choices one-hot.

    Any two choices are as far from one another as the two ends of a number; a param that does not
    count lies in the middle.
    """
    shape = len(configurations)
    columns = []
    for dimension in space:
        name = dimension.name
        rows = [row for row, params in enumerate(configurations) if name in params]
        values = [configurations[row][name] for row in rows]
        if _is_one_hot(dimension):
            column = np.zeros((shape, len(dimension.choices)))
            column[rows, [dimension.choices.index(value) for value in values]] = math.sqrt(2)
        else:
            column = np.zeros((shape, 1))
            column[rows, 0] = [2 * dimension.place(value) - 1 for value in values]
        columns.append(column)
    return np.concatenate(columns, axis=1)


def _is_one_hot(dimension: Dimension) -> bool:
    return dimension.kind == "choice" and not dimension.ordered


def _widths(space: Space) -> list[int]:
    """How many columns each param has."""
    return [len(one.choices) if _is_one_hot(one) else 1 for one in space]


def fit(space: Space, rows: Array, outcomes: Array) -> Any:
    """A process of scikit-learn, its kernel the likeliest under the priors."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    widths = _widths(space)
    bounds = (1e-6, 1e6)
    lengths = Matern([LENGTH[0]] * sum(widths), bounds, nu=2.5)
    kernel = ConstantKernel(SCALE[0], bounds) * lengths + WhiteKernel(NOISE[0], bounds)
    process = GaussianProcessRegressor(kernel, optimizer=_likeliest(widths))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return process.fit(rows, outcomes)


def _likeliest(widths: Sequence[int]) -> Callable[..., tuple[Array, float]]:
    """What searches the kernel's params, their logarithms: the columns of a param share one."""
    shared = np.repeat(np.arange(len(widths)) + 1, widths)
    places = np.concatenate([[0], shared, [len(widths) + 1]])
    priors = np.array([SCALE, *[LENGTH] * len(widths), NOISE])
    middles, deviations = np.log(priors[:, 0]), priors[:, 1]

    def search(objective: Any, start: Array, bounds: Array) -> tuple[Array, float]:
        from scipy.optimize import minimize

        def loss(few: Array) -> tuple[float, Array]:
            value, slope = objective(few[places])
            away = (few - middles) / deviations
            gradient = np.bincount(places, slope, len(few)) + away / deviations
            return value + away @ away / 2, gradient

        found = minimize(
            loss,
            middles,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": STEPS},
            bounds=[(middle - 7, middle + 7) for middle in middles],
        )
        return found.x[places], found.fun

    return search


@dataclass
class Posterior:
    """What is expected of candidates, and how they hang together."""

    mean: Array  # (candidates,)
    covariance: Array  # (candidates, candidates)
    noise: float

    @classmethod
    def of(cls, process: Any, rows: Array) -> Posterior:
        mean, covariance = process.predict(rows, return_cov=True)
        noise = float(process.kernel_.k2.noise_level)
        return cls(mean, covariance - noise * np.eye(len(rows)), noise)

    @property
    def deviation(self) -> Array:
        return np.sqrt(np.maximum(np.diag(self.covariance), 1e-12))

    def believe(self, place: int) -> None:
        """Take it that a candidate comes out as expected: what is expected of others stays."""
        column = self.covariance[:, place]
        self.covariance = self.covariance - np.outer(column, column) / (column[place] + self.noise)

    def improvement(self, best: float) -> Array:
        """The logarithm of the expected improvement on an outcome, of each candidate."""
        from scipy.special import erfcx

        deviation = self.deviation
        far = np.maximum((self.mean - best) / deviation, -25.0)
        # phi(far) - far * Phi(-far), which is 0 in floating point long before its logarithm is.
        ratio = math.sqrt(math.pi / 2) * erfcx(far / math.sqrt(2))
        part = np.maximum(1 - far * ratio, 1e-300)
        logarithm: Array = np.log(deviation * part) - far**2 / 2
        return logarithm - math.log(2 * math.pi) / 2
