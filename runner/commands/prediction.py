"""New rows through a trained model, for `python -m runner predict`."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.commands.writing import refuse_own, written
from runner.components.types import Task
from runner.data.heads import outputs_by_head
from runner.data.parts import input_name
from runner.data.sources.reading import Reading
from runner.data.sources.rows import (
    BLOCK,
    Table,
    arrays_of,
    files_of,
    is_array,
    missing,
    opened,
)
from runner.engines.outputs import outputs_of
from runner.errors import ConfigError, DataError
from runner.evaluate.metrics import names_of, predicted_of
from runner.model.inputs import fits, inputs_of, takes_one, typed
from runner.record.predictions import arrays_of_outputs, to_npz
from runner.sweep.earlier import EarlierRun, trained
from runner.system.databases import identifier, literal
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    Array = np.ndarray[Any, Any]

WRITERS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json"}
ARRAYS = ".npz"
"""The ending of a file for outputs with a shape."""


class Predicted(int):
    """How many rows there were, and how many of them have no prediction."""

    lost: int

    def __new__(cls, rows: int, lost: int) -> Predicted:
        """Rows, and those among them that gave outputs that are no numbers."""
        made = super().__new__(cls, rows)
        made.lost = lost
        return made


def predict(
    run: str,
    source: str,
    to: Path,
    query: str | None = None,
    columns: Sequence[str] = (),
    keep: Sequence[str] = (),
    results: Path | None = None,
) -> Predicted:
    """Write what a run's best weights say of every row of a source; how many rows there were.

    columns: the features, in the order of training, where the run's own names do not fit.
    keep: columns of the source that are written beside the predictions.

    Raises ConfigError, DataError or WarehouseError with one sentence for what does not fit.
    """
    if to.suffix.lower() not in (*WRITERS, ARRAYS):
        raise ConfigError(f"--to {to} is not valid: end it in {', '.join((*WRITERS, ARRAYS))}")
    refuse_own(to, Place.of(results), [Path(source)] if is_array(source) else files_of(source))
    if is_array(source) and not Path(source).is_file():
        raise ConfigError(f"--source {source} is not valid: there is no such file")
    if is_array(source) and (query or columns or keep):
        raise ConfigError(f"--source {source} has no columns for --query, --columns or --keep")
    kept = trained(run, results)
    task = kept.task
    _check_ending(to, task, keep)
    if is_array(source):
        import duckdb

        arrays = arrays_of(source)
        model = kept.model()
        if to.suffix.lower() == ARRAYS:
            return _write_arrays(task, model, _of_arrays(arrays, model, source), to)
        with (
            tempfile.TemporaryDirectory(prefix="sweephouse-") as folder,
            duckdb.connect(str(Path(folder) / "predicted.duckdb")) as con,
        ):
            blocks = _of_arrays(arrays, model, source)
            return _write(con, Path(folder), kept, model, blocks, to, ())
    reading = Reading.recorded(kept.data.get("reading"))
    own = kept.config.get("dataset", {}).get("query")
    with opened(source, query, reading, labels_of(kept), own) as table:
        # What does not fit is told before TensorFlow is loaded, if it can be.
        wanted = list(columns) or feature_names(kept)
        _check_columns(table, [*wanted, *keep], source)
        model = kept.model()
        inputs = inputs_of(model)
        if takes_one(inputs):
            wanted = wanted or _in_order(table, inputs, keep)
        else:
            wanted = list(columns) or _columns_of_inputs(table, inputs)
            _check_columns(table, wanted, source)
        blocks = _of_table(table, wanted, inputs)
        if to.suffix.lower() == ARRAYS:
            return _write_arrays(task, model, blocks, to)
        return _write(table.con, table.folder, kept, model, blocks, to, keep)


def feature_names(kept: EarlierRun) -> list[str]:
    """What the run's features were called, in order; empty where its dataset did not say."""
    params = kept.config.get("dataset", {})
    chosen = params.get("features")
    if isinstance(chosen, list) and chosen:
        return [str(one) for one in chosen]
    reading = Reading.recorded(kept.data.get("reading"))
    if reading is not None and reading.features:
        return list(reading.features)
    names, labels = kept.columns(), labels_of(kept)
    if not labels or not set(labels) <= set(names):
        return []  # columns of arrays, called after their places
    by = (kept.config.get("split") or {}).get("by") or ""
    others = (*labels, by.partition(":")[2], str(params.get("weight")))
    return [name for name in names if name not in others]


def labels_of(kept: EarlierRun) -> list[str]:
    """The columns that the run learned to tell; empty where its dataset did not say."""
    label = kept.config.get("dataset", {}).get("label")
    several = isinstance(label, list | dict)
    return [str(one) for one in (label if several else [label]) if one is not None]


