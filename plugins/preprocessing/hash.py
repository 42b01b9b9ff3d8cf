"""Categories without a vocabulary."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge

from runner import Transform, preprocessing

from ._categories import Output, as_category, category_columns, spread, whole, with_codes
from ._columns import Columns, Features, Function, columns_of


@preprocessing(name="hash")
def hashed(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    bins: Annotated[int, Ge(2)] = 64,
    salt: int = 0,
    output: Output = "one_hot",
    columns: Columns = None,
) -> Function | Transform:
    """Text or whole numbers, however many, put into `bins` by a fixed hash; some share one.

    Nothing is learned of the training split, so that new categories are as good as old ones.
    columns: which; without it all of a table, and of several inputs all of text and codes. Raises
    DataError for values that are no categories.
    """
    import keras

    arrays = columns_of(features)

    def fit(name: str) -> tuple[Function, int]:
        whole(name, arrays[name], "hash")
        layer = keras.layers.Hashing(bins, salt=salt)
        return spread(lambda tensor: layer(as_category(tensor)), bins, output), bins

    names = category_columns(features, vocabulary, columns, "hash")
    return with_codes(features, {name: fit(name) for name in names}, output, "hash")
