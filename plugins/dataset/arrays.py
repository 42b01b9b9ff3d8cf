"""Arrays of the user's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from runner import (
    AskedTask,
    Data,
    DataError,
    Labels,
    MissingLabel,
    SplitPlan,
    Splits,
    Task,
    block_type,
    compact,
    dataset,
    labelled,
    numpy_arrays,
    one_file,
    targets_of,
)

from ._files.blocks import SAMPLE_ROWS, NumberedRows, only_by_content, streams

Array = np.ndarray[Any, Any]
PARTS = ("train", "val", "test")
MOST = 10_000
"""More classes than these are a mistake."""
Places = Literal["segmentation", "tagging", "forecast"]
RANKS: dict[str, tuple[tuple[int, ...], str]] = {
    "segmentation": ((3,), "(rows, height, width)"),
    "tagging": ((2,), "(rows, steps)"),
    "forecast": ((2, 3), "(rows, steps) or (rows, steps, values)"),
}
"""The axes of y for a task with an output for each pixel or step."""
NPZ, NPY, NPY_TARGETS = "an .npz file", "a .npy file of features", "a .npy file of targets"
OTHER_NAMES = {"features": "x", "targets": "y"}


def _files(*, path: Path, targets: Path | None, **_: Any) -> list[Path]:
    if targets is None:
        return [one_file(path, NPZ)]
    return [one_file(path, NPY), one_file(targets, NPY_TARGETS, "dataset.targets=")]


@dataset(identity=_files)
def arrays(
    split: SplitPlan,
    *,
    path: Path,
    targets: Path | None = None,
    task: AskedTask | Places = "auto",
    missing_label: MissingLabel = "refuse",
    memory: Annotated[int, Ge(0)] = 1024,
) -> Data | Splits:
    """Your own .npz file: x and y, or x_train, y_train and maybe x_val, y_val, x_test, y_test.

    Instead of x and y, features and targets will do. With `targets` given, path and targets are
    two .npy files; if the features take more than `memory` MiB as float32, they stay on disk,
    are read in blocks, and each row goes into train, val or test by its content.

    task: what y is; auto goes by its values: text and few whole numbers are classes (two of
    them: binary), columns of 0 and 1 are labels, or classes where every row has exactly one 1;
    anything else is values; segmentation: classes of pixels, (rows, height, width); tagging:
    classes of steps, (rows, steps), -1 for padding; forecast: steps to come, (rows, steps) or
    (rows, steps, values). missing_label: whether rows without a label (NaN, None, empty text)
    are refused or dropped. Raises DataError for a file that is missing, is of another kind, or
    whose arrays do not fit together.
    """
    if targets is not None:
        return _two_files(split, path, targets, task, missing_label, memory)
    file = one_file(path, NPZ)
    held = _read(file)
    if "x_train" in held:
        parts = {
            part: _pair(file, held, f"_{part}", task) for part in PARTS if f"x_{part}" in held
        }
        _agree(file, parts)
    else:
        parts = {"all": _pair(file, held, "", task)}
    for part, (x, y) in parts.items():
        rows = labelled(
            f"y in {file}" if part == "all" else f"y_{part} in {file}", y, missing_label
        )
        parts[part] = (x, y) if rows.all() else (x[rows], y[rows])
    by_part, known = _targets_of(f"y in {file}", [y for _, y in parts.values()], task)
    pairs = {name: (parts[name][0], y) for name, y in zip(parts, by_part, strict=True)}
    if "all" in pairs:
        return Data(*pairs["all"], known)
    return Splits(pairs["train"], pairs.get("val"), pairs.get("test"), known)


def _targets_of(
    where: str, parts: Sequence[Array], asked: AskedTask | Places
) -> tuple[list[Array], Task]:
    """The targets of the parts and their task."""
    if asked in RANKS:
        return _of_places(where, parts, asked)
    return targets_of(where, parts, asked)  # type: ignore[arg-type]  # mypy knows no narrowing


def _of_places(where: str, parts: Sequence[Array], asked: str) -> tuple[list[Array], Task]:
    """Targets with an axis for steps, or two for pixels, and their task."""
    if any(part.dtype.kind not in "fiub" for part in parts):
        raise DataError(f"{where} is of type {parts[0].dtype}: dataset.task={asked} takes numbers")
    if asked == "forecast":
        values = parts[0].shape[2] if parts[0].ndim == 3 else 1
        return [part.astype("float32") for part in parts], Task.forecast(values)
    if any((part % 1 != 0).any() for part in parts):
        raise DataError(f"{where} holds other than whole numbers: dataset.task={asked} needs them")
    classes = 1 + max(int(part.max()) for part in parts)
    if not 2 <= classes <= MOST:
        raise DataError(
            f"{where} has {classes - 1} as its highest class: dataset.task={asked} takes classes "
            f"0, 1 and so on, up to {MOST - 1}"
        )
    task = Task.segmentation(classes) if asked == "segmentation" else Task.tagging(classes)
    return [part.astype("int32") for part in parts], task


def _two_files(
    split: SplitPlan,
    path: Path,
    targets: Path,
    asked: AskedTask | Places,
    missing_label: MissingLabel,
    memory: int,
) -> Data | Splits:
    """Features and targets from a .npy file each, the features mapped."""
    file = one_file(path, NPY)
    x = _mapped(file, "path")
    y_file = one_file(targets, NPY_TARGETS, "dataset.targets=")
    y = np.array(_mapped(y_file, "targets"))
    _check("the features", "the targets", f"{file} and {y_file}", x, y, asked)
    y = y[:, 0] if y.shape[1:] == (1,) else y
    where = f"dataset.targets={y_file}"
    kept = np.flatnonzero(labelled(where, y, missing_label))
    if asked in RANKS:
        [made], task = _of_places(where, [y], asked)

        def targets_at(rows: Array) -> Array:
            return made[rows]

    else:
        labels = Labels(where, asked)  # type: ignore[arg-type]  # as above
        labels.see(y[kept])
        task = labels.settle()

        def targets_at(rows: Array) -> Array:
            return labels.targets(y[rows])

    kind = block_type(np.asarray(x[:: max(1, len(x) // SAMPLE_ROWS)]))

    def features(rows: Array) -> Array:
        first, last = int(rows[0]), int(rows[-1])
        # Mapped anew for every read, so that memory is given back.
        near = _mapped(file, "path")[first : last + 1]
        return np.asarray(near if len(near) == len(rows) else near[rows - first], kind)

    source = NumberedRows(
        what=f"dataset.path={file}",
        rows=len(x),
        row_bytes=4 * int(np.prod(x.shape[1:])),
        read=lambda rows: (features(rows), targets_at(rows)),
        part=lambda rows: split.assign(features(rows)),
        files=[file],
    ).only(kept)
    if source.fits <= memory:
        return Data(*source.everything, task)
    only_by_content(split, "a .npy file")
    return streams(source, split, task)


def _mapped(file: Path, key: str) -> Array:
    """The array of a .npy file, on disk; DataError if it is not such a file."""
    try:
        array = numpy_arrays(file, mapped=True)
    except ValueError:
        array = {}
    if isinstance(array, dict):
        raise DataError(
            f"dataset.{key}={file} is not a .npy file of a plain array, or is cut off: write it "
            "with numpy.save(path, array)"
        )
    return array


def _read(file: Path) -> dict[str, Array]:
    """The file's arrays by name; DataError if it is not such a file."""
    try:
        held = numpy_arrays(file)
    except ValueError as error:
        held, reason = None, f" ({error})"
    else:
        reason = ""
    if not isinstance(held, dict):
        more = ", or give dataset.targets= beside a .npy file" if file.suffix == ".npy" else ""
        raise DataError(
            f"dataset.path={file} is not an .npz file of plain arrays{reason}: write it with "
            f"numpy.savez(path, x=, y=){more}"
        )
    return {OTHER_NAMES.get(name, name): array for name, array in held.items()}


