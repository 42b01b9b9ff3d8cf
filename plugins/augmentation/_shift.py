"""Examples moved along an axis, each by its own whole number of places."""

from __future__ import annotations

from typing import Any, Literal

Edge = Literal["constant", "nearest", "wrap"]
"""What comes in from outside: a value, the last place there is, or the other end."""


def shifted(batch: Any, steps: int, axis: int, fill: Edge, value: float, generator: Any) -> Any:
    """Each example moved along `axis` by up to `steps` places, either way, all alike likely."""
    import keras
    from keras import ops

    rows, size = ops.shape(batch)[0], batch.shape[axis]
    by = keras.random.randint((rows, 1), -steps, steps + 1, seed=generator)
    places = ops.expand_dims(ops.arange(size, dtype="int32"), 0) + by
    inside = ops.logical_and(places >= 0, places < size)
    places = places % size if fill == "wrap" else ops.clip(places, 0, size - 1)
    as_batch = [-1 if at == 0 else size if at == axis else 1 for at in range(len(batch.shape))]
    moved = ops.take_along_axis(batch, ops.reshape(places, as_batch), axis)
    return ops.where(ops.reshape(inside, as_batch), moved, value) if fill == "constant" else moved
