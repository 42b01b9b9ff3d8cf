"""A column for each category."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge

from runner import preprocessing

from ._categories import category_columns, lookup
from ._columns import Columns, Features, Function, by_column, columns_of


@preprocessing
def one_hot(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    columns: Columns = None,
    limit: Annotated[int, Ge(1)] | None = None,
) -> Function:
    """Text or whole numbers as rows of zeros with a one, a column for each category.

    The first column is for what is missing or not in the training split, and for all but the
    `limit` most frequent categories. columns: which; without it all of a table, and of several
    inputs all of text and codes. Raises DataError for values that are no categories.
    """
    arrays = columns_of(features)
    names = category_columns(features, vocabulary, columns, "one_hot")
    made = {name: lookup(name, arrays[name], "one_hot", "one_hot", limit)[0] for name in names}
    return by_column(features, made)
