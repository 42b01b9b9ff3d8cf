"""The split that is looked at, how wrong the model is in each of its rows, and their pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from runner import (
    DataError,
    SplitRows,
    Task,
    choices,
    outputs_by_head,
    predicted_of,
    targets_by_head,
)

Array = np.ndarray[Any, Any]
Split = Literal["auto", "train", "val", "test"]
"""The split that an evaluator looks at; auto: test, else val, else what there is."""


def chosen_split(splits: Mapping[str, SplitRows], wanted: str) -> str:
    """The name of the split; DataError where there is none of that name."""
    if wanted == "auto":
        return next((name for name in ("test", "val") if name in splits), next(iter(splits)))
    if wanted not in splits:
        raise DataError(f"there is no split '{wanted}' to look at: {choices(wanted, splits)}")
    return wanted


def of_head(
    task: Task, targets: Array, outputs: Array, head: str | None
) -> tuple[Task, Array, Array]:
    """The task, targets and outputs of one head; where there is but one task, as they are.

    Raises DataError where several heads leave open which, or there is none of the name, and for
    outputs with places.
    """
    targets, outputs = np.asarray(targets), np.asarray(outputs)
    if task.per != "row":
        raise DataError(
            f"it looks at outputs of one row of numbers, and those of the task {task.said} have "
            f"the shape {task.output_shape}: leave it out"
        )
    if not task.heads and head is None:
        return task, targets, outputs
    if head is None or head not in task.heads:
        have = choices(head or "", task.heads) if task.heads else "the data have one task"
        raise DataError(f"the param `head` names the head to look at: {have}")
    own = targets_by_head(task, targets), outputs_by_head(task, outputs)
    return task.heads[head], own[0][head], own[1][head]


def drawn(rows: int, most: int, seed: int) -> Array:
    """At most so many row numbers, drawn from the seed, in order."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def taken(features: Any, rows: Array) -> Any:
    """Some of the rows of an array, or of arrays by name."""
    if isinstance(features, dict):
        return {name: array[rows] for name, array in features.items()}
    return features[rows]


def keys_at(held: SplitRows, rows: Array) -> Array:
    """What some of the rows are called: their keys, or their places."""
    return rows if held.keys is None else held.keys[rows]


def called(key: Any) -> str:
    """A row's key as a caption has it."""
    return key if isinstance(key, str) else f"row {key}"


def pictures_of(features: Any, rows: int) -> Any:
    """The pixels of each of so many rows, or None for each where they are no pictures."""
    return as_pixels(features) if are_pictures(features) else [None] * rows


def errors_of(task: Task, targets: Array, outputs: Array) -> Array:
    """How wrong each row is, (rows,): 1 less the probability of what it is, or the mean distance.

    Of several labels the mean over them.
    """
    targets = np.asarray(targets).reshape(len(outputs), -1)
    if task.kind == "classification":
        rows = np.arange(len(outputs))
        return np.asarray(1 - outputs[rows, targets[:, 0].astype(int)], dtype=np.float64)
    return np.asarray(np.abs(targets - outputs).mean(axis=1), dtype=np.float64)


def scores_of(task: Task, targets: Array, outputs: Array) -> tuple[str, float]:
    """One number of which more is better, and its name: accuracy, or less the mean distance."""
    targets = np.asarray(targets).reshape(len(outputs), -1)
    if task.kind == "regression":
        return "-mae", -float(np.abs(targets - outputs).mean())
    predicted = np.asarray(predicted_of(task, outputs)).reshape(len(outputs), -1)
    return "accuracy", float((predicted == targets).mean())


def said(task: Task, names: tuple[str, ...], values: Array) -> list[str]:
    """What targets or predictions, (rows,) or (rows, values), are called, a text a row."""
    values = np.asarray(values).reshape(len(values), -1)
    if task.kind in ("classification", "binary"):
        return [names[int(row[0])] for row in values]
    if task.kind == "multilabel":
        return [
            ", ".join(name for name, there in zip(names, row, strict=True) if there) or "none"
            for row in values
        ]
    return [", ".join(f"{value:.4g}" for value in row) for row in values]


def are_pictures(features: Any) -> bool:
    """Whether rows are pictures: (rows, height, width), or with 1, 3 or 4 channels."""
    if isinstance(features, dict) or features.dtype.kind in "OSU":
        return False
    return features.ndim == 3 or (features.ndim == 4 and features.shape[-1] in (1, 3, 4))


def as_pixels(pictures: Array) -> Array:
    """Pictures as uint8, (rows, height, width) or (rows, height, width, 3), from dark to light."""
    pictures = np.asarray(pictures, dtype=np.float64)
    if pictures.ndim == 4:
        pictures = pictures[..., 0] if pictures.shape[-1] == 1 else pictures[..., :3]
    low, high = pictures.min(initial=0), pictures.max(initial=0)
    return np.asarray((pictures - low) / ((high - low) or 1) * 255, dtype=np.uint8)
