"""The data sets of keras.datasets."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge

from runner import (
    Data,
    DataError,
    SplitPlan,
    Splits,
    Task,
    dataset,
    from_home,
    missing_in,
    near_names,
    numpy_arrays,
)

from ._files.blocks import only_by_content

Array = np.ndarray[Any, Any]
Which = Literal[
    "boston_housing",
    "california_housing",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "imdb",
    "mnist",
    "reuters",
]
PADDING, START, UNKNOWN, FIRST_WORD = 0, 1, 2, 3
"""How Keras numbers words: the commonest word, 1 in the file, is 4."""


@dataclass(frozen=True)
class Kept:
    """How Keras keeps a data set below ~/.keras/datasets."""

    place: str
    """A file, or the folder that `files` lie in."""
    files: tuple[str, ...] = ()
    classes: tuple[str, ...] | int = 0
    """The classes, or how many there are; 0 for a regression."""
    parted: bool = True
    """Whether it has a test part of its own."""
    words: bool = False
    """Whether an example is a list of words' numbers."""


CLOTHES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
THINGS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
KEPT: dict[str, Kept] = {
    "boston_housing": Kept("boston_housing.npz", parted=False),
    "california_housing": Kept("california_housing.npz", parted=False),
    "cifar10": Kept(
        "cifar-10-batches-py-target/cifar-10-batches-py",
        (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"),
        THINGS,
    ),
    "cifar100": Kept("cifar-100-python-target/cifar-100-python", ("train", "test"), 100),
    "fashion_mnist": Kept(
        "fashion-mnist",
        (
            "train-images-idx3-ubyte.gz",
            "train-labels-idx1-ubyte.gz",
            "t10k-images-idx3-ubyte.gz",
            "t10k-labels-idx1-ubyte.gz",
        ),
        CLOTHES,
    ),
    "imdb": Kept("imdb.npz", classes=("negative", "positive"), words=True),
    "mnist": Kept("mnist.npz", classes=10),
    "reuters": Kept("reuters.npz", classes=46, parted=False, words=True),
}


def _files(*, which: Which, path: Path | None, download: bool, **_: Any) -> list[Path]:
    place = _place(which, path, download)
    return [place / name for name in KEPT[which].files] if place.is_dir() else [place]


@dataset(name="keras", identity=_files)
def keras_dataset(
    split: SplitPlan,
    *,
    which: Which = "mnist",
    path: Path | None = None,
    download: bool = False,
    words: Annotated[int, Ge(4)] = 10_000,
    length: Annotated[int, Ge(2)] = 200,
) -> Data | Splits:
    """A data set of keras.datasets from Keras' cache: `which` says the name.

    path: its file or folder elsewhere, as Keras keeps it: an .npz file, or the folder of
    cifar-10-batches-py, cifar-100-python or fashion-mnist. download: whether Keras may fetch
    what is not there. Images are divided by 255. Of imdb and reuters the first `length` words
    are taken as codes, the `words` commonest of them, padded with 0 at the end. Where the test
    part is the data set's own, val is taken from its training part, by content.
    """
    kept = KEPT[which]
    place = _place(which, path, download)
    held = _folder(which, place) if place.is_dir() else _npz(which, place)
    names = kept.classes if isinstance(kept.classes, tuple) else ()
    task = Task.classification(len(names) or int(str(kept.classes)), names)
    if not kept.classes:
        task = Task.regression()
    elif len(names) == 2:
        task = Task.binary(names)
    pairs = []
    for tail in ("_train", "_test") if kept.parted else ("",):
        x, y = held[f"x{tail}"], held[f"y{tail}"].reshape(-1)
        if len(x) != len(y) or not len(x):
            raise DataError(f"{place} holds {len(x)} examples and {len(y)} labels")
        if missing := int(missing_in(y).sum()):
            raise DataError(f"y{tail} in {place} is missing in {missing} of {len(y)} rows")
        if kept.words:
            x = _codes(x, words, length)
        else:
            x = (x / np.float32(255 if kept.classes else 1)).astype("float32")
        x = x[..., None] if x.ndim == 3 else x
        pairs.append((x, y.astype("int64" if kept.classes else "float32")))
    vocabulary = {"features": words} if kept.words else {}
    if not kept.parted:
        return Data(*pairs[0], task, vocabulary=vocabulary)
    only_by_content(split, f"dataset.which={which}")
    (x, y), test = pairs
    part_of = replace(split, test=0.0).assign(x)
    train, val = ((x[part_of == part], y[part_of == part]) for part in range(2))
    if (split.folds or split.val) and not len(val[1]):
        raise DataError(f"split.val={split.val} of {len(y)} rows of {place} leaves no row in val")
    return Splits(train, val if len(val[1]) else None, test, task, vocabulary=vocabulary)


def _codes(texts: Array, words: int, length: int) -> Array:
    """Lists of words' numbers as int32 codes, (rows, length), as Keras' loaders make them."""
    rows = np.full((len(texts), length), PADDING, "int32")
    rows[:, 0] = START
    for row, text in enumerate(texts):
        code = np.asarray(text[: length - 1], "int64") + FIRST_WORD
        rows[row, 1 : len(code) + 1] = np.where(code < words, code, UNKNOWN)
    return rows


def _place(which: Which, path: Path | None, download: bool) -> Path:
    """Where the data lie, fetched if that is allowed; DataError where they do not."""
    kept = KEPT[which]
    if path is not None:
        place = from_home(path)
        if not place.exists():
            raise DataError(f"dataset.path={place} does not exist{near_names(place)}")
        lacking = [name for name in kept.files if place.is_dir() and not (place / name).is_file()]
        if place.is_dir() and (lacking or not kept.files):
            what = f"the files {', '.join(lacking)}" if lacking else "as a folder; give its file"
            raise DataError(f"dataset.path={place} does not hold {which}: there are not {what}")
        return place
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    place = home / "datasets" / kept.place
    if _there(place, kept):
        return place
    if not download:
        raise DataError(
            f"dataset.which={which} is not in Keras' cache ({place} is missing) and would have to "
            "be downloaded: allow it with dataset.download=true, or say where it lies with "
            "dataset.path="
        )
    _fetch(which)
    if not _there(place, kept):
        raise DataError(f"Keras has downloaded {which}, but not to {place}: give dataset.path=")
    return place


def _there(place: Path, kept: Kept) -> bool:
    return all((place / name).is_file() for name in kept.files or ("",))


def _fetch(which: Which) -> None:
    """Let Keras download it into its cache."""
    import keras

    try:
        getattr(keras.datasets, which).load_data()
    # What Keras raises depends on what fails: the network, a proxy, the disk, the checksum.
    except Exception as error:
        raise DataError(
            f"dataset.which={which} cannot be downloaded: {str(error).partition(chr(10))[0]}; "
            "without a network say where it lies with dataset.path="
        ) from None


def _npz(which: Which, file: Path) -> dict[str, Array]:
    """The arrays of an .npz file in Keras' layout."""
    wanted = ("x_train", "y_train", "x_test", "y_test") if KEPT[which].parted else ("x", "y")
    try:
        held = _lists(file) if KEPT[which].words else dict(numpy_arrays(file))
    except (
        pickle.UnpicklingError,
        AttributeError,
        TypeError,
        OSError,
        zipfile.BadZipFile,
        ValueError,
        EOFError,
    ):
        raise DataError(
            f"{file} is not an .npz file as Keras keeps {which}, or is cut off"
        ) from None
    for name in wanted:
        if name not in held:
            have = ", ".join(sorted(held)) or "nothing"
            raise DataError(f"{file} has no array {name}, as {which} has: it holds {have}")
    return held


def _folder(which: Which, folder: Path) -> dict[str, Array]:
    """The arrays of the files that Keras keeps in a folder."""
    files = [folder / name for name in KEPT[which].files]
    try:
        if which == "fashion_mnist":
            x, y, x_test, y_test = (_idx(file) for file in files)
            return {"x_train": x, "y_train": y, "x_test": x_test, "y_test": y_test}
        label = b"labels" if which == "cifar10" else b"fine_labels"
        parts = [_pickled(file, label) for file in files]
    except (OSError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
        reason = str(error).partition("\n")[0]
        raise DataError(f"{folder} does not hold {which} as Keras keeps it: {reason}") from None
    x = np.concatenate([images for images, _ in parts[:-1]])
    y = np.concatenate([labels for _, labels in parts[:-1]])
    return {"x_train": x, "y_train": y, "x_test": parts[-1][0], "y_test": parts[-1][1]}


def _idx(file: Path) -> Array:
    """An array in the format of the MNIST files: sizes of its axes, then bytes."""
    with gzip.open(file, "rb") as opened:
        held = opened.read()
    rank = held[3]
    sizes = np.frombuffer(held, ">i4", rank, offset=4)
    return np.frombuffer(held, np.uint8, offset=4 + 4 * rank).reshape(sizes)


class _ArraysOnly(pickle.Unpickler):
    """Reads what NumPy arrays are made of, and refuses to call anything else."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy", "numpy.core.multiarray", "numpy._core.multiarray") and name in (
            "ndarray",
            "dtype",
            "_reconstruct",
        ):
            return super().find_class(module.replace("numpy.core", "numpy._core"), name)
        raise pickle.UnpicklingError(f"it wants to call {module}.{name}")


def _lists(file: Path) -> dict[str, Array]:
    """The arrays of an .npz file some of which are of lists, which NumPy keeps as pickles."""
    held = {}
    with zipfile.ZipFile(file) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                version = np.lib.format.read_magic(member)
                read = np.lib.format.read_array_header_1_0
                if version != (1, 0):
                    read = np.lib.format.read_array_header_2_0
                shape, _, kind = read(member)
                if kind.hasobject:
                    values = _ArraysOnly(member).load()
                else:
                    values = np.frombuffer(member.read(), kind).reshape(shape)
            held[name.removesuffix(".npy")] = values
    return held


def _pickled(file: Path, label: bytes) -> tuple[Array, Array]:
    """Images (rows, 32, 32, 3) and labels of one of CIFAR's files."""
    with file.open("rb") as opened:
        held = _ArraysOnly(opened, encoding="bytes").load()
    images = held[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(held[label])
