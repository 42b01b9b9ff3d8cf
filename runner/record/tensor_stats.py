"""Statistics of the tensors of kept weights: a few moments of each, by NumPy."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.journal.records import Tensors

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def figures_of(
    run_id: str,
    weights_id: str,
    tensors: Mapping[str, Array],
    owners: Mapping[str, tuple[str, str]],
) -> Tensors:
    """The figures of those tensors that have an owner: (layer, name in it)."""
    rows = [(*owners[key], *_figures(tensor)) for key, tensor in tensors.items() if key in owners]
    # Column by column, an empty list for each where there are no rows.
    return Tensors(run_id, weights_id, *(list(column) for column in zip(*rows, strict=True)))


def _figures(tensor: Array) -> tuple[Any, ...]:
    """Shape, dtype, parameters, mean, std, l2, zero share and dead units."""
    if not tensor.size or not np.issubdtype(tensor.dtype, np.number):
        return (list(tensor.shape), str(tensor.dtype), tensor.size, *[float("nan")] * 4, None)
    zero = tensor == 0
    mean = float(tensor.mean(dtype=np.float64))
    square = float(np.square(tensor, dtype=np.float64).sum())
    dead = int(zero.reshape(-1, tensor.shape[-1]).all(axis=0).sum()) if tensor.ndim > 1 else None
    return (
        list(tensor.shape),
        str(tensor.dtype),
        tensor.size,
        mean,
        float(tensor.std(dtype=np.float64)),
        square**0.5,
        float(zero.mean()),
        dead,
    )
