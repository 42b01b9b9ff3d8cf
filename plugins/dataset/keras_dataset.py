"""The data sets of keras.datasets."""

from __future__ import annotations

import gzip
import os
import pickle
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from runner import Data, DataError, Split, Splits, Task, dataset

from ._blocks import only_by_content
from ._files import near

Array = np.ndarray[Any, Any]
Which = Literal[
    "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "mnist"
]


@dataclass(frozen=True)
class Kept:
    """How Keras keeps a data set below ~/.keras/datasets."""

    place: str
    """A file, or the folder that `files` lie in."""
    files: tuple[str, ...] = ()
    classes: tuple[str, ...] | int = 0
    """The classes, or how many there are; 0 for a regression."""


CLOTHES = (
    "t-shirt", "trouser", "pullover", "dress", "coat",
    "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip
THINGS = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
KEPT: dict[str, Kept] = {
    "boston_housing": Kept("boston_housing.npz"),
    "california_housing": Kept("california_housing.npz"),
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
    "mnist": Kept("mnist.npz", classes=10),
}


def _files(*, which: Which, path: Path | None, download: bool) -> list[Path]:
    place = _place(which, path, download)
    return [place / name for name in KEPT[which].files] if place.is_dir() else [place]


@dataset(name="keras", identity=_files)
def keras_dataset(
    split: Split, *, which: Which = "mnist", path: Path | None = None, download: bool = False
) -> Data | Splits:
    """A data set of keras.datasets from Keras' cache: `which` says the name.

    path: its file or folder elsewhere, as Keras keeps it: an .npz file, or the folder of
    cifar-10-batches-py, cifar-100-python or fashion-mnist. download: whether Keras may fetch
    what is not there. Images are divided by 255. The test part of images is their own; val is
    taken from their training part, by content.
    """
    place = _place(which, path, download)
    held = _folder(which, place) if place.is_dir() else _npz(which, place)
    classes = KEPT[which].classes
    if not classes:
        x, y = (held[name].astype("float32") for name in ("x", "y"))
        _agree(place, x, y)
        return Data(x, y, Task.regression())
    names = classes if isinstance(classes, tuple) else ()
    task = Task.classification(len(names) or int(str(classes)), names)
    pairs = []
    for part in ("train", "test"):
        x = held[f"x_{part}"]
        x = x[..., None] if x.ndim == 3 else x
        y = held[f"y_{part}"].reshape(-1).astype("int64")
        _agree(place, x, y)
        pairs.append(((x / np.float32(255)).astype("float32"), y))
    only_by_content(split, f"dataset.which={which}")
    (x, y), test = pairs
    part_of = replace(split, test=0.0).assign(x)
    train, val = ((x[part_of == part], y[part_of == part]) for part in range(2))
    return Splits(train, val if len(val[1]) else None, test, task)


def _place(which: Which, path: Path | None, download: bool) -> Path:
    """Where the data lie, fetched if that is allowed; DataError where they do not."""
    kept = KEPT[which]
    if path is not None:
        place = path.expanduser()
        if not place.exists():
            raise DataError(f"dataset.path={place} does not exist{near(place)}")
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
    parted = bool(KEPT[which].classes)
    wanted = ("x_train", "y_train", "x_test", "y_test") if parted else ("x", "y")
    try:
        with np.load(file, allow_pickle=False) as archive:
            held = {name: archive[name] for name in archive.files}
    except (AttributeError, TypeError, OSError, zipfile.BadZipFile, ValueError, EOFError):
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
        said = str(error).partition("\n")[0]
        raise DataError(f"{folder} does not hold {which} as Keras keeps it: {said}") from None
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


def _pickled(file: Path, label: bytes) -> tuple[Array, Array]:
    """Images (rows, 32, 32, 3) and labels of one of CIFAR's files."""
    with file.open("rb") as opened:
        held = _ArraysOnly(opened, encoding="bytes").load()
    images = held[b"data"].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return images, np.array(held[label])


def _agree(place: Path, x: Array, y: Array) -> None:
    if len(x) != len(y) or not len(x):
        raise DataError(f"{place} holds {len(x)} examples and {len(y)} labels")
