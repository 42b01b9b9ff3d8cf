"""Missing values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from runner import DataError, preprocessing

from ._columns import (
    Array,
    Columns,
    Features,
    Function,
    chosen_columns,
    columns_of,
    on_numbers,
    side_by_side,
    tensor_columns,
)
from ._statistics import Per, known


@preprocessing
def impute(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    strategy: Literal["mean", "median", "constant"] = "mean",
    value: float = 0.0,
    per: Per = "channel",
    indicator: bool = False,
    columns: Columns = None,
) -> Function:
    """Replace NaN by the training split's mean or median, or by a constant `value`.

    indicator: say in further columns which values were missing (1) or not (0), one for each
    column that misses values in the training split; of several inputs as `<name>_missing`.
    columns: which; of several inputs, without it, all that are numbers. Raises DataError where a
    column of the training split holds no value to take the statistic from.
    """

    def fit(array: Array) -> Function:
        if array.dtype.kind != "f":
            return lambda batch: batch
        constant = _fill(array, strategy, value, per)

        def replace(batch: Any) -> Any:
            from keras import ops

            return ops.where(ops.isnan(batch), constant.astype(batch.dtype), batch)

        return replace

    filled = on_numbers(features, vocabulary, columns, "impute", fit)
    return _marked(filled, features, chosen_columns(features, columns, "impute"), indicator)


def _fill(array: Array, strategy: str, value: float, per: Per) -> Any:
    """What goes in the place of NaN."""
    if strategy == "constant":
        return np.asarray(value)
    fill = known(np.nanmean if strategy == "mean" else np.nanmedian, array, per)
    if (empty := int(np.isnan(fill).sum())) > 0:
        raise DataError(
            f"preprocessing.impute.strategy={strategy} has nothing to go by: {empty} columns "
            "hold no value in the training split; drop them or take strategy=constant"
        )
    return fill


def _marked(
    filled: Function, features: Features, names: list[str] | None, indicator: bool
) -> Function:
    """The function, and beside what it gives the columns that say what was missing."""
    if not indicator:
        return filled
    if not isinstance(features, dict) and features.ndim > 2:
        raise DataError(
            "preprocessing.impute.indicator=true needs columns, and the examples have shape "
            f"{features.shape[1:]}: leave it out"
        )
    missing = [
        name
        for name, array in columns_of(features).items()
        if (names is None or name in names) and array.dtype.kind == "f" and np.isnan(array).any()
    ]

    def marked(batch: Any) -> Any:
        from keras import ops

        columns = tensor_columns(batch)
        marks = [ops.cast(ops.isnan(columns[name]), "float32") for name in missing]
        if isinstance(batch, dict):
            return filled(batch) | {
                f"{name}_missing": mark for name, mark in zip(missing, marks, strict=True)
            }
        return side_by_side([filled(batch), *marks])

    return marked if missing else filled
