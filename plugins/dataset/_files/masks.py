"""Masks: pictures whose values are the classes of another picture's pixels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from runner import DataError, Task, files_below, with_plain_names

from .classes import parts_by_folder
from .paths import one_folder
from .pictures import ENDINGS, Decoder, opened, upright

Array = np.ndarray[Any, Any]
NAMED = 3
"""Files and values that a sentence gives."""
GREYS = ("1", "L", "P", "I", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes of one number for each pixel."""
NOTHING = -1
"""The class of a pixel that counts for nothing."""


@dataclass(frozen=True)
class Pairs:
    """Images and their masks, in one order."""

    files: list[Path]
    """The images."""
    masks: list[Path]
    names: list[str]
    """Their paths below either folder, without the ending."""

    @property
    def part(self) -> Array | None:
        """The part of every image, where folders called train, test and so on say it."""
        return parts_by_folder(self.files)

    def without(self, broken: Iterable[Path]) -> Pairs:
        """All but the pairs of these images."""
        left_out = set(broken)
        kept = [i for i, image in enumerate(self.files) if image not in left_out]
        return Pairs(*([column[i] for i in kept] for column in vars(self).values()))


def pairs_of(path: Path, masks: Path) -> Pairs:
    """The images below one folder and the masks below another, matched by name, endings aside.

    Raises DataError where there are none, or where some have no mate.
    """
    images = _by_stem(one_folder(path, "a folder of images"), "dataset.path")
    others = _by_stem(one_folder(masks, "a folder of masks", "dataset.masks"), "dataset.masks")
    for have, lack, what, place in (
        (images, others, "mask", masks),
        (others, images, "image", path),
    ):
        if alone := sorted(have.keys() - lack.keys()):
            some = ", ".join(str(have[name]) for name in alone[:NAMED])
            more = f" and {len(alone) - NAMED} more" if len(alone) > NAMED else ""
            raise DataError(
                f"{len(alone)} of {len(have)} files have no {what} of their name in {place}: "
                f"{some}{more}"
            )
    names = sorted(images)
    return Pairs([images[name] for name in names], [others[name] for name in names], names)


def _by_stem(folder: Path, key: str) -> dict[str, Path]:
    """The pictures below the folder by their path in it, without the ending."""
    files = [file for file in files_below(folder) if file.suffix.lower() in ENDINGS]
    if not files:
        raise DataError(
            f"{key}={folder} holds no pictures: there must be files of these kinds: "
            f"{', '.join(sorted(ENDINGS))}"
        )
    found: dict[str, Path] = {}
    for file in with_plain_names(files):
        name = file.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise DataError(
                f"{key}={folder} holds two pictures of one name: {found[name]}, {file}"
            )
        found[name] = file
    return found


@dataclass(frozen=True)
class Masks:
    """How masks become classes."""

    decoder: Decoder
    """That of the images, for its size."""
    void: int | None
    """The value of pixels that count for nothing."""
    classes: tuple[int, ...] = ()
    """The value of each class, in their order, once all masks have been seen."""

    def seen(self, pairs: Pairs, names: Sequence[str]) -> tuple[Masks, Task]:
        """Look at every mask; the masks with their classes, and the task.

        names: of the classes, from value 0 on; none: as many classes as there are values. Raises
        DataError for a mask of another size than its image, and for values beyond the classes.
        """
        first: dict[int, Path] = {}
        with ThreadPoolExecutor() as threads:
            for file, values in zip(
                pairs.masks, threads.map(_values_of, pairs.files, pairs.masks), strict=True
            ):
                for value in values:
                    first.setdefault(value, file)
        values = sorted(first.keys() - {self.void})
        if names:
            if beyond := [value for value in values if not 0 <= value < len(names)]:
                raise DataError(
                    f"the mask {first[beyond[0]]} has the value {beyond[0]}, and dataset.classes "
                    f"names {len(names)} classes, 0 to {len(names) - 1}: name more, or leave "
                    f"such pixels out by dataset.void={beyond[0]}"
                )
            numbers = tuple(range(len(names)))
        else:
            numbers = tuple(values)
            yes_or_no = len(values) == 2 and values[0] == 0
            if values != list(range(len(values))) and not yes_or_no:
                listed = ", ".join(map(str, values[:NAMED])) + (", …" if values[NAMED:] else "")
                raise DataError(
                    f"the masks have the {len(values)} values {listed} up to {values[-1]}: name "
                    "the classes from 0 on by dataset.classes=[...], and give dataset.void= the "
                    "value of pixels that count for nothing"
                )
        if len(numbers) < 2:
            raise DataError(
                f"the masks have no other value than {', '.join(map(str, values)) or 'none'}: "
                "there is nothing to tell apart"
            )
        said = tuple(names) or (() if values[-1] < len(values) else tuple(map(str, values)))
        return replace(self, classes=numbers), Task.segmentation(len(numbers), said)

    def some(self, files: Sequence[Path]) -> Array:
        """The classes of these masks' pixels: int32, (masks, height, width)."""
        with ThreadPoolExecutor() as threads:
            return np.stack(list(threads.map(self._one, files)))

    def _one(self, file: Path) -> Array:
        picture = self.decoder.resized(_opened(file))
        values = np.asarray(picture).astype(np.int64)
        found = np.searchsorted(self.classes, values).clip(max=len(self.classes) - 1)
        known = np.asarray(self.classes)[found] == values
        return np.where(known, found, NOTHING).astype(np.int32)


def _opened(file: Path) -> Any:
    """A mask as Pillow has it, upright; DataError where it is none."""
    try:
        picture = upright(opened(file.read_bytes()))
    except DataError:
        raise
    # Pillow's decoders raise what they like.
    except Exception as error:
        reason = str(error).partition("\n")[0].partition(" <_io")[0] or type(error).__name__
        raise DataError(f"the mask {file} cannot be decoded: {reason}") from None
    if picture.mode not in GREYS:
        raise DataError(
            f"the mask {file} has colours ({picture.mode}): a mask has one number for each pixel, "
            "the class, as its grey or in a palette"
        )
    return picture


def _values_of(image: Path, mask: Path) -> list[int]:
    """The values in a mask; DataError where it has another size than its image."""
    picture = _opened(mask)
    with opened(image.read_bytes()) as header:
        size = upright(header).size
    if picture.size != size:
        (width, height), (wide, high) = picture.size, size
        raise DataError(
            f"the mask {mask} is {height} x {width} pixels, and its image {image} {high} x {wide}"
        )
    values: list[int] = np.unique(np.asarray(picture).astype(np.int64)).tolist()
    return values