def _columns_of_inputs(table: Table, inputs: Mapping[str, Any]) -> list[str]:
    """The column for each input, which may hold a sign that no input can."""
    by_input = {input_name(column): column for column in table.types}
    return [by_input.get(name, name) for name in inputs]


def _width(one: Any) -> int:
    """How many values a row of the input has."""
    return int(np.prod([1, *one.shape[1:]]))


def _check_columns(table: Table, wanted: Sequence[str], source: str) -> None:
    lacking = [name for name in wanted if name not in table.types]
    if lacking:
        have = list(table.types)
        raise DataError(
            f"--source {source} lacks {'a column' if len(lacking) == 1 else 'columns'} that the "
            f"run needs: {missing(lacking, have)}; it has {', '.join(have[:20])}"
            f"{', …' if len(have) > 20 else ''}"
        )


def _in_order(table: Table, inputs: Mapping[str, Any], keep: Sequence[str]) -> list[str]:
    """All columns but those to keep, where they are as many as the model takes numbers."""
    width = _width(inputs["features"])
    names = [name for name in table.types if name not in keep]
    if len(names) != width:
        raise DataError(
            f"the model takes {width} numbers a row and the source has {len(names)} columns: say "
            "which are the features, in the order of training, by --columns a,b,c"
        )
    return names


def _of_table(table: Table, names: Sequence[str], inputs: Mapping[str, Any]) -> Iterator[Any]:
    """Features as the model takes them: one array, or a dict with a column for each input."""
    if takes_one(inputs):
        [one] = inputs.values()
        shape = tuple(one.shape[1:])
        if len(names) != _width(one):
            raise DataError(
                f"the model takes {_width(one)} numbers a row, and {len(names)} columns are named"
            )
        for block in table.blocks(names, names if one.dtype == "string" else ()):
            yield typed(np.stack(block, axis=1).reshape(-1, *shape), one)
        return
    if len(names) != len(inputs):
        raise DataError(
            f"the model takes the columns {', '.join(inputs)}, and {len(names)} are named"
        )
    text = [
        name for name, one in zip(names, inputs.values(), strict=True) if one.dtype == "string"
    ]
    for block in table.blocks(names, text):
        columns = zip(inputs.items(), block, strict=True)
        yield {name: as_input(column, one) for (name, one), column in columns}


def _of_arrays(arrays: Mapping[str, Array], model: Any, source: str) -> Iterator[Any]:
    inputs = inputs_of(model)
    if len(inputs) == 1 and len(arrays) == 1:
        arrays = dict(zip(inputs, arrays.values(), strict=True))
    lacking = [name for name in inputs if name not in arrays]
    if lacking:
        raise DataError(
            f"--source {source} lacks an array that the model needs: "
            f"{missing(lacking, list(arrays))}; it has {', '.join(arrays)}"
        )
    rows = {len(arrays[name]) for name in inputs}
    if rows == {0}:
        raise DataError(f"--source {source} has no rows")
    if len(rows) > 1:
        raise DataError(f"the arrays of --source {source} differ in length: {sorted(rows)}")
    for name, one in inputs.items():
        shape = arrays[name].shape[1:]
        if not fits(shape, one):
            wanted = tuple(one.shape[1:])
            raise DataError(
                f"--source {source} has rows of shape {shape} and the model takes {wanted}"
            )
    for at in range(0, rows.pop(), BLOCK):
        block = {
            name: as_input(arrays[name][at : at + BLOCK], one) for name, one in inputs.items()
        }
        yield block["features"] if takes_one(inputs) else block


def as_input(column: Array, one: Any) -> Array:
    """The column as the input takes it; a single value a row may be an axis of its own."""
    if len(one.shape) == 2 and column.ndim == 1:
        column = column[:, None]
    return typed(column, one)


def _check_ending(to: Path, task: Task, keep: Sequence[str]) -> None:
    """Raise ConfigError for a table of outputs that have a shape, or columns beside arrays."""
    if task.per != "row" and to.suffix.lower() != ARRAYS:
        raise ConfigError(
            f"--to {to} is not valid: the run gives outputs of shape {task.output_shape} for "
            f"every row, which no table holds; end it in {ARRAYS}"
        )
    if to.suffix.lower() == ARRAYS and keep:
        raise ConfigError(f"--keep is not for --to {to}: arrays have no columns beside them")


