"""An ensemble of small networks, trained on the outcomes of other tasks, in plain NumPy.

Each member has two layers of 64 SiLU units (arXiv:1702.03118), a head for the mean and the
logarithm of the deviation of an outcome whatever the task (Gaussian likelihood, as in deep
ensembles, arXiv:1612.01474), and one linear head a past task (squared error). All members are
trained at once, as products of stacks of matrices: (members, rows, units).
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

Single = NDArray[np.float32]
MEMBERS, UNITS, STEPS, BATCH = 5, 64, 300, 256
RATE, DECAY = 5e-3, 1e-3
LOWEST, HIGHEST = -3.0, 1.0
"""Bounds of the logarithm of the deviation."""


@dataclass(frozen=True)
class Network:
    """The weights and biases of three layers, each a stack of all members'."""

    layers: tuple[tuple[Single, Single], ...]

    def predict(self, columns: NDArray[np.float64]) -> tuple[Single, Single, Single]:
        """Mean (rows,) and deviation (rows,) of the outcome, and one a task (rows, tasks).

        The deviation is that of the mixture of the members: what each says of the noise, and how
        far they are from each other.
        """
        outputs = _forward(self.layers, columns.astype(np.float32)[None])[-1]
        means = outputs[:, :, 0]
        variances = np.exp(2 * np.clip(outputs[:, :, 1], LOWEST, HIGHEST))
        deviation = np.sqrt(variances.mean(0) + means.var(0))
        return means.mean(0), deviation, outputs[:, :, 2:].mean(0)


def train(
    columns: NDArray[np.float64],
    outcomes: NDArray[np.float64],
    tasks: NDArray[np.intp],
    rng: np.random.Generator,
) -> Network:
    """Train the ensemble: columns (rows, columns), outcomes (rows,), tasks (rows,) from 0.

    AdamW (arXiv:1711.05101) over one cycle of the learning rate (arXiv:1708.07120).
    """
    heads = int(tasks.max()) + 1
    x, z = columns.astype(np.float32), outcomes.astype(np.float32)
    layers = _initial((x.shape[1], UNITS, UNITS, 2 + heads), rng)
    values = [value for layer in layers for value in layer]
    first = [np.zeros_like(value) for value in values]
    second = [np.zeros_like(value) for value in values]
    for step in range(1, STEPS + 1):
        rate = one_cycle(step - 1)
        rows = rng.integers(len(x), size=(MEMBERS, BATCH))
        gradients = _gradients(_paired(values), x[rows], z[rows], tasks[rows])
        for value, gradient, m, v in zip(values, gradients, first, second, strict=True):
            m += 0.1 * (gradient - m)
            v += 0.001 * (gradient * gradient - v)
            scale = np.float32(rate / (1 - 0.9**step))
            value *= np.float32(1 - rate * DECAY)
            value -= scale * m / (np.sqrt(v / np.float32(1 - 0.999**step)) + np.float32(1e-8))
    return Network(_paired(values))


def one_cycle(step: int) -> float:
    """The learning rate: up for 30 % of the steps, then down to nothing, both by a cosine."""
    peak = 0.3 * STEPS - 1
    if step <= peak:
        return _cosine(RATE / 25, RATE, step / peak)
    return _cosine(RATE, RATE / 25e4, (step - peak) / (STEPS - 1 - peak))


def _cosine(start: float, end: float, share: float) -> float:
    return float(end + (start - end) * (1 + np.cos(np.pi * share)) / 2)


def _initial(
    sizes: tuple[int, ...], rng: np.random.Generator
) -> tuple[tuple[Single, Single], ...]:
    return tuple(
        (
            (rng.standard_normal((MEMBERS, inputs, units)) / np.sqrt(inputs)).astype(np.float32),
            np.zeros((MEMBERS, 1, units), np.float32),
        )
        for inputs, units in pairwise(sizes)
    )


def _paired(values: list[Single]) -> tuple[tuple[Single, Single], ...]:
    return tuple(zip(values[::2], values[1::2], strict=True))


def _forward(layers: tuple[tuple[Single, Single], ...], x: Single) -> list[Single]:
    """The input, then of each hidden layer its sums, their sigmoid and its output; the outputs."""
    values = [x]
    for weights, biases in layers[:-1]:
        sums = values[-1] @ weights + biases
        sigmoid = 1 / (1 + np.exp(-sums))
        values += [sums, sigmoid, sums * sigmoid]
    weights, biases = layers[-1]
    return [*values, values[-1] @ weights + biases]


def _gradients(
    layers: tuple[tuple[Single, Single], ...], x: Single, z: Single, tasks: NDArray[np.intp]
) -> list[Single]:
    """Those of the mean loss of a batch, in the order of the values.

    x (members, rows, columns), z and tasks (members, rows).
    """
    values = _forward(layers, x)
    outputs = values[-1]
    rows = z.shape[1]
    mean, log_deviation = outputs[:, :, 0], np.clip(outputs[:, :, 1], LOWEST, HIGHEST)
    error = mean - z
    precision = np.exp(-2 * log_deviation)
    upstream = np.zeros_like(outputs)
    # of error^2 / (2 sd^2) + log sd, and of (head - z)^2 / 2 at the row's own task
    upstream[:, :, 0] = error * precision
    upstream[:, :, 1] = (1 - error**2 * precision) * (log_deviation == outputs[:, :, 1])
    members, places = np.ogrid[: len(z), :rows]
    upstream[members, places, 2 + tasks] = outputs[members, places, 2 + tasks] - z
    upstream /= rows
    gradients: list[Single] = []
    for index in reversed(range(len(layers))):
        inputs = values[3 * index]
        gradients[:0] = [inputs.transpose(0, 2, 1) @ upstream, upstream.sum(1, keepdims=True)]
        if index:
            sums, sigmoid = values[3 * index - 2], values[3 * index - 1]
            back = upstream @ layers[index][0].transpose(0, 2, 1)
            upstream = back * (sigmoid * (1 + sums * (1 - sigmoid)))
    return gradients
