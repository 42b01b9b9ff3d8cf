"""Figures, tables and files as the bytes that are stored of them."""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from runner.errors import ConfigError, in_one_line, trace_of

LARGEST = 100_000_000
"""Bytes of a file that is kept, unless somebody says otherwise."""
Warn = Callable[[str], object]
"""Told a sentence about what is left out."""


class Content(NamedTuple):
    """What is kept of one thing."""

    kind: str
    name: str
    content: bytes
    ending: str
    """Of its file, such as .svg."""


def figure_content(figure: Any, name: str, warn: Warn) -> Content:
    """A figure; where it cannot be drawn, what was raised.

    Raises ConfigError for what is no figure.
    """
    try:
        content, ending = figure_of(figure)
    except ConfigError:
        raise
    except Exception as error:
        warn(f"the figure '{name}' failed: {in_one_line(error)}")
        return Content("failed figure", name, (trace_of(error) or "").encode(), ".txt")
    return Content("figure", name, content, ending)


def table_content(frame: Any, name: str) -> Content:
    """A table; ConfigError for what is none."""
    return Content("table", name, table_of(frame), ".parquet")


def file_content(
    path: str | os.PathLike[str], name: str | None, kind: str, most: int, warn: Warn
) -> Content | None:
    """A file; None where it is larger than so many bytes. Raises ConfigError if unreadable."""
    file = Path(path)
    try:
        if (size := file.stat().st_size) > most:
            warn(too_large(str(file), size, most))
            return None
        content = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"the artifact {file} cannot be read: {error.strerror}") from error
    return Content(kind, name or file.name, content, file.suffix.lower() or ".bin")


def too_large(what: str, size: int, most: int) -> str:
    """The sentence about a thing that is left out."""
    return f"{what} is not kept: it has {size:,} bytes, more than max_artifact={most:,}"


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
    """A table as Parquet: a DataFrame, an Arrow table, columns by name, or a list of dicts.

    Raises ConfigError where DuckDB cannot read it as one.
    """
    import duckdb

    given = type(frame).__name__
    if isinstance(frame, Sequence) and all(isinstance(row, Mapping) for row in frame):
        names = dict.fromkeys(str(name) for row in frame for name in row)
        frame = {name: [row.get(name) for row in frame] for name in names}
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
                f"a {given} cannot be kept as a table: give a DataFrame, columns by name or a "
                f"list of dicts ({sentence})"
            ) from error
        return file.read_bytes()
