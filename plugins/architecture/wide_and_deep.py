"""A linear model and dense layers side by side, for tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from runner import Input, architecture

from ._activations import Activation
from ._layers import Count, Normalization, Rate, dense_layers, head


@architecture
def wide_and_deep(
    inputs: Mapping[str, Input],
    outputs: int,
    *,
    units: Sequence[Count] = (64, 32),
    embedding: Count = 8,
    activation: Activation = "relu",
    normalization: Normalization = "none",
    dropout: Rate = 0.0,
) -> Any:
    """A linear model beside dense `units`, their outputs added (Cheng et al. 2016).

    Takes any number of inputs, each of one value a row or of any shape: numbers, and codes with a
    vocabulary, which stand for categories, crosses of them or words. The wide part has a weight
    for every number and every code; the deep part reads the numbers beside the codes, each
    embedded in `embedding` values. arXiv:1606.07792.
    """
    import keras

    layers = keras.layers
    begin, numbers, deep, wide = [], [], [], []
    for name, given in inputs.items():
        x = keras.Input(given.shape, dtype=given.dtype, name=name)
        begin.append(x)
        flat = layers.Reshape((-1,), name=f"{name}_flat")(x) if len(given.shape) != 1 else x
        if given.vocabulary is None:
            numbers.append(flat)
            continue
        linear = layers.Embedding(given.vocabulary, outputs, name=f"{name}_wide")(flat)
        wide.append(keras.ops.sum(linear, axis=1))
        embedded = layers.Embedding(given.vocabulary, embedding, name=f"{name}_deep")(flat)
        deep.append(layers.Reshape((-1,), name=f"{name}_embedded")(embedded))
    if numbers:
        together = _side_by_side(numbers, "numbers_side_by_side")
        deep.append(together)
        wide.append(layers.Dense(outputs, use_bias=False, name="numbers_wide")(together))
    x = dense_layers(_side_by_side(deep, "deep_side_by_side"), units, activation, normalization)
    added = layers.Add(name="wide_and_deep")([*wide, head(x, outputs, dropout)])
    return keras.Model(begin, added)


def _side_by_side(parts: list[Any], name: str) -> Any:
    import keras

    return parts[0] if len(parts) == 1 else keras.layers.Concatenate(name=name)(parts)
