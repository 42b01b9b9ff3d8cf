"""Combinations of categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from annotated_types import Ge

from runner import DataError, Transform, preprocessing

from ._categories import Output, as_category, spread, whole
from ._columns import Features, Function, chosen_columns, columns_of, side_by_side, tensor_columns


@preprocessing
def cross(
    features: Features,
    *,
    columns: Sequence[Sequence[str | int]],
    bins: Annotated[int, Ge(2)] = 64,
    output: Output = "one_hot",
) -> Function | Transform:
    """The combinations of two categories each, `columns=[[city,job]]`, hashed into `bins`.

    They are added to the columns that there are; of several inputs as `<one>_x_<other>`. Raises
    DataError for values that are neither text nor whole numbers.
    """
    import keras

    arrays = columns_of(features)
    crosses = {}
    for group in columns:
        names = chosen_columns(features, group, "cross") or []
        if len(names) != 2:
            raise DataError(
                f"preprocessing.cross.columns={list(map(list, columns))} needs two columns in "
                "each pair, as in [[city,job]]"
            )
        for name in names:
            whole(name, arrays[name], "cross")
        layer = keras.layers.HashedCrossing(bins)
        crosses["_x_".join(names)] = (names, spread(layer, bins, output))
    if output == "codes" and not isinstance(features, dict):
        raise DataError(
            "preprocessing.cross cannot put codes and other numbers into one table: take "
            "preprocessing.cross.output=one_hot"
        )

    def add(batch: Any) -> Any:
        given = tensor_columns(batch)
        made = {
            name: function(tuple(as_category(given[one]) for one in names))
            for name, (names, function) in crosses.items()
        }
        return batch | made if isinstance(batch, dict) else side_by_side([batch, *made.values()])

    return Transform(add, dict.fromkeys(crosses, bins)) if output == "codes" else add
