"""Convolutions over time."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from runner import Input, ModelError, Task, architecture

from ._activations import Activation
from ._layers import Count, Normalization, activated, dense_layers, head
from ._series import over_time, series_input


@dataclass(frozen=True)
class Block:
    """One convolution over the steps and the pooling after it."""

    filters: Count
    kernel: Count = 5
    dilation: Count = 1
    """Steps between two that the kernel reads."""
    stride: Count = 1
    pool: Count = 1
    """Steps in a pooling window; 1 for no pooling."""


@architecture
def conv1d(
    inputs: Mapping[str, Input],
    outputs: int,
    task: Task,
    *,
    blocks: Sequence[Count | Block] = (Block(64), Block(64, dilation=2), Block(64, dilation=4)),
    units: Sequence[Count] = (),
    padding: Literal["same", "causal", "valid"] = "same",
    reduce: Literal["average", "max", "flatten"] = "average",
    activation: Activation = "relu",
    normalization: Normalization = "batch",
    vocabulary: Count | None = None,
    embedding: Count = 64,
) -> Any:
    """Convolutions over time (`blocks=[64,{filters:9,dilation:2}]`), dense `units`, a linear head.

    Examples are series of shape (steps, features), or token ids of shape (steps,), 0 for padding,
    each embedded in `embedding` values; `vocabulary` says how many there are where the data do
    not. A block is a number of filters, or {filters, kernel, dilation, stride, pool}. The defaults
    follow the fully convolutional network of Wang, Yan, Oates 2017 (arXiv:1611.06455), with
    dilations (Yu, Koltun 2016, arXiv:1511.07122) for its larger kernels; padding=causal lets no
    step see a later one (van den Oord et al. 2016, arXiv:1609.03499). Where the task is one per
    step, `units` and head follow every step, and blocks must leave them all. Raises ModelError for
    other shapes, and where no step would be left.
    """
    import keras

    begin, x, mask = series_input("conv1d", inputs, vocabulary, embedding)
    if mask is not None:
        x = x * keras.ops.cast(mask, x.dtype)
    for number, entry in enumerate(blocks, 1):
        block = entry if isinstance(entry, Block) else Block(entry)
        _check(x.shape[1], block, number, padding)
        layer = functools.partial(
            keras.layers.Conv1D,
            block.filters,
            block.kernel,
            strides=block.stride,
            dilation_rate=block.dilation,
            padding=padding,
        )
        x = activated(layer, x, normalization, activation, f"conv_{number}")
        if block.pool > 1:
            x = keras.layers.MaxPooling1D(block.pool, name=f"pool_{number}")(x)
    if task.per == "step":
        if (x.shape[1],) != task.places:
            raise ModelError(
                f"architecture=conv1d has {x.shape[1]} of {task.places[0]} steps left, and the "
                f"task is {task.said}: give blocks without stride and pool, and padding=same"
            )
        return keras.Model(begin, head(dense_layers(x, units, activation), task.outputs))
    if reduce == "flatten":
        x = keras.layers.Flatten(name="flatten")(x)
    else:
        # Where a block changed the number of steps, no mask says any more which are padding.
        whole = mask is not None and mask.shape[1] == x.shape[1]
        x = over_time(x, mask if whole else None, reduce)
    x = dense_layers(x, units, activation)
    return keras.Model(begin, head(x, outputs))


def _check(steps: int, block: Block, number: int, padding: str) -> None:
    """Raise ModelError where the block cannot be, or where it would leave no step."""
    where = f"architecture.blocks[{number - 1}]"
    if block.stride > 1 and block.dilation > 1:
        raise ModelError(
            f"{where} has stride {block.stride} and dilation {block.dilation}: one of them must "
            "be 1"
        )
    reach = (block.kernel - 1) * block.dilation + 1
    left = steps - reach + 1 if padding == "valid" else steps
    left = (left + block.stride - 1) // block.stride
    if left < 1:
        raise ModelError(
            f"{where}: there are {steps} steps there, and its kernel reaches over {reach}: take "
            "a smaller kernel or dilation, fewer blocks, or padding=same"
        )
    if left < block.pool:
        raise ModelError(
            f"{where}: {left} steps after the convolution are too few to be pooled by "
            f"{block.pool}: take fewer blocks, or pool: 1 in this one"
        )
