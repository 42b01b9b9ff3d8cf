"""A folder of images for each class."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from annotated_types import Ge, Gt, Len

from runner import Data, DataError, Split, Splits, Task, dataset, with_plain_names

from ._files.blocks import NumberedRows, only_by_content, streams
from ._files.paths import by_name, one_folder

Array = np.ndarray[Any, Any]
SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}
MODES = {1: "grayscale", 3: "rgb", 4: "rgba"}
TOLD = 3
"""Broken images that a sentence names; of others it says how many there are."""


def _files(*, path: Path, **_: Any) -> dict[str, Path]:
    return by_name(_images(one_folder(path, "a folder of images for each class")))


@dataset(identity=_files)
def image_folder(
    split: Split,
    *,
    path: Path,
    size: Annotated[list[Annotated[int, Ge(1)]], Len(2, 2)] | None = None,
    channels: Literal[1, 3, 4] = 3,
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"] = "bilinear",
    keep_aspect: bool = False,
    scale: Annotated[float, Gt(0)] = 255.0,
    on_error: Literal["stop", "skip"] = "stop",
    memory: Annotated[int, Ge(0)] = 1024,
) -> Data | Splits:
    """Images in a folder for each class, to any depth, decoded by Keras (Pillow).

    size: [height, width] to which images are resized; null: they must all be of one size.
    keep_aspect: cut off what would be distorted. scale: what values from 0 to 255 are divided
    by. on_error: stop at an image that cannot be decoded, or skip it and say which. memory: MiB
    of float32 images up to which they are held in memory; beyond that they are decoded when
    read, and each falls into a part of the split by its file's content.
    """
    folder = one_folder(path, "a folder of images for each class")
    files = _images(folder)
    names = sorted({file.relative_to(folder).parts[0] for file in files})
    if len(names) < 2:
        raise DataError(
            f"dataset.path={folder} holds images of one class only, {names[0]}: it must have a "
            "folder for each class"
        )
    shape = (size[0], size[1]) if size else _size_of(files)
    decoder = Decoder(shape, channels, interpolation, keep_aspect, size is None)
    bytes_each = 4 * decoder.size[0] * decoder.size[1] * channels
    held = len(files) * bytes_each <= memory * 2**20
    images, broken = decoder.all(files, keep=held)
    if broken:
        _tell(broken, len(files), on_error)
        files = [file for file in files if file not in broken]
    labels = np.array([names.index(file.relative_to(folder).parts[0]) for file in files])
    task = Task.classification(len(names), tuple(names))
    if len(names) == 2:
        task = Task.binary(tuple(names))
    if held:
        return Data((images / np.float32(scale)).astype("float32"), labels, task)
    only_by_content(split, "a folder of images")
    source = NumberedRows(
        what=f"dataset.path={folder}",
        rows=len(files),
        row_bytes=bytes_each,
        read=lambda rows: (
            decoder.some([files[row] for row in rows]) / np.float32(scale),
            labels[rows],
        ),
        part=lambda rows: split.assign(np.array([_content_hash(files[row]) for row in rows])),
        files=files,
    )
    return streams(source, split, task)


def _images(folder: Path) -> list[Path]:
    """The images below the folder's folders, sorted; never none."""
    candidates = (file for file in folder.glob("*/**/*") if file.suffix.lower() in SUFFIXES)
    files = sorted(file for file in candidates if file.is_file() and not file.name.startswith("."))
    if not files:
        raise DataError(
            f"dataset.path={folder} holds no images: it must have a folder for each class, with "
            f"files of these kinds in it: {', '.join(sorted(SUFFIXES))}"
        )
    return list(with_plain_names(files))


def _content_hash(file: Path) -> bytes:
    return hashlib.blake2b(file.read_bytes(), digest_size=16).hexdigest().encode()


def _tell(broken: dict[Path, str], of: int, on_error: str) -> None:
    """Name the images that cannot be decoded: as an error, or as a warning."""
    some = [f"{file} ({why})" for file, why in list(broken.items())[:TOLD]]
    more = f" and {len(broken) - TOLD} more" if len(broken) > TOLD else ""
    sentence = f"{len(broken)} of {of} images cannot be decoded: {', '.join(some)}{more}"
    if on_error == "stop" or len(broken) == of:
        raise DataError(f"{sentence}; dataset.on_error=skip leaves such out")
    warnings.warn(f"{sentence}; they are left out", stacklevel=3)


def _size_of(files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first image that can be opened."""
    from keras.utils import load_img

    for file in files:
        try:
            width, height = _needs_pillow(load_img, file).size
        except DataError:
            raise
        except Exception:
            continue
        return height, width
    raise DataError(f"none of {len(files)} images can be decoded, the first of them {files[0]}")


def _needs_pillow(load: Any, file: Path, **options: Any) -> Any:
    try:
        return load(file, **options)
    except ImportError:
        raise DataError(
            "dataset=image_folder needs the package Pillow, which is missing: "
            "pip install 'sweephouse[images]'"
        ) from None


@dataclass(frozen=True)
class Decoder:
    """Files to arrays of one shape, as Keras decodes them."""

    size: tuple[int, int]
    channels: int
    interpolation: str
    keep_aspect: bool
    exact: bool
    """Whether an image of another size is an error instead of being resized."""

    def one(self, file: Path) -> Array:
        """(height, width, channels), uint8; what Pillow raises where it cannot be decoded."""
        from keras.utils import load_img

        image = _needs_pillow(
            load_img,
            file,
            color_mode=MODES[self.channels],
            target_size=None if self.exact else self.size,
            interpolation=self.interpolation,
            keep_aspect_ratio=self.keep_aspect,
        )
        pixels = np.asarray(image, np.uint8)
        if pixels.shape[:2] != self.size:
            raise DataError(
                f"{file} is {pixels.shape[0]} x {pixels.shape[1]} pixels and the first image "
                f"{self.size[0]} x {self.size[1]}: give dataset.size=[height,width]"
            )
        return pixels.reshape(*self.size, self.channels)

    def some(self, files: Sequence[Path]) -> Array:
        """These images; DataError names one that can no longer be decoded."""
        images, broken = self.all(files, keep=True)
        if broken:
            file, why = next(iter(broken.items()))
            raise DataError(f"{file} cannot be decoded any more: {why}")
        return images

    def all(self, files: Sequence[Path], keep: bool) -> tuple[Array, dict[Path, str]]:
        """Images that can be decoded, and those that cannot with the reason.

        keep: whether to return the images, or only to see which can be decoded.
        """
        images = np.empty((len(files) if keep else 0, *self.size, self.channels), np.uint8)
        broken: dict[Path, str] = {}
        at = 0
        with ThreadPoolExecutor() as threads:
            for file, decoded in zip(files, threads.map(self._tried, files), strict=True):
                if isinstance(decoded, str):
                    broken[file] = decoded
                elif keep:
                    images[at] = decoded
                    at += 1
        return images[:at], broken

    def _tried(self, file: Path) -> Array | str:
        try:
            return self.one(file)
        except DataError:
            raise
        # Pillow's decoders raise what they like: SyntaxError, struct.error and others.
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            return reason.replace(str(file), file.name)
