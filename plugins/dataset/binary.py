"""One file of fixed-length records."""

from __future__ import annotations

import functools
from dataclasses import dataclass
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
    block_type,
    dataset,
    missing_in,
    one_file,
)

from ._files.blocks import SAMPLE_ROWS, NumberedRows, blocks, only_by_content, streams
from ._files.number_types import ByteOrder, Number, numbers_type

Array = np.ndarray[Any, Any]
WHAT = "a file of records"
Count = Annotated[int, Ge(0)]


def _files(*, path: Path, **_: Any) -> list[Path]:
    return [one_file(path, WHAT)]


@dataset(identity=_files)
def binary(
    split: SplitPlan,
    *,
    path: Path,
    shape: list[Annotated[int, Ge(1)]],
    dtype: Number = "float32",
    label: Literal["first", "last"] | Count = "last",
    label_dtype: Number = "int32",
    label_values: Annotated[int, Ge(1)] = 1,
    header: Count = 0,
    record: Annotated[int, Ge(1)] | None = None,
    start: Count | None = None,
    byte_order: ByteOrder = "little",
    task: AskedTask = "auto",
    missing_label: MissingLabel = "refuse",
    memory: Count = 1024,
) -> Data | Splits:
    """One binary file of records of equal length, each an example's features and its label.

    shape: of one example's features, numbers of type `dtype`. label: first or last in the record,
    or the byte of the record where it begins; it is `label_values` numbers of type `label_dtype`.
    header: bytes before the first record. record: bytes of a record, and start: the byte where
    its features begin, for records that hold more. missing_label: whether records whose label is
    NaN are refused or dropped. memory: MiB of float32 features up to which
    the data are held in memory; of a larger file blocks are read, in every epoch anew, and each
    record goes into train, val or test by its content, as with split.by=hash.

    Raises DataError where the file is no whole number of records, with the numbers.
    """
    file = one_file(path, WHAT)
    numbers = numbers_type("shape", dtype, byte_order, shape)
    labels = numbers_type("label_values", label_dtype, byte_order, [label_values])
    kind = _record_type(numbers, labels, label, start, record)
    records = Records(file, header, kind, _rows(file, header, kind))
    seen, kept = records.survey(task, missing_label)
    resolved = seen.settle()
    source = NumberedRows(
        what=f"dataset.path={file}",
        rows=records.rows,
        row_bytes=max(4 * int(np.prod(shape)), kind.itemsize),
        read=lambda rows: (records.features(rows), seen.targets(records.labels(rows))),
        part=lambda rows: split.assign(records.features(rows)),
        files=[file],
    ).only(kept)
    if source.fits <= memory:
        return Data(*source.everything, resolved)
    only_by_content(split, "a file of records")
    return streams(source, split, resolved)


@dataclass(frozen=True)
class Records:
    """The records of a file, mapped anew for every read, so that memory is given back."""

    file: Path
    header: int
    kind: np.dtype[Any]
    rows: int

    def features(self, rows: Array) -> Array:
        """Features of the records of these numbers, in a type that tells them apart."""
        return self._field("features", rows).astype(self.kept_as)

    @functools.cached_property
    def kept_as(self) -> str:
        """The type in which features are given, by records from all over the file."""
        step = max(1, self.rows // SAMPLE_ROWS)
        sample = self._field("features", np.arange(0, self.rows, step))
        return block_type(sample.astype(sample.dtype.newbyteorder("=")))

    def labels(self, rows: Array) -> Array:
        """Labels of these records: (rows,) where a record has one, else (rows, values)."""
        values = self._field("label", rows)
        values = values.astype(values.dtype.newbyteorder("="))
        return values[:, 0] if values.shape[1] == 1 else values

    def _field(self, name: str, rows: Array) -> Array:
        whole = np.memmap(self.file, self.kind, "r", self.header, (self.rows,))
        first, last = int(rows[0]), int(rows[-1])
        near = whole[first : last + 1]
        return near[name] if len(near) == len(rows) else near[rows - first][name]

    def survey(self, asked: AskedTask, missing_label: MissingLabel) -> tuple[Labels, Array]:
        """The labels of the whole file, and which records have one."""
        labels = Labels(f"the label in {self.file}", asked)
        kept = []
        for rows in blocks(self.rows, self.kind.itemsize):
            values = self.labels(rows)
            if missing_label == "drop":
                present = ~missing_in(values)
                rows, values = rows[present], values[present]
            labels.see(values)
            kept.append(rows)
        return labels, np.concatenate(kept)


def _record_type(
    features: np.dtype[Any],
    label: np.dtype[Any],
    place: Literal["first", "last"] | int,
    start: int | None,
    record: int | None,
) -> np.dtype[Any]:
    """The structured type of one record; DataError where its parts overlap or do not fit."""
    begin = start if start is not None else (label.itemsize if place == "first" else 0)
    end = begin + features.itemsize
    if place == "first":
        at = 0
    elif place == "last":
        at = end if record is None else record - label.itemsize
    else:
        at = place
    whole = record or max(end, at + label.itemsize)
    if at < 0 or max(end, at + label.itemsize) > whole:
        raise DataError(
            f"dataset.record={whole} is too short: the features take the bytes {begin} to {end}, "
            f"the label {label.itemsize} more"
        )
    if at < end and begin < at + label.itemsize:
        raise DataError(
            f"dataset.label={place} lies within the features: they take the bytes {begin} to "
            f"{end} of a record, the label {at} to {at + label.itemsize}; dataset.start says "
            "where the features begin"
        )
    fields: Any = {
        "names": ["features", "label"],
        "formats": [features, label],
        "offsets": [begin, at],
        "itemsize": whole,
    }
    kind: np.dtype[Any] = np.dtype(fields)
    return kind


def _rows(file: Path, header: int, kind: np.dtype[Any]) -> int:
    """How many records the file holds; DataError where that is no whole number from 1 on."""
    size = file.stat().st_size
    rows, over = divmod(size - header, kind.itemsize)
    if rows < 1:
        raise DataError(
            f"dataset.path={file} has {size} bytes: with a header of {header} bytes that leaves "
            f"no record of {kind.itemsize} bytes"
        )
    if over:
        raise DataError(
            f"dataset.path={file} has {size} bytes: a header of {header} and {rows} records of "
            f"{kind.itemsize} bytes leave {over} over; the file is cut off, or dataset.shape, "
            "dtype, label_dtype or header is not what was written"
        )
    return rows
