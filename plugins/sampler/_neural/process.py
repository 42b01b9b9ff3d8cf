"""A Gaussian process over the columns of configurations, its scales found by their posterior.

Covariance: Matérn-5/2 with one length scale a dimension (Rasmussen and Williams 2006, eq. 4.17),
a constant of variance 1, and a linear function, with weights of variance 1, of what columns there
are beyond those of the dimensions. The scales are the maximum of likelihood times log-normal
priors, by L-BFGS with analytic gradients (ibid., eq. 5.9). All outcomes are Gaussian quantiles, so
that the priors need no units.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
ROOT5 = np.sqrt(5.0)
LENGTH, SIGNAL, NOISE = (np.log(1.5), 0.8), (np.log(0.3), 1.0), (np.log(0.03), 1.0)
"""Mean and deviation of the logarithms of length scales and of the variances, a priori."""
SMALLEST = 1e-10
"""Of a variance, so that its root and its inverse are sound."""
LONGEST = 25
"""How many steps the search for the scales may take."""


@dataclass(frozen=True)
class Scales:
    """What a fit found."""

    lengths: Array
    """(dimensions,)"""
    signal: float
    noise: float
    """Variances."""
    evidence: float
    """The logarithm of the likelihood times the priors of the scales, at its maximum."""


def fit(columns: Array, groups: NDArray[np.intp], residuals: Array) -> Scales:
    """Find the scales: columns (n, columns), groups (columns that are of dimensions,),
    residuals (n,)."""
    from scipy.optimize import minimize

    dimensions = int(groups.max()) + 1
    squares = _squares(columns[:, : len(groups)], groups, dimensions)
    linear = 1 + columns[:, len(groups) :] @ columns[:, len(groups) :].T
    means = np.array([LENGTH[0]] * dimensions + [SIGNAL[0], NOISE[0]])
    deviations = np.array([LENGTH[1]] * dimensions + [SIGNAL[1], NOISE[1]])

    def objective(theta: Array) -> tuple[float, Array]:
        value, gradient = _likelihood(theta, squares, linear, residuals)
        off = (theta - means) / deviations
        return -value + 0.5 * off @ off, -gradient + off / deviations

    result = minimize(
        objective,
        means,
        jac=True,
        method="L-BFGS-B",
        bounds=list(zip(means - 4 * deviations, means + 4 * deviations, strict=True)),
        options={"maxiter": LONGEST, "ftol": 1e-5, "gtol": 1e-3},
    )
    lengths, signal, noise = result.x[:-2], result.x[-2], result.x[-1]
    return Scales(np.exp(lengths), float(np.exp(signal)), float(np.exp(noise)), -float(result.fun))


def _likelihood(
    theta: Array, squares: Array, linear: Array, residuals: Array
) -> tuple[float, Array]:
    """The logarithm of the likelihood (without its constant), and its gradient by theta."""
    from scipy.linalg import lapack

    n = len(residuals)
    inverse = np.exp(-2 * theta[:-2])
    signal, noise = np.exp(theta[-2]), np.exp(theta[-1])
    distance = np.sqrt((inverse @ squares).reshape(n, n))
    decay = np.exp(-ROOT5 * distance)
    matern = signal * (1 + ROOT5 * distance + 5 / 3 * distance**2) * decay
    covariance = matern + linear
    covariance.flat[:: n + 1] += noise
    factor, failed = lapack.dpotrf(covariance, lower=1)
    if failed:
        return -1e10, np.zeros_like(theta)
    weights = lapack.dpotrs(factor, residuals, lower=1)[0]
    inverted = lapack.dpotri(factor, lower=1)[0]
    inverted = np.tril(inverted) + np.tril(inverted, -1).T
    value = -0.5 * residuals @ weights - np.log(np.diag(factor)).sum()
    pull = np.outer(weights, weights) - inverted
    slope = 5 / 3 * signal * (1 + ROOT5 * distance) * decay
    gradient = np.empty_like(theta)
    gradient[:-2] = 0.5 * inverse * (squares @ (pull * slope).ravel())
    gradient[-2] = 0.5 * np.sum(pull * matern)
    gradient[-1] = 0.5 * noise * np.trace(pull)
    return float(value), gradient


class Posterior:
    """The process at candidates, given trials; it may come to believe candidates.

    mean, variance: of the function, without noise, of each candidate (m,).
    """

    def __init__(
        self,
        scales: Scales,
        groups: NDArray[np.intp],
        columns: Array,
        residuals: Array,
        candidates: Array,
    ) -> None:
        """Trials are columns (n, c) and residuals (n,), candidates are columns (m, c)."""
        from scipy.linalg import cholesky, solve_triangular

        self._scales = scales
        self._weights = 1 / scales.lengths[groups]
        self._candidates = candidates
        linear = candidates[:, len(groups) :]
        self.variance = scales.signal + 1 + np.sum(linear * linear, axis=1)
        self.mean = np.zeros(len(candidates))
        self.fitted = np.zeros(len(columns))
        """The mean at the trials themselves (n,)."""
        # Rows are independent parts of what the trials say of the candidates.
        self._known: Array = np.zeros((0, len(candidates)))
        if not len(columns):
            return
        noise = scales.noise * np.eye(len(columns))
        factor = cholesky(self._covariance(columns, columns) + noise, lower=True)
        cross = self._covariance(columns, candidates)
        self._known = solve_triangular(factor, cross, lower=True, check_finite=False)
        white = solve_triangular(factor, residuals, lower=True, check_finite=False)
        weights = solve_triangular(factor, white, lower=True, trans=1, check_finite=False)
        self.mean = self._known.T @ white
        self.variance = np.maximum(self.variance - np.sum(self._known**2, axis=0), SMALLEST)
        self.fitted = residuals - scales.noise * weights

    def believe(self, index: int) -> None:
        """Take a candidate for tried, its outcome as expected, so that the mean stays.

        Kriging believer, Ginsbourger et al. 2010, doi:10.1007/978-3-642-10701-6_6.
        """
        here = self._candidates[index : index + 1]
        covariance = self._covariance(here, self._candidates)[0]
        covariance -= self._known[:, index] @ self._known
        row = covariance / np.sqrt(max(covariance[index], SMALLEST) + self._scales.noise)
        self._known = np.vstack([self._known, row])
        self.variance = np.maximum(self.variance - row**2, SMALLEST)

    def cut(self, count: int) -> None:
        """Keep the first candidates only."""
        self._candidates, self._known = self._candidates[:count], self._known[:, :count]
        self.mean, self.variance = self.mean[:count], self.variance[:count]

    def _covariance(self, left: Array, right: Array) -> Array:
        count = len(self._weights)
        a, b = left[:, :count] * self._weights, right[:, :count] * self._weights
        squares = np.sum(a * a, axis=1)[:, None] + np.sum(b * b, axis=1) - 2 * a @ b.T
        distance = np.sqrt(np.maximum(squares, 0))
        matern = (1 + ROOT5 * distance + 5 / 3 * distance**2) * np.exp(-ROOT5 * distance)
        covariance: Array = self._scales.signal * matern + 1
        if left.shape[1] > count:
            covariance += left[:, count:] @ right[:, count:].T
        return covariance


def log_expected_improvement(mean: Array, variance: Array, best: float) -> Array:
    """The logarithm of how much below `best` is expected (Jones et al. 1998; arXiv:2310.20708)."""
    from scipy.special import erfcx, ndtr

    deviation = np.sqrt(variance)
    u = (best - mean) / deviation
    density = np.exp(-0.5 * np.minimum(u * u, 1400)) / np.sqrt(2 * np.pi)
    with np.errstate(divide="ignore", invalid="ignore"):
        near = np.log(density + u * ndtr(u))
        tail = 1 + u * np.sqrt(np.pi / 2) * erfcx(-u / np.sqrt(2))
        # Far out, 1 / u^2 of it is left after all has cancelled.
        tail = np.log(np.where(u < -1e3, 1 / np.maximum(u * u, 1e-30), np.maximum(tail, 1e-300)))
        far = -0.5 * u * u - 0.5 * np.log(2 * np.pi) + tail
    result: Array = np.log(deviation) + np.where(u > -1, near, far)
    return result


def _squares(columns: Array, groups: NDArray[np.intp], dimensions: int) -> Array:
    """Squared differences summed over each dimension's columns: (dimensions, n * n)."""
    n = len(columns)
    squares = np.zeros((dimensions, n * n))
    for column, group in zip(columns.T, groups, strict=True):
        squares[group] += ((column[:, None] - column) ** 2).ravel()
    return squares