def _pair(
    file: Path, held: dict[str, Array], tail: str, asked: AskedTask | Places
) -> tuple[Array, Array]:
    """x and y of one part, as many rows each; features as float32, if that tells them apart."""
    for name in (f"x{tail}", f"y{tail}"):
        if name not in held:
            have = ", ".join(sorted(held)) or "nothing"
            raise DataError(
                f"{file} has no array {name} (it holds {have}): give x and y, or x_train and "
                "y_train"
            )
    x, y = held[f"x{tail}"], held[f"y{tail}"]
    _check(f"x{tail}", f"y{tail}", str(file), x, y, asked)
    return compact(x), y[:, 0] if y.shape[1:] == (1,) else y


def _check(x_name: str, y_name: str, where: str, x: Array, y: Array, asked: str) -> None:
    """Raise DataError where two arrays are no features and targets."""
    if x.ndim < 2:
        raise DataError(
            f"{x_name} in {where} has shape {x.shape}: it must be (rows, features, ...)"
        )
    if x.dtype.kind not in "fiub":
        raise DataError(f"{x_name} in {where} is of type {x.dtype}: it must hold real numbers")
    ranks, axes = RANKS.get(asked, ((1, 2), "(rows,) or (rows, n)"))
    if y.ndim not in ranks:
        others = f", or dataset.task= {', '.join(RANKS)}" if y.ndim > 2 else ""
        raise DataError(
            f"{y_name} in {where} has shape {y.shape}: it must be {axes}"
            f"{others if asked not in RANKS else f' for dataset.task={asked}'}"
        )
    if len(x) != len(y):
        raise DataError(
            f"{x_name} and {y_name} in {where} differ: {len(x)} rows and {len(y)} rows"
        )
    if x.size == 0:
        raise DataError(f"{x_name} in {where} is empty: its shape is {x.shape}")


def _agree(file: Path, parts: dict[str, tuple[Array, Array]]) -> None:
    """Raise DataError where the parts' examples are not alike."""
    x, y = parts["train"]
    for part, (other_x, other_y) in parts.items():
        if other_x.shape[1:] != x.shape[1:] or other_y.shape[1:] != y.shape[1:]:
            raise DataError(
                f"the parts of {file} differ in shape: x_train {x.shape}, y_train {y.shape}, but "
                f"x_{part} {other_x.shape}, y_{part} {other_y.shape}"
            )
