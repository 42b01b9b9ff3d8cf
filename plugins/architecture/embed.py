"""A bag of embedded tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from runner import Input, architecture

from ._activations import Activation
from ._layers import Count, Normalization, dense_layers, head
from ._series import over_time, series_input


@architecture
def embed(
    inputs: Mapping[str, Input],
    outputs: int,
    *,
    vocabulary: Count | None = None,
    width: Count = 64,
    reduce: Literal["average", "max"] = "average",
    units: Sequence[Count] = (),
    activation: Activation = "relu",
    normalization: Normalization = "none",
) -> Any:
    """The average of the tokens' embeddings, dense `units`, a linear head (Joulin et al. 2017).

    Examples are token ids of shape (steps,), where 0 is padding and does not count;
    `vocabulary` says how many there are where the data do not. A series of shape (steps,
    features) is averaged as it is. Raises ModelError for other shapes. arXiv:1607.01759.
    """
    import keras

    begin, x, mask = series_input("embed", inputs, vocabulary, width)
    x = over_time(x, mask, reduce)
    x = dense_layers(x, units, activation, normalization)
    return keras.Model(begin, head(x, outputs))
