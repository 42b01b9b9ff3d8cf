"""Codes for an embedding."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from annotated_types import Ge

from runner import Transform, preprocessing

from ._categories import category_columns, lookup, with_codes
from ._columns import Columns, Features, Function, columns_of


@preprocessing(aliases=["codes"])
def embed(
    features: Features,
    vocabulary: Mapping[str, int],
    *,
    columns: Columns = None,
    limit: Annotated[int, Ge(1)] | None = None,
) -> Function | Transform:
    """Text or whole numbers as codes, 1 for the most frequent, which an architecture embeds.

    0 is for what is missing or not in the training split, and for all but the `limit` most
    frequent categories. columns: which; without it all of a table, and of several inputs all of
    text and codes. Raises DataError for values that are no categories.
    """
    arrays = columns_of(features)
    names = category_columns(features, vocabulary, columns, "embed")
    made = {name: lookup(name, arrays[name], "embed", "codes", limit) for name in names}
    return with_codes(features, made, "codes", "embed")
