"""What the architectures for series and text share: their first layers, and the end of time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner import Input, ModelError


def series_input(
    who: str,
    inputs: Mapping[str, Input],
    vocabulary: int | None,
    width: int,
    mask_layers: bool = False,
) -> tuple[Any, Any, Any]:
    """The model's only input, its steps as (batch, steps, features), and their mask or None.

    Token ids of shape (steps,) are embedded; id 0 is padding, and the mask of shape
    (batch, steps, 1) is 0 there and 1 elsewhere. Raises ModelError for other shapes.

    vocabulary: how many ids there are, where the data do not say so themselves.
    mask_layers: whether the layers that follow get the mask from Keras.
    """
    import keras

    if len(inputs) > 1:
        raise ModelError(
            f"architecture={who} takes one input and the data have {len(inputs)} "
            f"({', '.join(inputs)}): try wide_and_deep"
        )
    [given] = inputs.values()
    input_shape, vocabulary = given.shape, vocabulary or given.vocabulary
    begin = keras.Input(input_shape, dtype=given.dtype)
    if len(input_shape) == 2:
        return begin, begin, None
    if len(input_shape) != 1:
        raise ModelError(
            f"architecture={who} takes series of shape (steps, features) or token ids of shape "
            f"(steps,), and the examples have shape {input_shape}: try mlp"
            f"{' or cnn' if len(input_shape) == 3 else ''}"
        )
    if vocabulary is None:
        raise ModelError(
            f"architecture={who} takes series of shape (steps, features), and the examples have "
            f"shape {input_shape}: try mlp, or where they are token ids say how many there are, "
            "architecture.vocabulary=<ids>"
        )
    x = keras.layers.Embedding(vocabulary, width, mask_zero=mask_layers, name="embedding")(begin)
    seen = keras.ops.expand_dims(keras.ops.not_equal(begin, 0), -1)
    return begin, x, keras.ops.cast(seen, "float32")


def over_time(x: Any, mask: Any, reduce: str) -> Any:
    """The average or the largest value over the steps: (batch, features).

    mask: where it is 0, a step does not count; an example without any step gives zeros.
    """
    import keras

    if mask is None:
        layer = {
            "average": keras.layers.GlobalAveragePooling1D,
            "max": keras.layers.GlobalMaxPooling1D,
        }[reduce]
        return layer(name=reduce)(x)
    mask = keras.ops.cast(mask, x.dtype)
    if reduce == "average":
        steps = keras.ops.maximum(keras.ops.sum(mask, axis=1), 1)
        return keras.ops.sum(x * mask, axis=1) / steps
    # Padding is put below whatever a network gives, within the range of float16.
    largest = keras.ops.max(x * mask - (1 - mask) * 3e4, axis=1)
    return largest * keras.ops.max(mask, axis=1)
