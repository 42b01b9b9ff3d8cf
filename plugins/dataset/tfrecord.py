"""TFRecord files of tf.train.Example."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
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
    Stream,
    choices,
    dataset,
    missing_in,
)

from ._files.blocks import (
    MIB,
    PARTS,
    Stamps,
    block_rows,
    divided,
    only_by_content,
    sample_rows,
    stamps,
    unchanged,
)
from ._files.classes import parts_by_folder
from ._files.encoded import decoded
from ._files.number_types import Number
from ._files.paths import by_name, matching

Array = np.ndarray[Any, Any]
Features = Array | dict[str, Array]
Compression = Literal["", "GZIP", "ZLIB"]
LEFT_OUT = 3
"""The part of records without a label, which are read by none."""


@dataclass(frozen=True)
class Field:
    """One feature of an Example."""

    dtype: Literal["float32", "int64", "text", "image", "bytes"] = "float32"
    """float32 and int64 stand in the record as such; text, image (PNG, JPEG, GIF, BMP) and bytes
    (numbers of the type `of`, packed) as one value of bytes."""
    shape: list[Annotated[int, Ge(1)]] = field(default_factory=list)
    of: Number = "uint8"

    @property
    def bytes(self) -> int:
        """What one takes in memory, text apart."""
        return int(np.prod(self.shape)) * (8 if self.dtype == "int64" else 4)


def _files(*, path: Path, **_: Any) -> dict[str, Path]:
    return by_name(matching(path, "TFRecord files"))


@dataset(identity=_files)
def tfrecord(
    split: SplitPlan,
    *,
    path: Path,
    spec: dict[str, Field],
    label: str = "label",
    compression: Compression = "",
    task: AskedTask = "auto",
    missing_label: MissingLabel = "refuse",
    memory: Annotated[int, Ge(0)] = 1024,
) -> Data | Splits:
    """The TFRecord files that a pattern matches, read by TensorFlow.

    spec: what stands in a record, {image: {dtype: image, shape: [28,28,1]}, label: {dtype:
    int64}}; the dtypes are float32, int64, text, image, and bytes with `of`, the type of the
    numbers packed in them. label: which of them is the target; the others are the features, by
    name where there are several. missing_label: whether records whose label is NaN or empty text
    are refused or dropped. memory: MiB up to which the data are held in memory; beyond
    that files are read in every epoch anew, in another order, and each record goes into train,
    val or test by its content. Files in train/, test/ and maybe val/ are that part.
    """
    files = matching(path, "TFRecord files")
    _check_spec(spec, label)
    records = Records(files, dict(spec), label, compression)
    before = stamps(files)
    labels, parts = Labels(f"the label {label} in {path}", task), []
    given = parts_by_folder(files)
    for number, file in enumerate(files):
        of_file = [np.zeros(0, np.int8)]
        for block in records.blocks(file):
            values = _flat(records.parsed(file, block, [label])[label])
            part_of = (
                split.assign(block) if given is None else _within(given, number, split, block)
            )
            if missing_label == "drop":
                missing = missing_in(values)
                values, part_of[missing] = values[~missing], LEFT_OUT
            labels.see(values)
            of_file.append(part_of)
        parts.append(np.concatenate(of_file))
    labelled = [of_file != LEFT_OUT for of_file in parts]
    rows = sum(int(of_file.sum()) for of_file in labelled)
    if not rows:
        raise DataError(f"dataset.path={path} has {len(files)} files and no record in them")
    kind = labels.settle()
    examples = Examples(records, labels)
    size = max(rows * records.row_bytes, sum(size for size, _ in before.values()))
    counts = [int(of_file.sum()) for of_file in labelled]
    if size <= memory * MIB:
        part = None if given is None else np.repeat(given, counts)
        return Data(*_joined(list(examples.read(range(len(files)), labelled))), kind, part=part)
    only_by_content(split, "a set of TFRecord files")
    if given is not None:
        split = split.rest(np.bincount(given, counts, len(PARTS)).astype(int).tolist())
    made = [_stream(examples, parts, part, before, split.seed) for part in range(3)]
    return divided(f"dataset.path={path}", rows, made, split, kind)


def _within(given: Array, number: int, split: SplitPlan, block: Array) -> Array:
    """The part of a file's records where folders say that of files; val is drawn if none does."""
    if given[number] == 0 and 1 not in given:
        return replace(split, test=0.0).assign(block)
    return np.full(len(block), given[number], np.int8)


