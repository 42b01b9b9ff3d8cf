"""The class and the part of every file, by the folders that it lies in."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from runner import DataError, files_below, part_named, with_plain_names

from .paths import by_name

Array = np.ndarray[Any, Any]
Folders = tuple[str, ...]
NAMED = 3
"""Endings and classes that a line gives."""
TRAIN = 0
IN_NO_FOLDER = "in no folder of a class"


@dataclass(frozen=True)
class ClassFiles:
    """Files, and of each the class, and the part where the folders say it."""

    files: list[Path]
    labels: Array
    part: Array | None

    def without(self, files: Collection[Path]) -> ClassFiles:
        """All but these files."""
        left_out = set(files)
        kept = np.array([file not in left_out for file in self.files])
        files = [file for file in self.files if file not in left_out]
        return ClassFiles(files, self.labels[kept], None if self.part is None else self.part[kept])


def class_files(folder: Path, endings: Collection[str], kinds: str) -> ClassFiles:
    """The files of these endings below the folder's folders, sorted; never none.

    The folder has one for each class, or train, test and maybe val with one for each class; what
    else lies there is counted in a line.
    kinds: what the files are, for sentences.
    """
    files, others = [], Counter[str]()
    for file in files_below(folder):
        if file.suffix.lower() not in endings:
            others[file.suffix.lower() or "without an ending"] += 1
        elif file.parent == folder:
            others[IN_NO_FOLDER] += 1
        else:
            files.append(file)
    if not files:
        raise DataError(
            f"dataset.path={folder} holds no {kinds}: it must have a folder for each class, with "
            f"files of these kinds in it: {', '.join(sorted(endings))}"
        )
    files = list(with_plain_names(files))
    if others:
        _tell_of_others(folder, others, kinds)
    folders = [file.relative_to(folder).parts[:-1] for file in files]
    level = level_of_parts(folders)
    if level is not None:
        return _in_parts(folder, files, folders, level, kinds)
    if all(part_named(names[0]) == TRAIN and len(names) > 1 for names in folders):
        # One part alone: the rest of it is drawn.
        return ClassFiles(files, np.array([names[1] for names in folders]), None)
    _refuse_some_parts(folder, folders)
    return ClassFiles(files, np.array([names[0] for names in folders]), None)


def by_folder(files: Sequence[Path]) -> list[str]:
    """The name of the folder that each file lies in, or lies above that where it is a part's."""
    folders = _folders_of(files)
    level = level_of_parts(folders)
    if level is None:
        return [file.parent.name for file in files]
    classes = [(*names[:level], *names[level + 1 :])[-1:] for names in folders]
    if () in classes:
        raise DataError(
            f"{files[classes.index(())].parent} is a part of the data, and no class: it must have "
            "a folder for each class"
        )
    return [name for (name,) in classes]


def parts_by_folder(files: Sequence[Path]) -> Array | None:
    """The part of every file, int8, where the folders say it: they are called train, test, …"""
    folders = _folders_of(files)
    level = level_of_parts(folders)
    if level is None:
        return None
    return np.array([part_named(names[level]) for names in folders], np.int8)


def _folders_of(files: Sequence[Path]) -> list[Folders]:
    """The folders of each file below the one that they share."""
    return [Path(name).parts[:-1] for name in by_name(files)]


def level_of_parts(folders: Sequence[Folders]) -> int | None:
    """The depth at which all folders are called as parts are, train and another; None if none is.

    folders: of each file those that it lies in, from the top.
    """
    for level in range(min(map(len, folders))):
        parts = {part_named(names[level]) for names in folders}
        if None not in parts and TRAIN in parts and len(parts) > 1:
            return level
    return None


def _in_parts(
    folder: Path, files: Sequence[Path], folders: Sequence[Folders], level: int, kinds: str
) -> ClassFiles:
    """The files of train, test and maybe val, each with a folder for each class."""
    classes = [(*names[:level], *names[level + 1 :])[:1] for names in folders]
    part = np.array([part_named(names[level]) for names in folders])
    by_part: dict[int, set[Folders]] = {}
    places: dict[int, str] = {}
    for names, name, number in zip(folders, classes, part.tolist(), strict=True):
        by_part.setdefault(number, set()).update({name} - {()})
        places[number] = names[level]
    known = by_part.pop(TRAIN)
    if not known:
        raise DataError(
            f"dataset.path={folder} holds the parts {', '.join(sorted(set(places.values())))}, "
            "and each must have a folder for each class"
        )
    has_class = np.array([bool(name) for name in classes])
    if not has_class.all():
        _tell_of_others(folder, Counter({IN_NO_FOLDER: int((~has_class).sum())}), kinds)
    for number in np.unique(part[has_class & (part != TRAIN)]):
        place = next(
            names[level] for names, one in zip(folders, part, strict=True) if one == number
        )
        here = {name for name, one in zip(classes, part, strict=True) if name and one == number}
        if here - known:
            raise DataError(
                f"dataset.path={folder} has in {place} the classes {_listed(here - known)}, which "
                f"train lacks: there are {_listed(known)}"
            )
        if here and known - here:
            warnings.warn(
                f"{folder} has in train the classes {_listed(known - here)}, which {place} lacks",
                stacklevel=1,
            )
    kept = [file for file, wanted in zip(files, has_class, strict=True) if wanted]
    labels = np.array([name[0] for name in classes if name])
    of_kept = part[has_class].astype(np.int8)
    return ClassFiles(kept, labels, of_kept if of_kept.any() else None)


def _refuse_some_parts(folder: Path, folders: Sequence[Folders]) -> None:
    """Raise DataError where parts lie beside what is none of them.

    Train and test with folders in them are parts, and so are train and another with the same ones.
    """
    below: dict[str, set[str]] = {}
    for names in folders:
        below.setdefault(names[0], set()).update(names[1:2])
    parts = {top: part_named(top) for top, inner in below.items() if inner}
    classes = {name for top, part in parts.items() if part == TRAIN for name in below[top]}
    if len({part for part in parts.values() if part is not None}) > 1 and classes:
        others = below.keys() - {top for top, part in parts.items() if part is not None}
    else:
        others = {top for top, part in parts.items() if part is None and below[top] & classes}
    if others:
        raise DataError(
            f"dataset.path={folder} holds parts and beside them {', '.join(sorted(others))}: what "
            "is a part must be called train, val or test; move away what is none, or give one "
            "part as dataset.path="
        )


def _tell_of_others(folder: Path, others: Counter[str], kinds: str) -> None:
    """Say how many files are no such data, by their endings."""
    listed = ", ".join(f"{count} {ending}" for ending, count in others.most_common(NAMED))
    more = f" and {len(others) - NAMED} other kinds" if len(others) > NAMED else ""
    files = "1 file" if others.total() == 1 else f"{others.total()} files"
    warnings.warn(
        f"{folder}: {files} passed over, no {kinds} of a class: {listed}{more}",
        # Of one place, so that Python says it once.
        stacklevel=1,
    )


def _listed(classes: set[Folders]) -> str:
    names = sorted(name for (name,) in classes)
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
