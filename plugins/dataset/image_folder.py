"""A folder of images for each class, or of images and masks."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Len

from runner import Data, DataError, SplitPlan, Splits, Word, dataset, targets_of

from ._files.blocks import NumberedRows, only_by_content, part_of_rows, streams
from ._files.classes import ClassFiles, class_files
from ._files.masks import Masks, Pairs, pairs_of
from ._files.paths import by_name, one_folder
from ._files.pictures import ENDINGS, Decoder, size_of

Array = np.ndarray[Any, Any]
NAMED = 3
"""Broken images that a sentence names; of others it says how many there are."""
WHAT = "a folder of images for each class"


def _files(*, path: Path, masks: Path | None = None, **_: Any) -> dict[str, Path]:
    if masks is None:
        return by_name(class_files(one_folder(path, WHAT), ENDINGS, "images").files)
    pairs = pairs_of(path, masks)
    return {
        f"{kind} {name}": file
        for kind, files in (("image", pairs.files), ("mask", pairs.masks))
        for name, file in zip(pairs.names, files, strict=True)
    }


@dataset(identity=_files)
def image_folder(
    split: SplitPlan,
    *,
    path: Path,
    masks: Path | None = None,
    classes: Sequence[Word] = (),
    void: int | None = None,
    size: Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)] | None = None,
    channels: Literal[1, 3, 4] = 3,
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
    keep_aspect: bool = False,
    scale: Annotated[float, Gt(0)] | None = None,
    background: Annotated[int, Ge(0), Le(255)] = 255,
    frames: Literal["stop", "first"] = "stop",
    on_error: Literal["stop", "skip"] = "stop",
    memory: Annotated[int, Ge(0)] = 1024,
) -> Data | Splits:
    """Images in a folder for each class, to any depth, or with masks, decoded by Pillow, upright.

    Of train/, test/ and maybe val/, each with a folder for each class, each is that part.

    masks: a folder with a mask for each image below `path`, of the same name and size: a picture
    whose grey or palette values are the classes of its pixels, for architecture=unet. classes:
    what they are called, from value 0 on; void: the value of pixels that count for nothing.
    size: [height, width] to which images are resized; null: they must all be of one size.
    keep_aspect: cut off what would be distorted. scale: what values are divided by; null: the
    highest of their depth, 255 or 65535. background: the grey, 0 to 255, that shows through what
    is transparent; with channels=4 transparency is a channel. frames: stop at an image that moves
    or has pages, or take its first. on_error: stop at an image that cannot be decoded, or skip it
    and say which. memory: MiB of float32 images up to which they are held in memory; beyond that
    they are decoded when read, and each falls into a part of the split by its file's content.
    """
    folder = one_folder(path, WHAT)
    if masks is not None:
        images: ClassFiles | Pairs = pairs_of(path, masks)
    elif classes or void is not None:
        raise DataError("dataset.classes and dataset.void are about masks: give dataset.masks=")
    else:
        images = _of_classes(folder)
    files = images.files
    shape = (size[0], size[1]) if size else size_of(files)
    decoder = Decoder(
        shape, channels, interpolation, keep_aspect, size is None, scale, background, frames
    )
    bytes_each = 4 * decoder.size[0] * decoder.size[1] * channels
    held = len(files) * bytes_each <= memory * 2**20
    decoded = decoder.all(files, keep=held)
    if decoded.broken:
        _tell_broken(decoded.broken, len(files), on_error)
        images = images.without(decoded.broken)
    if decoded.transparent:
        warnings.warn(
            f"{decoded.transparent} of {len(files)} images are transparent in places: they "
            f"are laid on the grey dataset.background={background} (0 black, 255 white)",
            stacklevel=2,
        )
    if isinstance(images, Pairs):
        masked, task = Masks(replace(decoder, interpolation="nearest"), void).seen(images, classes)
        files, mask_files = images.files, images.masks

        def targets(rows: Array) -> Array:
            return masked.some([mask_files[row] for row in rows])

    else:
        files = images.files
        [labels], task = targets_of(_where(folder), [images.labels], "auto")

        def targets(rows: Array) -> Array:
            return labels[rows]

    if held:
        keys = np.array(list(by_name(files)), dtype=object)
        of_all = targets(np.arange(len(files)))
        return Data(decoded.pixels, of_all, task, part=images.part, keys=keys)
    only_by_content(split, "a folder of images")
    part, rest = part_of_rows(
        split, images.part, lambda rows: [np.array([_content_hash(files[row]) for row in rows])]
    )
    source = NumberedRows(
        what=f"dataset.path={folder}",
        rows=len(files),
        row_bytes=bytes_each,
        read=lambda rows: (decoder.some([files[row] for row in rows]), targets(rows)),
        part=part,
        files=files if masks is None else [*files, *mask_files],
    )
    return streams(source, rest, task)


def _of_classes(folder: Path) -> ClassFiles:
    """The images of each class; DataError where there is only one."""
    images = class_files(folder, ENDINGS, "images")
    _, task = targets_of(_where(folder), [images.labels], "auto")
    if task.outputs == 1 and task.kind == "classification":
        raise DataError(
            f"dataset.path={folder} holds images of one class only, {images.labels[0]}: it must "
            "have a folder for each class, or dataset.masks= beside it"
        )
    return images


def _where(folder: Path) -> str:
    return f"the folders' names in {folder}"


def _content_hash(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest().encode()


def _tell_broken(broken: dict[Path, str], of: int, on_error: str) -> None:
    """Name the images that cannot be decoded: as an error, or as a warning."""
    some = [f"{file} ({why})" for file, why in list(broken.items())[:NAMED]]
    more = f" and {len(broken) - NAMED} more" if len(broken) > NAMED else ""
    sentence = f"{len(broken)} of {of} images cannot be decoded: {', '.join(some)}{more}"
    if on_error == "stop" or len(broken) == of:
        raise DataError(f"{sentence}; dataset.on_error=skip leaves such out")
    warnings.warn(f"{sentence}; they are left out", stacklevel=3)
