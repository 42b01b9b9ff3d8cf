"""Which values share one statistic, and the layer that rescales by statistics."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any, Literal

import numpy as np

from ._columns import as_computed, computed_in

Per = Literal["channel", "position", "all"]
"""channel: the last axis, which is the column of a table; position: every value of an example
by itself; all: one statistic for everything. Where an example is one number, they are the same."""


def axes(features: np.ndarray[Any, Any], per: Per) -> tuple[int, ...]:
    """The axes over which a statistic is taken."""
    rank = features.ndim
    if rank == 1:
        return (0,)
    return {
        "channel": tuple(range(rank - 1)),
        "position": (0,),
        "all": tuple(range(rank)),
    }[per]


def known(statistic: Callable[..., Any], features: np.ndarray[Any, Any], per: Per) -> Any:
    """A NaN-aware statistic in float64, NaN where there is no value at all."""
    over = axes(features, per)
    with warnings.catch_warnings():
        # An empty column is told by its NaN, not by NumPy's warning.
        warnings.simplefilter("ignore", RuntimeWarning)
        return statistic(features.astype("float64"), axis=over)


def quantile(share: float) -> Callable[..., Any]:
    """The quantile of that share as a statistic that `known` takes."""
    return functools.partial(np.nanquantile, q=share)


def rescale(
    features: np.ndarray[Any, Any], per: Per, origin: Any, unit: Any
) -> Callable[[Any], Any]:
    """A function for (x - origin) / unit, leaving constant or empty columns their scale."""
    import keras

    origin = np.where(np.isfinite(origin), origin, 0.0)
    # A constant column may differ from itself by rounding; it must not be blown up by that.
    usable = np.isfinite(unit) & (unit > 1e-7 * np.maximum(1e-30, np.abs(origin)))
    unit = np.where(usable, unit, 1.0)
    kept = {"channel": -1, "position": tuple(range(1, features.ndim)), "all": None}[per]
    if features.ndim == 1:
        kept = None
    exact_origin, exact_unit = origin.astype("float64"), unit.astype("float64")
    layer = keras.layers.Normalization(
        axis=kept,
        mean=origin.astype("float32"),
        variance=(unit**2).astype("float32"),
        dtype="float32",
    )

    def scale(batch: Any) -> Any:
        if computed_in(batch) == "float32":
            return layer(batch)
        # Keras' layer reads its numbers again as float32.
        return (as_computed(batch) - exact_origin) / exact_unit

    return scale
