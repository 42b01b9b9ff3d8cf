"""A short look at what is no table: arrays, and folders of images or texts."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner.components.part_names import part_named
from runner.data.labels import targets_of
from runner.data.missing import missing_in
from runner.data.sources.leavings import files_below
from runner.data.sources.numpy_file import numpy_arrays
from runner.data.sources.typed import option
from runner.errors import DataError
from runner.system.paths import from_home

TABLES = (".csv", ".tsv", ".parquet", ".json", ".jsonl")
IMAGES = (".png", ".jpg", ".jpeg", ".jfif", ".gif", ".bmp", ".webp", ".tif", ".tiff")
FEATURES, TARGETS = ("x", "features", "x_train"), ("y", "targets", "y_train")


@dataclass(frozen=True)
class OtherLook:
    """What there is, for a person and for a program."""

    body: Mapping[str, Any]
    lines: Sequence[str]


def look_at_other(text: str) -> OtherLook | None:
    """A look at arrays or a folder; None for what should be a table."""
    if "://" in text:
        return None
    place = from_home(text)
    if place.is_dir():
        return _folder(text, place)
    if place.suffix.lower() in (".npz", ".npy") and place.is_file():
        return _arrays(text, place)
    return None


# --- Arrays --------------------------------------------------------------------------------------


def _arrays(text: str, file: Path) -> OtherLook:
    held = _read(file)
    arrays = {name: _array(array) for name, array in held.items()}
    lines = [f"{text}: {len(held)} array{'s' * (len(held) != 1)}", ""]
    lines += [f"  {name:<12}{_said(about)}" for name, about in arrays.items()]
    remarks, command = list(_about(held)), _command_of(text, file, held)
    body = {"source": text, "kind": file.suffix[1:], "arrays": arrays, "remarks": remarks}
    if remarks:
        lines += ["", "worth knowing:", *(f"  {line}" for line in remarks)]
    return _with_command(body, lines, command)


def _read(file: Path) -> dict[str, Any]:
    try:
        held = numpy_arrays(file, mapped=True)
    except ValueError as error:
        raise DataError(f"{file} cannot be read as an {file.suffix} file: {error}") from None
    held = held if isinstance(held, dict) else {"array": held}
    for name, array in held.items():
        if array.dtype.names:
            raise DataError(f"{file} holds records ({name}): look at arrays of one type")
    return held


def _array(array: Any) -> dict[str, Any]:
    about: dict[str, Any] = {"shape": list(array.shape), "type": str(array.dtype)}
    if array.dtype.kind in "fiub" and array.size:
        values = np.asarray(array, "float64") if array.dtype.kind == "b" else array
        about |= {"min": float(np.nanmin(values)), "max": float(np.nanmax(values))}
    if array.ndim:
        about["missing_rows"] = int(missing_in(array).sum())
    return about


def _said(about: Mapping[str, Any]) -> str:
    shape = " x ".join(map(str, about["shape"])) or "one value"
    span = f", {about['min']:g} to {about['max']:g}" if "min" in about else ""
    rows = about.get("missing_rows")
    missing = f", missing in {rows} row{'s' if rows > 1 else ''}" if rows else ""
    return f"{shape} {about['type']}{span}{missing}"


def _pair(held: Mapping[str, Any]) -> tuple[Any, Any] | None:
    x = next((held[name] for name in FEATURES if name in held), None)
    y = next((held[name] for name in TARGETS if name in held), None)
    return None if x is None or y is None else (x, y)


def _about(held: Mapping[str, Any]) -> Iterator[str]:
    if (pair := _pair(held)) is None:
        return
    x, y = pair
    if len(x) != len(y):
        yield f"there are {len(x)} examples and {len(y)} targets: they must be as many"
        return
    if x.ndim and len(x):
        rows = np.ascontiguousarray(x).reshape(len(x), int(np.prod(x.shape[1:])))
        copies = len(x) - len(np.unique(rows, axis=0)) if rows.size < 10**7 else 0
        if copies:
            yield f"{copies} examples equal an earlier one: split.by=hash keeps copies in one part"
    missing = missing_in(y)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            _, task = targets_of("y", [y[~missing]], "auto")
            yield f"the task: {task.kind}"
        except DataError as error:
            yield str(error)
    yield from (str(one.message) for one in caught)


def _command_of(text: str, file: Path, held: Mapping[str, Any]) -> list[str]:
    pair = _pair(held)
    if file.suffix.lower() == ".npy":
        return [
            "python -m runner",
            "dataset=arrays",
            option("path", text),
            "dataset.targets=Y.npy",
        ]
    if pair is None:
        return []
    x, y = pair
    words = ["python -m runner", "dataset=arrays", option("path", text)]
    if missing_in(y).any():
        words.append("dataset.missing_label=drop")
    if x.ndim <= 2:
        missing = x.dtype.kind == "f" and bool(missing_in(x).any())
        words.append(f"preprocessing=[{'encode' if missing else 'standardize'}]")
    elif x.ndim == 4 or (x.ndim == 3 and x.shape[1] == x.shape[2]):
        words.append("architecture=cnn")
    else:
        words.append("architecture=conv1d")
    return words


# --- Folders -------------------------------------------------------------------------------------


def _folder(text: str, folder: Path) -> OtherLook:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        files = files_below(folder)
    endings = Counter(file.suffix.lower() for file in files)
    lines = [f"{text}: {len(files)} files in a folder", ""]
    by_folder = Counter(str(file.parent.relative_to(folder)) for file in files)
    lines += [f"  {name:<24}{count}" for name, count in sorted(by_folder.items())[:30]]
    remarks = [str(one.message) for one in caught]
    classes = {n: c for n, c in by_folder.items() if n != "."}
    parts = {part_named(name.split("/")[0]) for name in classes}
    if None not in parts and len(parts) > 1:
        remarks.append("its folders are the parts: nothing of one is drawn into another")
    if len(endings) > 1:
        kinds = [f"{end or 'no ending'} ({count})" for end, count in endings.most_common(6)]
        remarks.append(f"endings: {', '.join(kinds)}")
    images = sum(endings[end] for end in IMAGES)
    body = {"source": text, "kind": "folder", "files": dict(by_folder), "remarks": remarks}
    if remarks:
        lines += ["", "worth knowing:", *(f"  {line}" for line in remarks)]
    return _with_command(body, lines, _command_of_folder(text, endings, images, classes))


def _command_of_folder(
    text: str, endings: Counter[str], images: int, classes: Mapping[str, int]
) -> list[str]:
    if images and classes:
        words = ["python -m runner", "dataset=image_folder", option("path", text)]
        return [*words, "dataset.size=[64,64]", "architecture=cnn"]
    if endings[".txt"] and classes:
        words = ["python -m runner", "dataset=text", option("path", text)]
        return [*words, "preprocessing=[vectorize]", "architecture=embed"]
    tables = next((end for end in TABLES if endings[end]), None)
    if tables is not None:
        return [f"python -m runner look '{text.rstrip('/')}/**/*{tables}'"]
    raise DataError(
        f"{text} is a folder that holds neither images nor texts in a folder for each class, nor "
        f"tables ({', '.join(TABLES)})"
    )


def _with_command(
    body: Mapping[str, Any], lines: Sequence[str], command: Sequence[str]
) -> OtherLook:
    line = " ".join(command) if command else None
    if line is None:
        more = ["", "dataset=arrays needs arrays called x and y, or x_train and y_train"]
    else:
        verb = "to look at its tables:" if " look " in line else "to train on it:"
        more = ["", verb, "", line]
    return OtherLook({**body, "command": line}, [*lines, *more])
