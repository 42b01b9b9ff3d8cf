"""A folder of images for each class."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Le, Len

from runner import Data, DataError, SplitPlan, Splits, dataset, targets_of

from ._files.blocks import NumberedRows, only_by_content, part_of_rows, streams
from ._files.classes import class_files
from ._files.paths import by_name, one_folder
from ._files.pictures import ENDINGS, Decoder, size_of

Array = np.ndarray[Any, Any]
NAMED = 3
"""Broken images that a sentence names; of others it says how many there are."""
WHAT = "a folder of images for each class"


def _files(*, path: Path, **_: Any) -> dict[str, Path]:
    return by_name(class_files(one_folder(path, WHAT), ENDINGS, "images").files)


@dataset(identity=_files)
def image_folder(
    split: SplitPlan,
    *,
    path: Path,
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
    """Images in a folder for each class, to any depth, decoded by Pillow, upright.

    Of train/, test/ and maybe val/, each with a folder for each class, each is that part.

    size: [height, width] to which images are resized; null: they must all be of one size.
    keep_aspect: cut off what would be distorted. scale: what values are divided by; null: the
    highest of their depth, 255 or 65535. background: the grey, 0 to 255, that shows through what
    is transparent; with channels=4 transparency is a channel. frames: stop at an image that moves
    or has pages, or take its first. on_error: stop at an image that cannot be decoded, or skip it
    and say which. memory: MiB of float32 images up to which they are held in memory; beyond that
    they are decoded when read, and each falls into a part of the split by its file's content.
    """
    folder = one_folder(path, WHAT)
    images = class_files(folder, ENDINGS, "images")
    where = f"the folders' names in {folder}"
    _, task = targets_of(where, [images.labels], "auto")
    if task.outputs == 1 and task.kind == "classification":
        raise DataError(
            f"dataset.path={folder} holds images of one class only, {images.labels[0]}: it must "
            "have a folder for each class"
        )
    shape = (size[0], size[1]) if size else size_of(images.files)
    decoder = Decoder(
        shape, channels, interpolation, keep_aspect, size is None, scale, background, frames
    )
    bytes_each = 4 * decoder.size[0] * decoder.size[1] * channels
    held = len(images.files) * bytes_each <= memory * 2**20
    decoded = decoder.all(images.files, keep=held)
    if decoded.broken:
        _tell_broken(decoded.broken, len(images.files), on_error)
        images = images.without(list(decoded.broken))
    if decoded.transparent:
        warnings.warn(
            f"{decoded.transparent} of {len(images.files)} images are transparent in places: they "
            f"are laid on the grey dataset.background={background} (0 black, 255 white)",
            stacklevel=2,
        )
    [labels], task = targets_of(where, [images.labels], "auto")
    if held:
        keys = np.array(list(by_name(images.files)), dtype=object)
        return Data(decoded.pixels, labels, task, part=images.part, keys=keys)
    only_by_content(split, "a folder of images")
    files = images.files
    part, rest = part_of_rows(
        split, images.part, lambda rows: [np.array([_content_hash(files[row]) for row in rows])]
    )
    source = NumberedRows(
        what=f"dataset.path={folder}",
        rows=len(files),
        row_bytes=bytes_each,
        read=lambda rows: (decoder.some([files[row] for row in rows]), labels[rows]),
        part=part,
        files=files,
    )
    return streams(source, rest, task)


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
