"""Attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from runner import Input, ModelError, Task, architecture

from ._activations import Activation
from ._layers import Count, Rate, head
from ._series import over_time, series_input


@architecture
def transformer(
    inputs: Mapping[str, Input],
    outputs: int,
    task: Task,
    *,
    depth: Count = 2,
    width: Count = 64,
    heads: Count = 4,
    feed_forward: Count = 128,
    positions: Literal["sinusoidal", "learned", "none"] = "sinusoidal",
    norm_first: bool = True,
    dropout: Rate = 0.0,
    activation: Activation = "relu",
    reduce: Literal["average", "max"] = "average",
    vocabulary: Count | None = None,
) -> Any:
    """A transformer's encoder (Vaswani et al. 2017) over series or text, then a linear head.

    Examples are series of shape (steps, features), whose steps are projected to `width` values, or
    token ids of shape (steps,), where 0 is padding that nothing attends to; `vocabulary` says how
    many there are where the data do not. `depth` layers of self-attention with `heads` and a dense
    layer of `feed_forward` units follow; normalization comes first in each as in Xiong et al. 2020
    (arXiv:2002.04745), or after it as in the first paper (arXiv:1706.03762). Dropout acts on what
    each adds. Where the task is one per step, the head follows every step. Raises ModelError for
    other shapes, and for heads that do not divide the width.
    """
    import keras

    layers = keras.layers
    if width % heads:
        fitting = [n for n in range(1, width + 1) if width % n == 0 and n <= 2 * heads]
        raise ModelError(
            f"architecture.heads={heads} does not divide architecture.width={width}: take one of "
            f"{', '.join(map(str, fitting))} heads"
        )
    begin, x, mask = series_input("transformer", inputs, vocabulary, width)
    if mask is None:
        x = layers.Dense(width, name="project")(x)
    if positions != "none":
        x = layers.Add(name="placed")([x, _positions(x, positions)])

    # Which step may attend to which: (batch, 1, steps), the same for every step that asks.
    seen = None if mask is None else keras.ops.cast(keras.ops.transpose(mask, (0, 2, 1)), "bool")

    def residual(x: Any, change: Any, name: str) -> Any:
        norm = layers.LayerNormalization(epsilon=1e-6, name=f"{name}_norm")
        y = change(norm(x) if norm_first else x)
        if dropout:
            y = layers.Dropout(dropout, name=f"{name}_dropout")(y)
        y = layers.Add(name=f"{name}_add")([x, y])
        return y if norm_first else norm(y)

    for number in range(1, depth + 1):

        def attend(x: Any, name: str = f"attention_{number}") -> Any:
            attention = layers.MultiHeadAttention(heads, width // heads, name=name)
            return attention(x, x, attention_mask=seen)

        def feed(x: Any, name: str = f"feed_{number}") -> Any:
            x = layers.Dense(feed_forward, activation=activation, name=f"{name}_in")(x)
            return layers.Dense(width, name=f"{name}_out")(x)

        x = residual(x, attend, f"attention_{number}")
        x = residual(x, feed, f"feed_{number}")
    if norm_first:
        x = layers.LayerNormalization(epsilon=1e-6, name="norm")(x)
    if task.per == "step":
        return keras.Model(begin, head(x, task.outputs))
    x = over_time(x, mask, reduce)
    return keras.Model(begin, head(x, outputs))


def _positions(x: Any, kind: str) -> Any:
    """A vector for every step's place: (batch, steps, width), learned, or fixed sinusoids."""
    import keras

    _, steps, width = x.shape
    places = keras.ops.cumsum(keras.ops.ones_like(x[:, :, 0], dtype="int32"), axis=1) - 1
    learned = kind == "learned"
    table = keras.layers.Embedding(steps, width, trainable=learned, name="positions")
    vectors = table(places)
    if not learned:
        table.set_weights([sinusoids(steps, width)])
    return vectors


def sinusoids(steps: int, width: int) -> Any:
    """Sines and cosines of geometrically growing wavelengths: float32 (steps, width)."""
    import numpy as np

    place = np.arange(steps)[:, None]
    pair = np.arange(width)[None, :] // 2
    angle = place / 10000 ** (2 * pair / width)
    even = np.arange(width)[None, :] % 2 == 0
    return np.where(even, np.sin(angle), np.cos(angle)).astype("float32")
