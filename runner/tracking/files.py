"""Figures, tables, files and weights of a script, as the bytes that are stored of them."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.errors import ConfigError

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LARGEST = 100_000_000
"""Bytes of a file that is kept, unless `track(max_artifact=...)` says otherwise."""


def figure_of(figure: Any) -> tuple[bytes, str]:
    """A figure as SVG, or PNG where it is one already: its bytes and the ending of its file.

    figure: of Matplotlib, of Altair, an object that IPython shows as SVG or PNG, or SVG as text.

    Raises ConfigError for anything else, and whatever the figure itself raises.
    """
    if isinstance(figure, str) and "<svg" in figure:
        return figure.encode(), ".svg"
    if hasattr(figure, "savefig"):  # Matplotlib's
        buffer = io.BytesIO()
        figure.savefig(buffer, format="svg")
        return buffer.getvalue(), ".svg"
    if hasattr(figure, "to_dict") and hasattr(figure, "save"):  # Altair's
        text = io.StringIO()
        figure.save(text, format="svg")
        return text.getvalue().encode(), ".svg"
    for method, ending in (("_repr_svg_", ".svg"), ("_repr_png_", ".png")):
        content = getattr(figure, method, lambda: None)()
        if content:
            return content if isinstance(content, bytes) else content.encode(), ending
    raise ConfigError(
        f"a {type(figure).__name__} is no figure: give one of Matplotlib or Altair, or SVG as text"
    )


def table_of(frame: Any) -> bytes:
    """A table as Parquet: a DataFrame, an Arrow table, or columns by name.

    Raises ConfigError where DuckDB cannot read it as one.
    """
    import duckdb

    if isinstance(frame, Mapping):
        frame = {str(name): np.asarray(column) for name, column in frame.items()}
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        file = Path(folder, "table.parquet")
        try:
            connection.register("frame", frame)
            connection.table("frame").write_parquet(str(file), compression="zstd")
        except (duckdb.Error, TypeError, ValueError) as error:
            sentence = str(error).partition("\n")[0]
            raise ConfigError(
                f"a {type(frame).__name__} cannot be kept as a table: give a DataFrame or columns "
                f"by name ({sentence})"
            ) from error
        return file.read_bytes()


def tensors_of(weights: Any) -> dict[str, Array]:
    """Weights by name: of a Keras model, a `state_dict()`, a mapping or a list of arrays.

    Raises ConfigError for anything else.
    """
    if hasattr(weights, "get_weights") and hasattr(weights, "weights"):  # Keras' model
        named = [(weight.path, weight) for weight in weights.weights]
    elif hasattr(weights, "state_dict"):  # PyTorch's module
        named = list(weights.state_dict().items())
    elif isinstance(weights, Mapping):
        named = list(weights.items())
    elif isinstance(weights, list | tuple):
        named = [(f"{number:04d}", array) for number, array in enumerate(weights)]
    else:
        raise ConfigError(
            f"a {type(weights).__name__} holds no weights: give a Keras model, a PyTorch module, "
            "or arrays by name"
        )
    return {str(name): _array(value) for name, value in named}


def _array(value: Any) -> Array:
    if hasattr(value, "detach"):  # a tensor of PyTorch's
        value = value.detach().cpu()
    elif hasattr(value, "numpy"):
        value = value.numpy()
    array = np.ascontiguousarray(value)
    if array.dtype == object:
        raise ConfigError(f"weights of type {type(value).__name__} are no array of numbers")
    return array