def _check_spec(spec: Mapping[str, Field], label: str) -> None:
    """Raise DataError where the features and the label are not such."""
    if label not in spec:
        raise DataError(f"dataset.label={label} is not in dataset.spec: {choices(label, spec)}")
    if len(spec) < 2:
        raise DataError("dataset.spec names no feature beside the label")
    if spec[label].dtype not in ("float32", "int64", "text"):
        raise DataError(f"dataset.spec.{label} is a label: it must be float32, int64 or text")
    for name, one in spec.items():
        if one.dtype == "image" and len(one.shape) != 3:
            raise DataError(f"dataset.spec.{name} is an image: give shape [height,width,channels]")


def _stream(
    examples: Examples, parts: Sequence[Array], part: int, before: Stamps, seed: int
) -> Stream | None:
    """One part's examples as a stream, if there are any; the order that is drawn is of files.

    parts: for each file the part of every record. before: what the files were when it was made.
    """
    mine = [part_of == part for part_of in parts]
    count = sum(int(part_of.sum()) for part_of in mine)
    if not count:
        return None

    def read(order: np.random.Generator | None) -> Iterator[tuple[Features, Array]]:
        unchanged(before)
        files = np.arange(len(parts))
        if order is not None:
            order.shuffle(files)
        return examples.read(files.tolist(), mine)

    chosen = sample_rows(part, count, examples.records.row_bytes, seed)
    return Stream(count, _sample(read(None), chosen), read)


@dataclass(frozen=True)
class Records:
    """The files, and what stands in a record."""

    files: Sequence[Path]
    spec: Mapping[str, Field]
    label: str
    compression: Compression

    @property
    def row_bytes(self) -> int:
        """What the numbers of one example take in memory."""
        return sum(one.bytes for one in self.spec.values())

    def blocks(self, file: Path) -> Iterator[Array]:
        """Serialized examples, (rows,) of bytes; DataError where the file is broken."""
        tf = _tensorflow()
        with tf.device("CPU"):
            lines = tf.data.TFRecordDataset(str(file), self.compression)
            try:
                for block in lines.batch(block_rows(self.row_bytes)):
                    yield block.numpy()
            except tf.errors.DataLossError as error:
                raise DataError(
                    f"{file} is cut off or no TFRecord file (or dataset.compression="
                    f"'{self.compression}' is not right): {_first_line(error)}"
                ) from None

    def parsed(self, file: Path, block: Array, names: Sequence[str]) -> dict[str, Array]:
        """These features of the examples, each (rows, *shape); DataError where one is missing."""
        tf = _tensorflow()
        kinds = {"float32": tf.float32, "int64": tf.int64}
        wanted = {}
        for name in names:
            one = self.spec[name]
            plain = one.dtype in kinds
            wanted[name] = tf.io.FixedLenFeature(
                one.shape if plain else [], kinds.get(one.dtype, tf.string)
            )
        with tf.device("CPU"):
            try:
                tensors = tf.io.parse_example(tf.constant(block), wanted)
                return {name: self._decoded(name, values) for name, values in tensors.items()}
            except tf.errors.InvalidArgumentError as error:
                raise DataError(
                    f"{file} has a record that is not as dataset.spec says: {_first_line(error)}"
                ) from None

    def _decoded(self, name: str, values: Any) -> Array:
        """A feature's values as numbers or text."""
        tf = _tensorflow()
        one = self.spec[name]
        if one.dtype == "text":
            return np.array([_text(name, value) for value in values.numpy()], dtype=object)
        if one.dtype == "image":
            return self._images(name, values, one)
        if one.dtype == "bytes":
            numbers = tf.io.decode_raw(values, one.of).numpy()
            if numbers.shape[1] != int(np.prod(one.shape)):
                raise DataError(
                    f"dataset.spec.{name} has shape {one.shape}, and the records hold "
                    f"{numbers.shape[1]} numbers of type {one.of}"
                )
            # Numbers of four bytes and more may be such that float32 would change.
            wide = numbers.dtype.itemsize > 2 and numbers.dtype != np.float32
            kind = "float64" if wide else "float32"
            return np.asarray(numbers.reshape(-1, *one.shape), kind)
        return np.asarray(values.numpy())

    def _images(self, name: str, values: Any, one: Field) -> Array:
        tf = _tensorflow()
        images = np.empty((len(values), *one.shape), "float32")
        for i, value in enumerate(values):
            image = decoded(tf, name, value.numpy(), one.shape[2])
            if list(image.shape) != one.shape:
                raise DataError(
                    f"dataset.spec.{name} has shape {one.shape}, and an image has "
                    f"{list(image.shape)}"
                )
            images[i] = image
        return images


