"""Arrays of the user's own."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runner import Data, DataError, Splits, Task, dataset

Array = np.ndarray[Any, Any]
Asked = Literal["auto", "classification", "binary", "multilabel", "regression"]
PARTS = ("train", "val", "test")
MANY_CLASSES = 1000
"""More than that, and whole numbers are rather values than classes."""


def _files(*, path: Path, task: Asked) -> list[Path]:
    return [path.expanduser()]


@dataset(identity=_files)
def arrays(*, path: Path, task: Asked = "auto") -> Data | Splits:
    """Your own .npz file: x and y, or x_train, y_train and maybe x_val, y_val, x_test, y_test.

    task: what y is; auto goes by its type: text or whole numbers are classes (0 and 1 alone:
    binary), columns of 0 and 1 are labels, anything else is values. Raises DataError for a file
    that is missing, is no .npz, or whose arrays do not fit together.
    """
    file = path.expanduser()
    held = _read(file)
    if "x_train" in held:
        parts = {part: _pair(file, held, f"_{part}") for part in PARTS if f"x_{part}" in held}
        _agree(file, parts)
    else:
        parts = {"all": _pair(file, held, "")}
    targets, found = _targets(file, [y for _, y in parts.values()], task)
    pairs = {name: (parts[name][0], y) for name, y in zip(parts, targets, strict=True)}
    if "all" in pairs:
        return Data(*pairs["all"], found)
    return Splits(pairs["train"], pairs.get("val"), pairs.get("test"), found)


def _read(file: Path) -> dict[str, Array]:
    """The file's arrays; DataError if it is not such a file."""
    if not file.is_file():
        what = "is a directory" if file.is_dir() else "does not exist"
        raise DataError(f"dataset.path={file} {what}: give the path of an .npz file")
    if file.stat().st_size == 0:
        raise DataError(f"dataset.path={file} is empty: write it with numpy.savez(path, x=, y=)")
    try:
        with np.load(file, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (AttributeError, TypeError, OSError, zipfile.BadZipFile, ValueError, EOFError):
        raise DataError(
            f"dataset.path={file} is not an .npz file of plain arrays: write it with "
            "numpy.savez(path, x=, y=)"
        ) from None


def _pair(file: Path, held: dict[str, Array], tail: str) -> tuple[Array, Array]:
    """x and y of one part, as many rows each; features as float32."""
    for name in (f"x{tail}", f"y{tail}"):
        if name not in held:
            have = ", ".join(sorted(held)) or "nothing"
            raise DataError(
                f"{file} has no array {name} (it holds {have}): give x and y, or x_train and "
                "y_train"
            )
    x, y = held[f"x{tail}"], held[f"y{tail}"]
    if x.ndim < 2:
        raise DataError(f"x{tail} in {file} has shape {x.shape}: it must be (rows, features, ...)")
    if x.dtype.kind not in "fiub":
        raise DataError(f"x{tail} in {file} is of type {x.dtype}: it must hold real numbers")
    if y.ndim not in (1, 2):
        raise DataError(f"y{tail} in {file} has shape {y.shape}: it must be (rows,) or (rows, n)")
    if len(x) != len(y):
        raise DataError(f"x{tail} and y{tail} in {file} differ: {len(x)} rows and {len(y)} rows")
    if x.size == 0:
        raise DataError(f"x{tail} in {file} is empty: its shape is {x.shape}")
    return x.astype("float32"), y[:, 0] if y.shape[1:] == (1,) else y


def _agree(file: Path, parts: dict[str, tuple[Array, Array]]) -> None:
    """Raise DataError where the parts' examples are not alike."""
    x, y = parts["train"]
    for part, (other_x, other_y) in parts.items():
        if other_x.shape[1:] != x.shape[1:] or other_y.shape[1:] != y.shape[1:]:
            raise DataError(
                f"the parts of {file} differ in shape: x_train {x.shape}, y_train {y.shape}, but "
                f"x_{part} {other_x.shape}, y_{part} {other_y.shape}"
            )


def _targets(file: Path, targets: list[Array], asked: Asked) -> tuple[list[Array], Task]:
    """The parts' targets in the task's type, and the task."""
    every = np.concatenate(targets)
    if every.dtype.kind not in "fiubUS":
        raise DataError(f"y in {file} is of type {every.dtype}: it must hold numbers or text")
    names: tuple[str, ...] = ()
    if every.dtype.kind in "US":
        found, every = np.unique(every, return_inverse=True)
        names = tuple(str(name) for name in found)
        every = every.reshape(np.concatenate(targets).shape)
    kind = _guess(file, every) if asked == "auto" else asked
    _fits(file, every, kind)
    if kind == "regression":
        task = Task.regression(1 if every.ndim == 1 else every.shape[1])
    elif kind == "multilabel":
        task = Task.multilabel(every.shape[1])
    elif kind == "binary":
        task = Task.binary(names)
    else:
        task = Task.classification(len(names) or int(every.max()) + 1, names)
    every = every.astype("int64" if kind in ("classification", "binary") else "float32")
    return np.split(every, np.cumsum([len(y) for y in targets])[:-1]), task


def _guess(file: Path, y: Array) -> Asked:
    """The kind of task that such targets are for; DataError where they may be two."""
    zeros_and_ones = bool(np.isin(y, (0, 1)).all())
    if y.ndim == 2:
        return "multilabel" if zeros_and_ones else "regression"
    if zeros_and_ones:
        return "binary"
    if y.dtype.kind == "f":
        return "regression"
    if y.max() >= MANY_CLASSES or y.min() < 0:
        raise DataError(
            f"y in {file} holds whole numbers from {y.min()} to {y.max()}, which may be classes "
            "or values: say dataset.task=classification or dataset.task=regression"
        )
    return "classification"


def _fits(file: Path, y: Array, kind: str) -> None:
    """Raise DataError where targets cannot be what the task says."""
    if kind in ("classification", "binary"):
        if y.ndim != 1:
            raise DataError(f"y in {file} has shape {y.shape}: {kind} needs shape (rows,)")
        if not np.isfinite(y).all() or (y != np.floor(y)).any() or y.min() < 0:
            raise DataError(f"y in {file} holds other than whole numbers from 0 on: not classes")
    if kind == "multilabel" and y.ndim != 2:
        raise DataError(f"y in {file} has shape {y.shape}: multilabel needs shape (rows, labels)")
    if kind in ("binary", "multilabel") and not np.isin(y, (0, 1)).all():
        raise DataError(f"y in {file} holds other values than 0 and 1: not {kind}")
    if not np.isfinite(y).all():
        raise DataError(f"y in {file} holds NaN or infinite values: drop those rows")
