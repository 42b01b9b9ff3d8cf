"""Whatever the columns are, one array of numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from runner import preprocessing

from ._categories import lookup
from ._columns import (
    Array,
    Features,
    Function,
    as_computed,
    columns_of,
    is_category,
    side_by_side,
    tensor_columns,
)
from ._statistics import known, quantile, rescale


@preprocessing
def encode(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    numbers: Literal["standardize", "minmax", "robust", "keep"] = "standardize",
    limit: Annotated[int, Ge(1)] | None = 100,
) -> Function:
    """Inputs of any kind as one array: numbers scaled, categories one-hot, yes or no as 1 or 0.

    Missing numbers become the training split's mean (of robust, the median; of minmax, the least
    value). Text and codes get a column for each of the `limit` most frequent categories and,
    before them, one for all else. Inputs of several numbers a row are laid flat; a single input of
    them, such as images, keeps its shape.
    """
    if not isinstance(features, dict) and features.ndim > 2:
        return _scale(features, numbers)
    functions = {
        name: _column(name, array, vocabulary, numbers, limit)
        for name, array in columns_of(features).items()
    }

    def join(batch: Any) -> Any:
        given = tensor_columns(batch)
        return side_by_side([function(given[name]) for name, function in functions.items()])

    return join


def _column(
    name: str, array: Array, vocabulary: Mapping[str, int], numbers: str, limit: int | None
) -> Function:
    """A function from one column to numbers, shape (batch,) or (batch, width)."""
    if is_category(name, array, vocabulary):
        scale = lookup(name, array, "encode", "one_hot", limit)[0]
    elif _is_yes_or_no(array):
        scale = _scale(array, numbers, keep=True)
    else:
        scale = _scale(array, numbers)

    def flat(batch: Any) -> Any:
        from keras import ops

        made = scale(batch)
        size = int(np.prod(made.shape[1:]))
        return ops.reshape(made, (-1, size)) if len(made.shape) > 2 else made

    return flat


def _is_yes_or_no(array: Array) -> bool:
    """Whether all that is known is 0 or 1."""
    known_values = array[array == array]
    return bool(known_values.size and np.isin(known_values, (0, 1)).all())


def _scale(array: Array, numbers: str, keep: bool = False) -> Function:
    """A function that scales numbers and puts what the training split has for missing ones.

    keep: leave them as they are, but for missing ones. These may come in later rows where the
    training split lacks none.
    """
    keep = keep or numbers == "keep"
    if numbers == "minmax":
        origin = known(np.nanmin, array, "channel")
        unit = known(np.nanmax, array, "channel") - origin
    elif numbers == "robust":
        origin = known(np.nanmedian, array, "channel")
        quartiles = [known(quantile(share), array, "channel") for share in (0.25, 0.75)]
        unit = quartiles[1] - quartiles[0]
    else:
        origin, unit = known(np.nanmean, array, "channel"), known(np.nanstd, array, "channel")
    scaled = as_computed if keep else rescale(array, "channel", origin, unit)
    # What is missing becomes the origin, which scaling turns into 0.
    missing = np.where(np.isfinite(origin), origin, 0.0) if keep else np.zeros(())

    def scale(batch: Any) -> Any:
        from keras import ops

        made = scaled(batch)
        return ops.where(ops.isnan(made), missing.astype(made.dtype), made)

    return scale
