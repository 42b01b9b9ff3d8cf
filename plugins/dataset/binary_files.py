"""Many files of numbers, each a time series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from runner import (
    AskedTask,
    Data,
    DataError,
    MissingLabel,
    SplitPlan,
    Splits,
    dataset,
    from_home,
    keyed,
    labelled,
    numbers_or_text,
    targets_of,
)

from ._files.blocks import PARTS, NumberedRows, part_of_rows, streams, whole
from ._files.classes import by_folder, parts_by_folder
from ._files.groups import parts_of_groups
from ._files.number_types import ByteOrder, Number, number_type, numbers_type
from ._files.paths import by_name, matching
from ._files.sidecar import by_pattern, by_table

Array = np.ndarray[Any, Any]
Count = Annotated[int, Ge(0)]


def _files(*, path: Path, csv: Path | None, **_: Any) -> dict[str, Path]:
    files = by_name(matching(path, "files of numbers"))
    return files if csv is None else {**files, "dataset.csv": from_home(csv)}


@dataset(identity=_files)
def binary_files(
    split: SplitPlan,
    *,
    path: Path,
    label: Literal["folder", "name", "csv", "first", "last"] = "folder",
    pattern: str | None = None,
    csv: Path | None = None,
    dtype: Number = "float32",
    shape: Sequence[Annotated[int, Ge(1)]] = (),
    header: Count = 0,
    label_dtype: Number = "int32",
    byte_order: ByteOrder = "little",
    window: Annotated[int, Ge(1)] | None = None,
    stride: Annotated[int, Ge(1)] | None = None,
    task: AskedTask = "auto",
    missing_label: MissingLabel = "refuse",
    memory: Count = 1024,
) -> Data | Splits:
    """The files that a pattern such as data/**/*.bin matches, each a series of steps.

    label: the folder's name; what `pattern`, a regular expression with one group, finds in the
    file's name; the column label of the table `csv`, beside its column file; or a number of type
    `label_dtype`, first or last in the file. shape: of one step, numbers of type `dtype`; [] is
    one number. header: bytes that are passed over. window: steps of an example, `stride` steps
    after the one before (as a rule, `window`); null makes a whole file one example.
    missing_label: whether files without a label are refused or dropped. memory: MiB of float32
    features up to which the data are held in memory; beyond that they are read in blocks.

    All windows of a file fall into one part of the split, by the file's name; split.by=group: and
    column: take the other columns of the table too. Files in train/, test/ and maybe val/ are that
    part, their class the folder beside that.
    """
    files = matching(path, "files of numbers")
    kind = numbers_type("shape", dtype, byte_order, shape)
    tag = number_type(label_dtype, byte_order) if label in ("first", "last") else None
    layout = Layout(kind, header, tag, label == "first")
    columns = {"file": list(by_name(files))}
    if label == "csv":
        columns |= by_table(files, csv)
        labels = numbers_or_text(columns.pop("label"))
    elif label == "name":
        labels = numbers_or_text(by_pattern(files, pattern))
    elif label == "folder":
        labels = np.array(by_folder(files))
    else:
        labels = np.array([layout.label(file) for file in files])
    where = f"dataset.label={label} of {path}"
    kept = np.flatnonzero(labelled(where, labels, missing_label))
    files = [files[i] for i in kept]
    columns = {name: [values[i] for i in kept] for name, values in columns.items()}
    [targets], resolved = targets_of(where, [labels[kept]], task)
    windows = _windows(files, layout, window, stride)
    given = parts_by_folder(files)
    source = NumberedRows(
        what=f"dataset.path={path}",
        rows=windows.rows,
        row_bytes=4 * windows.length * int(np.prod(shape)),
        read=lambda rows: (windows.read(rows), targets[windows.file_of(rows)]),
        part=lambda rows: split.assign(windows.read(rows)),
        files=files,
    )
    if source.fits <= memory and split.by is not None:
        file_of = windows.file_of(np.arange(windows.rows))
        by_row = {name: np.array(values)[file_of] for name, values in columns.items()}
        part = None if given is None else given[file_of]
        keys = by_row.get("file")
        return Data(*source.everything, resolved, columns=by_row, part=part, keys=keys)
    if (split.by or "").startswith("column:"):
        given = split.named(np.array(_column(split, columns)))
    if split.by == "hash":
        of_rows = None if given is None else np.repeat(given, windows.of_file)
        by_content, split = part_of_rows(split, of_rows, lambda rows: [windows.read(rows)])
        source = replace(source, part=by_content)
    else:
        classes = targets if resolved.kind in ("classification", "binary") else None
        part_of, split = _parts(split, columns, classes, given, windows.of_file)
        source = replace(source, part=lambda rows: part_of[windows.file_of(rows)])
    return streams(source, split, resolved) if source.fits > memory else whole(source, resolved)


def _parts(
    split: SplitPlan,
    columns: dict[str, list[str]],
    classes: Array | None,
    given: Array | None,
    rows: Array,
) -> tuple[Array, SplitPlan]:
    """The part of every file, and the split by which those are drawn that are not given.

    rows: how many each file has.
    """
    if given is None:
        return _drawn(split, columns, classes), split
    rest = split.rest(np.bincount(given, rows, len(PARTS)).astype(int).tolist())
    part_of = given.copy()
    if rest.val or rest.folds:
        train = np.flatnonzero(given == 0)
        of_train = {name: [values[i] for i in train] for name, values in columns.items()}
        part_of[train] = _drawn(rest, of_train, None if classes is None else classes[train])
    return part_of, rest


def _drawn(split: SplitPlan, columns: dict[str, list[str]], classes: Array | None) -> Array:
    """The part of every file, by its name or by the column that the config names."""
    if split.by is None:
        return parts_of_groups(columns["file"], classes, split)
    way, column = split.by.partition(":")[0], split.column or ""
    if way == "time":
        raise DataError(
            f"split.by={split.by} needs all the data in memory: raise dataset.memory, or take "
            f"split.by=group:{column}"
        )
    values = _column(split, columns)
    if way == "hash":
        return split.assign(np.array(values))
    groups, group_of = np.unique(values, return_inverse=True)
    return parts_of_groups([str(group) for group in groups], None, split)[group_of]


def _column(split: SplitPlan, columns: dict[str, list[str]]) -> list[str]:
    """The values, one a file, that `split.by` names; DataError where there are none."""
    column = split.column or ""
    if column not in columns:
        have = ", ".join(sorted(columns))
        raise DataError(f"split.by={split.by} names no column of the files: there are {have}")
    keyed(split.by or "", column, np.array(columns[column]))
    return columns[column]


@dataclass(frozen=True)
class Layout:
    """What stands where in a file."""

    step: np.dtype[Any]
    header: int
    tag: np.dtype[Any] | None
    """The type of the label where the file holds it."""
    tag_first: bool

    @property
    def begin(self) -> int:
        """The byte of the first step."""
        return self.header + (self.tag.itemsize if self.tag is not None and self.tag_first else 0)

    def steps(self, file: Path) -> int:
        """How many steps the file has; DataError where that is no whole number from 1 on."""
        size = file.stat().st_size
        other = self.header + (self.tag.itemsize if self.tag is not None else 0)
        steps, over = divmod(size - other, self.step.itemsize)
        if over or steps < 1:
            raise DataError(
                f"{file} has {size} bytes: {other} of header and label and {max(0, steps)} steps "
                f"of {self.step.itemsize} bytes leave {over if steps >= 0 else 'less than none'} "
                "over; the file is cut off, or dataset.shape, dtype or header is not what was "
                "written"
            )
        return steps

    def label(self, file: Path) -> Any:
        """The label that the file holds."""
        assert self.tag is not None
        at = self.header if self.tag_first else file.stat().st_size - self.tag.itemsize
        return np.fromfile(file, self.tag, 1, offset=at)[0]

    def read(self, file: Path, starts: Array, length: int) -> Array:
        """Windows of the file from these steps on: (windows, length, *step)."""
        first, end = int(starts[0]), int(starts[-1]) + length
        kind, shape = self.step.base, self.step.shape
        per_step = int(np.prod(shape))
        at = self.begin + first * self.step.itemsize
        numbers = np.fromfile(file, kind, (end - first) * per_step, offset=at)
        # Numbers of four bytes and more may be such that float32 would change.
        wide = kind.itemsize > 2 and kind.name != "float32"
        steps = numbers.astype("float64" if wide else "float32").reshape(end - first, *shape)
        return steps[(starts - first)[:, None] + np.arange(length)]


@dataclass(frozen=True)
class Windows:
    """All windows of all files, numbered file by file."""

    files: Sequence[Path]
    layout: Layout
    ends: Array
    """The number after each file's last window, (files,)."""
    length: int
    stride: int

    @property
    def rows(self) -> int:
        """How many windows there are."""
        return int(self.ends[-1])

    @property
    def of_file(self) -> Array:
        """How many windows each file has."""
        return np.diff(self.ends, prepend=0)

    def file_of(self, rows: Array) -> Array:
        """The number of the file that each of these windows is of."""
        return np.searchsorted(self.ends, rows, side="right")

    def read(self, rows: Array) -> Array:
        """These windows, which ascend: (windows, length, *step)."""
        file_of = self.file_of(rows)
        pieces = []
        for file in np.unique(file_of):
            mine = rows[file_of == file]
            before = self.ends[file - 1] if file else 0
            starts = (mine - before) * self.stride
            pieces.append(self.layout.read(self.files[file], starts, self.length))
        return np.concatenate(pieces)


def _windows(
    files: Sequence[Path], layout: Layout, window: int | None, stride: int | None
) -> Windows:
    """The windows of the files; DataError names a file that does not hold one."""
    steps = np.array([layout.steps(file) for file in files])
    if window is None:
        differs = np.flatnonzero(steps != steps[0])
        if len(differs):
            raise DataError(
                f"the files are not of one length: {files[0].name} has {steps[0]} steps and "
                f"{files[differs[0]].name} {steps[differs[0]]}; give dataset.window="
            )
    length = window or int(steps[0])
    short = np.flatnonzero(steps < length)
    if len(short):
        raise DataError(
            f"dataset.window={length} is longer than {files[short[0]].name}, which has "
            f"{steps[short[0]]} steps (so are {len(short)} of {len(files)} files)"
        )
    stride = stride or length
    return Windows(files, layout, np.cumsum((steps - length) // stride + 1), length, stride)