def _write_arrays(task: Task, model: Any, blocks: Iterator[Any], to: Path) -> Predicted:
    """Run the blocks through the model, and write what comes out as arrays."""
    outputs = np.concatenate([outputs_of(model, features, BLOCK) for features in blocks])
    lost = int((~np.isfinite(outputs.reshape(len(outputs), -1))).any(axis=1).sum())
    with written(to) as draft:
        draft.write_bytes(to_npz(arrays_of_outputs(task, outputs)))
    if lost:
        warnings.warn(
            f"{lost} of {len(outputs)} rows gave outputs that are no numbers", stacklevel=2
        )
    return Predicted(len(outputs), lost)


def _write(
    con: DuckDBPyConnection,
    folder: Path,
    kept: EarlierRun,
    model: Any,
    blocks: Iterator[Any],
    to: Path,
    keep: Sequence[str],
) -> Predicted:
    """Run the blocks through the model, gather what comes out, and write it as one file.

    folder: where the connection may write.
    """
    import duckdb

    task = kept.task
    rows, lost, names = 0, 0, {}
    try:
        for features in blocks:
            outputs = outputs_of(model, features, BLOCK, task.heads)
            is_lost = (~np.isfinite(outputs)).any(axis=1)
            lost += int(is_lost.sum())
            columns = predictions_of(task, outputs)
            names = _told_apart(list(columns), ["row", *keep])
            block = {f"c{i}": values for i, values in enumerate(columns.values())}
            number = np.arange(rows, rows + len(outputs))
            con.register("block", {"row": number, "is_lost": is_lost} | block)
            made = "CREATE TABLE predicted AS" if rows == 0 else "INSERT INTO predicted"
            con.execute(f"{made} FROM block")
            con.unregister("block")
            rows += len(outputs)
        file = _copied(con, folder, to, keep, list(names.values()))
    # Of the disk or the memory: what the rows hold has been read by then.
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        reason = " ".join(str(error).partition("\n\n")[0].split())
        raise ConfigError(f"--to {to} cannot be written: {reason}; nothing was changed") from None
    with written(to) as draft:
        shutil.copyfile(file, draft)
    for column, name in names.items():
        if name != column:
            warnings.warn(f"the column {column} is called {name} in {to}", stacklevel=2)
    if lost:
        warnings.warn(
            f"{lost} of {rows} rows gave outputs that are no numbers, and have no prediction: "
            "something is missing in them that the run's preprocessing does not fill",
            stacklevel=2,
        )
    return Predicted(rows, lost)


def _told_apart(columns: Sequence[str], taken: Sequence[str]) -> dict[str, str]:
    """Column -> what it is called in the file: to DuckDB `p_a` and `p_A` are one."""
    used = {name.lower() for name in taken}
    names = {}
    for column in columns:
        name, number = column, 0
        while name.lower() in used:
            number += 1
            name = f"{column}_{number}"
        used.add(name.lower())
        names[column] = name
    return names


def _copied(
    con: DuckDBPyConnection, folder: Path, to: Path, keep: Sequence[str], names: Sequence[str]
) -> Path:
    """The predictions by their names, and the columns to keep, as a file in the folder."""
    chosen = ["p.row", *(f"s.{identifier(name)}" for name in keep)]
    chosen += [
        f"CASE WHEN NOT p.is_lost THEN p.c{i} END AS {identifier(name)}"
        for i, name in enumerate(names)
    ]
    join = "JOIN source AS s ON s.rowid = p.row" if keep else ""
    form = WRITERS[to.suffix.lower()]
    file = folder / f"predictions.{form}"
    con.execute(
        f"COPY (SELECT {', '.join(chosen)} FROM predicted AS p {join} "
        f"ORDER BY p.row) TO {literal(str(file))} (FORMAT {form})"
    )
    return file


def predictions_of(task: Task, outputs: Array) -> dict[str, Array]:
    """The columns that are written of some rows; of several heads, each begins with its name."""
    if task.heads:
        return {
            f"{head}_{column}": values
            for head, own in outputs_by_head(task, outputs).items()
            for column, values in predictions_of(task.heads[head], own).items()
        }
    names = names_of(task)
    if task.kind == "regression":
        if task.outputs == 1:
            return {"predicted": outputs[:, 0]}
        return {f"predicted_{name}": outputs[:, i] for i, name in enumerate(names)}
    predicted = predicted_of(task, outputs)
    if task.kind == "multilabel":
        columns: dict[str, Array] = {}
        for i, name in enumerate(names):
            columns |= {name: predicted[:, i].astype(bool), f"p_{name}": outputs[:, i]}
        return columns
    if task.kind == "binary":
        outputs = np.column_stack([1 - outputs[:, 0], outputs[:, 0]])
    likely = outputs[np.arange(len(outputs)), predicted]
    each = {f"p_{name}": outputs[:, i].copy() for i, name in enumerate(names)}
    return {"predicted": np.array(names, dtype=object)[predicted], "probability": likely} | each
