"""Recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from runner import Input, ModelError, Search, Task, architecture

from ._layers import Count, Normalization, head, normalized
from ._series import series_input

WIDTHS = ((32,), (64,), (128,), (64, 64))


@architecture
def rnn(
    inputs: Mapping[str, Input],
    outputs: int,
    task: Task,
    *,
    cell: Literal["lstm", "gru"] = "lstm",
    units: Annotated[Sequence[Count], Search(values=WIDTHS)] = (64,),
    bidirectional: bool = False,
    normalization: Normalization = "none",
    padding: float | None = None,
    vocabulary: Count | None = None,
    embedding: Count = 64,
) -> Any:
    """LSTM (Hochreiter, Schmidhuber 1997) or GRU (Cho et al. 2014) layers, then a linear head.

    One width a layer, each read in both directions if `bidirectional` (Schuster, Paliwal 1997,
    doi:10.1109/78.650093). LSTM: doi:10.1162/neco.1997.9.8.1735; GRU: arXiv:1406.1078. Examples
    are series of shape (steps, features), where steps whose features all equal `padding` are
    skipped; or token ids of shape (steps,), 0 for padding, each embedded in `embedding` values;
    `vocabulary` says how many there are where the data do not. Where the task is one per step,
    the head follows every step. Raises ModelError for other shapes.
    """
    import keras

    if not units:
        raise ModelError("architecture=rnn needs a recurrent layer: give units=[64]")
    begin, x, mask = series_input("rnn", inputs, vocabulary, embedding, mask_layers=True)
    if padding is not None and mask is None:
        x = keras.layers.Masking(padding, name="padding")(x)
    make = {"lstm": keras.layers.LSTM, "gru": keras.layers.GRU}[cell]
    for number, width in enumerate(units, 1):
        name = f"{cell}_{number}"
        sequences = number < len(units) or task.per == "step"
        layer = make(width, return_sequences=sequences, name=name)
        if bidirectional:
            layer = keras.layers.Bidirectional(layer, name=f"bidirectional_{number}")
        x = normalized(layer(x), normalization, "linear", name)
    return keras.Model(begin, head(x, task.outputs if task.per == "step" else outputs))
