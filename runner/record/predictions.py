"""Predictions of every row as a table, and the table as a Parquet file.

A file, since predictions can be many and a journal's lines are JSON; the warehouse takes its rows
into a table of its own, so that any DuckDB client reads them from the database alone.
"""

from __future__ import annotations

import io
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Task
from runner.data.heads import DOT, outputs_by_head, targets_by_head
from runner.evaluate.metrics import names_of, predicted_of
from runner.system.terminal import printable

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]


def tables_of(
    task: Task, split: str, targets: Array, outputs: Array, keys: Array | None = None
) -> list[dict[str, Array]]:
    """`table_of`, of several heads a table for each, in which `output` names it first."""
    if not task.heads:
        return [table_of(task, split, targets, outputs, keys)]
    own = outputs_by_head(task, np.asarray(outputs).reshape(len(targets), -1))
    tables = []
    for head, actual in targets_by_head(task, np.asarray(targets)).items():
        table = table_of(task.heads[head], split, actual, own[head], keys)
        named = [head if one is None else f"{head}{DOT}{one}" for one in table["output"]]
        tables.append({**table, "output": np.array([*map(_encodable, named)], dtype=object)})
    return tables


def table_of(
    task: Task, split: str, targets: Array, outputs: Array, keys: Array | None = None
) -> dict[str, Array]:
    """The columns of `predictions` but for the run; a row for each label or value of a row.

    keys: what the rows are called, where that is known.
    """
    outputs = np.asarray(outputs, dtype=np.float32).reshape(len(targets), -1)
    rows, width = outputs.shape
    predicted = np.asarray(predicted_of(task, outputs), dtype=np.float64)
    names = np.array([_encodable(name) for name in names_of(task)], dtype=object)
    called = [None] * rows if keys is None else [_encodable(str(key)) for key in keys]
    key = np.array(called, dtype=object)
    if task.kind in ("classification", "binary"):
        labels = np.asarray(targets).reshape(-1).astype(int)
        classes = predicted.astype(int)
        likely = outputs[np.arange(rows), labels] if width > 1 else outputs[:, 0]
        error = 1 - likely if width > 1 else np.abs(labels - likely)
        return {
            "split": np.full(rows, split, dtype=object),
            "row": np.arange(rows),
            "key": key,
            "output": np.full(rows, None, dtype=object),
            "target": labels.astype(np.float64),
            "predicted": predicted,
            "target_name": names[labels],
            "predicted_name": names[classes],
            "error": error.astype(np.float64),
            "outputs": outputs,
        }
    actual = np.asarray(targets, dtype=np.float64).reshape(rows, width)
    error = np.abs(outputs - actual)
    return {
        "split": np.full(rows * width, split, dtype=object),
        "row": np.repeat(np.arange(rows), width),
        "key": np.repeat(key, width),
        "output": np.tile(names if width > 1 else np.array([None]), rows),
        "target": actual.ravel(),
        "predicted": predicted.ravel(),
        "target_name": np.full(rows * width, None, dtype=object),
        "predicted_name": np.full(rows * width, None, dtype=object),
        "error": error.ravel(),
        "outputs": outputs.reshape(-1, 1),
    }


def _encodable(name: str) -> str:
    """The name as the journal has it: DuckDB takes no text that is not UTF-8."""
    return printable(name) if any("\ud800" <= sign <= "\udfff" for sign in name) else name


def to_parquet(tables: Sequence[Mapping[str, Array]]) -> bytes:
    """The rows of all tables as a Parquet file; `outputs`, (rows, n), as lists."""
    import duckdb

    with tempfile.TemporaryDirectory(prefix="sweephouse-") as folder, duckdb.connect() as con:
        file = Path(folder) / "predictions.parquet"
        selected = []
        for number, columns in enumerate(tables):
            flat = {name: column for name, column in columns.items() if name != "outputs"}
            wide = {f"o{i}": column for i, column in enumerate(columns["outputs"].T.copy())}
            con.register(f"block{number}", flat | wide)
            selected.append(
                # Columns without any name would else have no type.
                f"SELECT {', '.join(flat)}, [{', '.join(wide)}] AS outputs FROM (SELECT * REPLACE "
                "(key::VARCHAR AS key, output::VARCHAR AS output, "
                "target_name::VARCHAR AS target_name, "
                f"predicted_name::VARCHAR AS predicted_name) FROM block{number})"
            )
        con.execute(
            f"COPY ({' UNION ALL '.join(selected)}) TO '{file}' (FORMAT parquet, COMPRESSION zstd)"
        )
        return file.read_bytes()


def arrays_of_outputs(task: Task, outputs: Array) -> dict[str, Array]:
    """Outputs by name: `outputs`, float32 (rows, *places, outputs); of classes `predicted`, too,
    their numbers (rows, *places), and `names`.
    """
    arrays = {"outputs": np.asarray(outputs, np.float32)}
    if task.kind == "classification":
        arrays["predicted"] = predicted_of(task, outputs).astype(np.int32)
        arrays["names"] = np.array([_encodable(name) for name in names_of(task)])
    return arrays


def to_npz(arrays: Mapping[str, Array]) -> bytes:
    """The arrays as an .npz file."""
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # none is called allow_pickle
    return file.getvalue()
