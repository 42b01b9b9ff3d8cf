"""Text as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from runner import DataError, Transform, choices, preprocessing

from ._columns import Features, is_text

ONE = "features"


@preprocessing
def vectorize(
    features: Features,
    *,
    max_tokens: Annotated[int, Ge(3)] = 10_000,
    length: Annotated[int, Ge(1)] = 64,
    output: Literal["codes", "multi_hot", "count"] = "codes",
    ngrams: Annotated[int, Ge(1)] | None = None,
    columns: Sequence[str] = (),
) -> Any:
    """Words of a text as codes, or a text as one vector; the vocabulary is the training split's.

    max_tokens: the commonest words that are told apart, padding (0) and the unknown (1) among
    them. length: words of a text, cut off or padded. output: codes, (length,), for an
    architecture that embeds them; or a number for each word of the vocabulary, (max_tokens,).
    ngrams: up to so many words together count as one. columns: of several inputs those to take;
    none named means all that hold text. Raises DataError for columns that are not there or hold
    no text.
    """
    arrays = features if isinstance(features, dict) else {ONE: features}
    chosen = list(columns) or [name for name, array in arrays.items() if is_text(array)]
    for name in chosen:
        if name not in arrays:
            raise DataError(
                f"preprocessing.vectorize.columns={chosen}: there is no column {name}: "
                f"{choices(name, arrays)}"
            )
        if not is_text(arrays[name]):
            raise DataError(f"preprocessing=[vectorize] needs text, and '{name}' holds numbers")
    if not chosen:
        raise DataError("preprocessing=[vectorize] needs text, and the features hold none")
    layers = {
        name: _layer(name, arrays[name], max_tokens, length, output, ngrams) for name in chosen
    }

    def transform(batch: Any) -> Any:
        if not isinstance(batch, dict):
            return layers[ONE](batch)
        return {
            name: layers[name](tensor) if name in layers else tensor
            for name, tensor in batch.items()
        }

    if output != "codes":
        return transform
    return Transform(transform, {name: layer.vocabulary_size() for name, layer in layers.items()})


def _layer(
    name: str,
    texts: np.ndarray[Any, Any],
    max_tokens: int,
    length: int,
    output: str,
    ngrams: int | None,
) -> Any:
    """Keras' layer with the vocabulary of these texts."""
    import keras

    if texts.ndim != 1:
        raise DataError(
            f"preprocessing=[vectorize] needs one text a row, and '{name}' has shape {texts.shape}"
        )
    options: dict[str, Any] = {
        "max_tokens": max_tokens,
        "output_mode": "int" if output == "codes" else output,
        "output_sequence_length": length if output == "codes" else None,
        "ngrams": ngrams,
    }
    fitted = keras.layers.TextVectorization(**options)
    fitted.adapt(texts)
    words = fitted.get_vocabulary(include_special_tokens=False)
    if not words:
        raise DataError(f"preprocessing=[vectorize] found no words in '{name}' of train")
    # The vocabulary as an argument stands in the layer's config, so that it is kept as JSON is.
    return keras.layers.TextVectorization(vocabulary=words, **options)
