"""The two processes of a search: one upon what other tasks taught, one without."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from . import gate
from .encode import quantiles
from .memory import remembered
from .prior import Prior
from .process import LENGTH, NOISE, SIGNAL, Posterior, Scales, fit

Array = NDArray[np.float64]

FITTED = 256
"""So many trials at most find the scales, evenly from first to last: it takes their cube."""


@dataclass(frozen=True)
class Models:
    """What the trials of a search say, upon other tasks and alone."""

    prior: Prior
    columns: Array
    """Of the trials (n, columns)."""
    losses: Array
    z: Array
    """Their quantiles (n,)."""
    place: tuple[float, float]
    """Where these lie among all trials of a task, as other tasks have it: middle and scale."""
    expected: Array
    """What other tasks expected of them (n, 1 + tasks)."""
    learned: Scales
    plain: Scales
    evidence: float | None
    """The difference of the logarithms of the evidence; None where it says nothing."""

    def at(self, codes: Array, expected: Array) -> tuple[Posterior, Posterior, Array]:
        """Both posteriors at candidates, and what other tasks expect: (candidates, 1 + tasks).

        expected: the same, as far as it is known; NaN where it is not.
        """
        columns = self.prior.encoding.columns(codes)
        groups = self.prior.encoding.groups
        expected = expected.copy()
        unknown = np.isnan(expected[:, 0])
        expected[unknown] = self.prior.expect(columns[unknown])
        learned = Posterior(
            self.learned,
            groups,
            np.hstack([self.columns, self.expected[:, 1:]]),
            self.place[0] + self.place[1] * self.z - self.expected[:, 0],
            np.hstack([columns, expected[:, 1:]]),
        )
        if self.prior.network is None:
            return learned, learned, expected
        plain = Posterior(self.plain, groups, self.columns, self.z, columns)
        return learned, plain, expected

    def best(self, posterior: Posterior, expected: Array, learned: bool) -> float:
        """The lowest mean of a trial: not the lowest outcome, which noise makes.

        Before the first trial, the lowest that other tasks expect of the candidates.
        """
        if not len(self.z):
            return float(np.min(expected)) if learned else 0.0
        return float(np.min(posterior.fitted + (self.expected[:, 0] if learned else 0.0)))


def models(prior: Prior, tried: Array, losses: Array) -> Models:
    """Both processes for the trials: codes (n, dimensions) and losses (n,)."""
    columns = prior.encoding.columns(tried)
    expected = prior.expect(columns)
    learned = _scales(prior, columns, losses, learned=True)
    plain = _scales(prior, columns, losses, learned=False) if prior.network else learned
    has_evidence = prior.network is not None and len(losses) >= gate.FROM
    evidence = learned.evidence - plain.evidence if has_evidence else None
    place = prior.place(columns)
    z = quantiles(losses)
    return Models(prior, columns, losses, z, place, expected, learned, plain, evidence)


def _scales(prior: Prior, columns: Array, losses: Array, learned: bool) -> Scales:
    """The scales by the trials up to the last refit, anew ranked among themselves."""
    count = gate.refit_at(len(losses))
    rows = np.linspace(0, count - 1, min(count, FITTED)).astype(int)
    columns, losses, count = columns[rows], losses[rows], len(rows)
    if count < 2:
        dimensions = len(prior.encoding.dimensions)
        return Scales(
            np.full(dimensions, np.exp(LENGTH[0])), np.exp(SIGNAL[0]), np.exp(NOISE[0]), 0.0
        )

    def fitted() -> Scales:
        z, groups = quantiles(losses), prior.encoding.groups
        if not learned:
            return fit(columns, groups, z)
        expected = prior.expect(columns)
        middle, scale = prior.place(columns)
        scales = fit(
            np.hstack([columns, expected[:, 1:]]), groups, middle + scale * z - expected[:, 0]
        )
        # The density of z itself, to be compared with that of the process alone.
        return replace(scales, evidence=scales.evidence + count * np.log(scale))

    key = ("scales", prior, columns.tobytes(), losses.tobytes(), learned)
    return remembered(key, fitted)
