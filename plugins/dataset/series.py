"""One long time series, cut into windows."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from annotated_types import Ge

from runner import (
    DataError,
    Reading,
    Source,
    SplitPlan,
    Splits,
    Task,
    Trained,
    Word,
    Wording,
    dataset,
    one_file,
)

from ._files.blocks import PARTS, NumberedRows, streams, whole
from ._sql.steps import Steps, steps_of_array, steps_of_table
from .sql import Decimal, identity_of, table_of

Array = np.ndarray[Any, Any]
WHAT = "a .csv or .npy file with a row for each step"
OF_PATH: dict[str, Any] = {"wording": Wording("dataset.path="), "otherwise": "csv"}
Count = Annotated[int, Ge(1)]
UNUSED = -1


def _is_array(path: Path | None) -> bool:
    return path is not None and path.suffix.lower() == ".npy"


def _identity(
    *, path: Path | None, source: str | None = None, **params: Any
) -> str | Mapping[str, Path] | list[Path]:
    _check_one(path, source)
    query, secret = params.get("query"), params.get("secret")
    if path is not None and (query is None or _is_array(path)):
        return [one_file(path, WHAT)]
    return identity_of(source=str(path or source), identity=None, query=query, secret=secret)


def _check_one(path: Path | None, source: str | None) -> None:
    if (path is None) == (source is None):
        raise DataError("a series is read from dataset.path= or dataset.source=: give one of them")


@dataset(identity=_identity)
def series(
    split: SplitPlan,
    trained: Trained | None,
    *,
    path: Path | None = None,
    source: Source | None = None,
    query: str | None = None,
    target: str | int = 0,
    columns: Sequence[str | int] = (),
    time: str | None = None,
    window: Count = 24,
    horizon: Count = 1,
    stride: Count = 1,
    time_format: str | list[str] | None = None,
    missing: Sequence[Word] = (),
    decimal: Decimal = ".",
    thousands: str | None = None,
    delimiter: str | None = None,
    header: bool | None = None,
    encoding: str | None = None,
    secret: str | None = None,
    memory: Annotated[int, Ge(0)] = 1024,
) -> Splits:
    """A table or a .npy file of a time series, a row a step: from a window of steps to the next.

    Features are `window` steps of `columns` (none named: of all that are numbers), targets the
    `horizon` values of the column `target` after them; an example begins every `stride` steps.
    Columns go by name or, where none is called so, by number. time: a column to sort the rows by.

    path: a .csv, Parquet, JSON or .npy file. source, query, secret: instead, what the dataset sql
    takes. time_format, missing, decimal, thousands, delimiter, header, encoding: as of sql, too.

    The split is by time: the latest steps are test, those before them val. A window that would
    reach over a border, target and all, is left out, so that no part sees a step of another.
    With split.folds, fold i validates on the step after those that it trains on. memory: MiB of
    features up to which the windows are held in memory; beyond that they are cut when read.
    """
    if split.by not in (None, f"time:{time}"):
        raise DataError(
            f"split.by={split.by} would put overlapping windows into different parts: "
            "dataset=series divides by time, so leave split.by out"
        )
    _check_one(path, source)
    if path is not None and _is_array(path):
        steps = steps_of_array(one_file(path, WHAT))
    else:
        known = Reading.recorded(trained.reading) if trained else None
        place = {"source": str(one_file(path, WHAT)), **OF_PATH} if path is not None else {}
        # Every param by its own name.
        named = [one for one in (target, *columns, time) if isinstance(one, str)]
        times = () if time is None else (time,)
        table = table_of(locals(), label=[], features=named, **place)
        steps = steps_of_table(table, time, known)
    splits = _windows(steps, split, target, columns, (window, horizon, stride), memory)
    for line in steps.lines:
        warnings.warn(line, stacklevel=2)
    return dataclasses.replace(splits, reading=steps.reading)


def _windows(
    steps: Steps,
    split: SplitPlan,
    target: str | int,
    columns: Sequence[str | int],
    cut: tuple[int, int, int],
    memory: int,
) -> Splits:
    """The windows in their parts; cut: window, horizon and stride."""
    window, horizon, stride = cut
    goal = steps.number(target, "target")
    chosen = [steps.number(column, "columns") for column in columns] or steps.numeric
    values = steps.values(sorted({*chosen, goal}))
    order = {column: i for i, column in enumerate(sorted({*chosen, goal}))}
    inputs = values[:, [order[column] for column in chosen]]
    goals = values[:, order[goal]]
    reach = window + horizon
    if len(values) < reach:
        raise DataError(
            f"dataset.window={window} and horizon={horizon} need {reach} steps, and "
            f"{steps.where} has {len(values)}"
        )
    starts = np.arange(0, len(values) - reach + 1, stride)
    part_of = _parts(split, len(values), starts, reach)
    starts, part_of = starts[part_of != UNUSED], part_of[part_of != UNUSED]
    _check(split, part_of, reach, len(values))

    def read(rows: Array) -> tuple[Array, Array]:
        at = starts[rows][:, None]
        return inputs[at + np.arange(window)], goals[at + window + np.arange(horizon)]

    rows = NumberedRows(
        what=steps.where,
        rows=len(starts),
        row_bytes=values.itemsize * (window * len(chosen) + horizon),
        read=read,
        part=lambda rows: part_of[rows],
        files=steps.files,
    )
    task = Task.regression(horizon)
    return whole(rows, task) if rows.fits <= memory else streams(rows, split, task)


def _parts(split: SplitPlan, steps: int, starts: Array, reach: int) -> Array:
    """The part of every window by the steps that it reaches; UNUSED where they are of two."""
    test = steps - round(steps * split.test)
    if split.folds is None:
        val = test - round(steps * split.val)
        borders, parts = [0, val, test, steps], [0, 1, 2]
    else:
        # Folds go forward: each validates on a piece, and trains on all that was before.
        train = round(test * (split.fold + 1) / (split.folds + 1))
        val = round(test * (split.fold + 2) / (split.folds + 1))
        borders, parts = [0, train, val, test, steps], [0, 1, UNUSED, 2]
    part_of = np.full(len(starts), UNUSED)
    for (begin, end), part in zip(pairwise(borders), parts, strict=True):
        part_of[(starts >= begin) & (starts + reach <= end)] = part
    return part_of


def _check(split: SplitPlan, part_of: Array, reach: int, steps: int) -> None:
    """Raise DataError where a part that should have windows has none."""
    shares = (1.0, float(split.folds or split.val), split.test)
    for part, (name, share) in enumerate(zip(PARTS, shares, strict=True)):
        if share and not (part_of == part).any():
            raise DataError(
                f"no window of {reach} steps (dataset.window and horizon together) fits into "
                f"{name}, which is a part of {steps} steps: take a shorter one, or a larger "
                f"split.{name}"
            )