def _text(name: str, value: bytes) -> str:
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(
            f"dataset.spec.{name} is text, and a record holds what is not UTF-8: byte "
            f"{error.start} of {value[:20]!r}"
        ) from None


@dataclass(frozen=True)
class Examples:
    """Serialized examples to features and targets."""

    records: Records
    labels: Labels

    def read(
        self, files: Sequence[int], mine: Sequence[Array] | None = None
    ) -> Iterator[tuple[Features, Array]]:
        """Blocks of features and targets of these files.

        mine: for each file of all whether a record is wanted; None for all of them.
        """
        for number in files:
            file, at = self.records.files[number], 0
            for block in self.records.blocks(file):
                if mine is not None:
                    wanted = mine[number][at : at + len(block)]
                    at += len(block)
                    block = block[wanted]
                if len(block):
                    yield self._of(file, block)

    def _of(self, file: Path, block: Array) -> tuple[Features, Array]:
        """Features and targets of the examples."""
        label = self.records.label
        features = self.records.parsed(file, block, list(self.records.spec))
        targets = self.labels.targets(_flat(features.pop(label)))
        if len(features) > 1:
            return features, targets
        only = next(iter(features.values()))
        number = only.ndim == 1 and only.dtype != object
        return only[:, None] if number else only, targets


def _flat(labels: Array) -> Array:
    return labels[:, 0] if labels.shape[1:] == (1,) else labels


def _sample(blocks: Iterator[tuple[Features, Array]], chosen: Array) -> tuple[Features, Array]:
    """The rows of these numbers, which ascend."""
    pieces: list[tuple[Features, Array]] = []
    begin = 0
    for features, targets in blocks:
        end = begin + len(targets)
        rows = chosen[(chosen >= begin) & (chosen < end)] - begin
        if isinstance(features, dict):
            pieces.append(({name: x[rows] for name, x in features.items()}, targets[rows]))
        else:
            pieces.append((features[rows], targets[rows]))
        begin = end
        if end > chosen[-1]:
            break
    return _joined(pieces)


def _joined(pieces: Sequence[tuple[Features, Array]]) -> tuple[Features, Array]:
    """Blocks as one."""
    targets = np.concatenate([y for _, y in pieces])
    dicts = [x for x, _ in pieces if isinstance(x, dict)]
    if dicts:
        return {name: np.concatenate([x[name] for x in dicts]) for name in dicts[0]}, targets
    return np.concatenate([x for x, _ in pieces if not isinstance(x, dict)]), targets


@functools.cache
def _tensorflow() -> Any:
    import tensorflow

    return tensorflow


def _first_line(error: Exception) -> str:
    return str(getattr(error, "message", error)).strip().partition("\n")[0][:300]
