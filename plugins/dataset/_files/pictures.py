"""Pictures as they are: depth, palette, orientation and transparency, in one shape."""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runner import DataError

if TYPE_CHECKING:
    from PIL import Image

Array = np.ndarray[Any, Any]
READABLE = """
.apng .avif .avifs .bmp .bw .cur .dcx .dds .dib .flc .fli .ftc .ftu .gif .icb .icns .ico .im .j2c
.j2k .jfif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .msp .pbm .pcd .pcx .pfm .pgm .png .pnm .ppm
.psd .qoi .ras .rgb .rgba .sgi .tga .tif .tiff .vda .vst .webp .xbm .xpm
"""
ENDINGS = frozenset(READABLE.split())
"""Of the pictures that Pillow reads; whether the one here reads each is seen when it does."""
MODES = {1: "L", 3: "RGB", 4: "RGBA"}
DEEP = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
"""Pillow's modes with more than 8 bits."""
GREY = np.array([0.299, 0.587, 0.114], "float32")
"""The weights of red, green and blue, ITU-R 601, as Pillow has them."""
BITS_PER_SAMPLE = 258
"""The tag of TIFF."""
ONE_PICTURE = ("MPO", "PSD")
"""Formats whose further frames are previews or layers of the first."""


class UnreadableError(Exception):
    """A picture that is not read, with the reason."""


@dataclass
class Decoded:
    """Pictures that could be decoded, and what is to be said of the others."""

    pixels: Array
    """(pictures, height, width, channels), float32; empty where they were only tried."""
    broken: dict[Path, str] = field(default_factory=dict)
    """File -> why it cannot be decoded."""
    transparent: int = 0
    """How many were laid on the background."""


@dataclass(frozen=True)
class Decoder:
    """Files to arrays of one shape."""

    size: tuple[int, int]
    """Height and width."""
    channels: int
    interpolation: str
    keep_aspect: bool
    exact: bool
    """Whether a picture of another size is an error instead of being resized."""
    scale: float | None
    """What values are divided by; None: the highest that the picture's depth has."""
    background: int
    """The grey, 0 to 255, behind what is transparent, where there is no channel for that."""
    frames: Literal["stop", "first"]
    """What is done with pictures that move, or have pages."""

    def some(self, files: Sequence[Path]) -> Array:
        """These pictures; DataError names one that can no longer be decoded."""
        decoded = self.all(files, keep=True)
        if decoded.broken:
            file, why = next(iter(decoded.broken.items()))
            raise DataError(f"{file} cannot be decoded any more: {why}")
        return decoded.pixels

    def all(self, files: Sequence[Path], keep: bool) -> Decoded:
        """Decode them all.

        keep: whether to return the pixels, or only to see what can be decoded.
        """
        shape = (len(files) if keep else 0, *self.size, self.channels)
        decoded = Decoded(np.empty(shape, np.float32))
        at = 0
        with ThreadPoolExecutor() as threads:
            for file, result in zip(files, threads.map(self._tried, files), strict=True):
                if isinstance(result, str):
                    decoded.broken[file] = result
                    continue
                pixels, transparent = result
                decoded.transparent += transparent
                if keep:
                    decoded.pixels[at] = pixels
                    at += 1
        decoded.pixels = decoded.pixels[:at]
        return decoded

    def _tried(self, file: Path) -> tuple[Array, bool] | str:
        """The pixels, and whether something was transparent; or why there are none."""
        try:
            return self._one(file)
        except DataError:
            raise
        # Pillow's decoders raise what they like: SyntaxError, struct.error and others.
        except Exception as error:
            reason = str(error).partition("\n")[0] or type(error).__name__
            # Pillow names the buffer it was given, which tells nobody anything.
            return reason.partition(" <_io")[0]

    def _one(self, file: Path) -> tuple[Array, bool]:
        content = file.read_bytes()
        image = opened(content)
        if self.frames == "stop" and image.format not in ONE_PICTURE:
            count = getattr(image, "n_frames", 1)
            if count > 1:
                raise UnreadableError(f"{count} frames; dataset.frames=first reads the first")
        planes = _deep(image, content, self.scale)
        if planes is not None:
            pixels, transparent = self._of_planes(*planes)
        else:
            pixels, transparent = self._of_bytes(upright(image))
        if pixels.shape[:2] != self.size:
            raise DataError(
                f"{file} is {pixels.shape[0]} x {pixels.shape[1]} pixels and the first image "
                f"{self.size[0]} x {self.size[1]}: give dataset.size=[height,width]"
            )
        return pixels, transparent

    def _of_bytes(self, image: Image.Image) -> tuple[Array, bool]:
        """The pixels of a picture with 8 bits a channel, or fewer."""
        from PIL import Image

        mode, transparent = MODES[self.channels], False
        # Pillow turns it into nothing else.
        image = image.convert("RGB") if image.mode == "LAB" else image
        if image.has_transparency_data:
            image = image.convert("RGBA")
            transparent = mode != "RGBA" and image.getchannel("A").getextrema() != (255, 255)
            if transparent:
                behind = Image.new("RGBA", image.size, (*[self.background] * 3, 255))
                image = Image.alpha_composite(behind, image)
        if image.mode != mode:
            # From RGBA by way of RGB: all of it is opaque by now.
            image = image.convert("RGB") if image.mode == "RGBA" else image
            image = image.convert(mode) if image.mode != mode else image
        pixels = np.asarray(self.resized(image), np.uint8)
        scaled = pixels / np.float32(self.scale or 255.0)
        return scaled.reshape(*pixels.shape[:2], self.channels), transparent

    def _of_planes(self, planes: Array, highest: float) -> tuple[Array, bool]:
        """The pixels of a deep picture, float32 (height, width, 1 to 4 planes), upright."""
        from PIL import Image

        count = planes.shape[2]
        colours = planes[..., : 1 if count < 3 else 3]
        alpha = planes[..., -1:] if count in (2, 4) else np.full_like(planes[..., :1], highest)
        transparent = self.channels < 4 and bool((alpha < highest).any())
        if transparent:
            share = alpha / np.float32(highest)
            behind = np.float32(self.background / 255.0 * highest)
            colours = colours * share + behind * (1 - share)
        if self.channels == 1:
            colours = colours if colours.shape[2] == 1 else (colours @ GREY)[..., None]
        else:
            colours = np.broadcast_to(colours, (*planes.shape[:2], 3))
        if self.channels == 4:
            colours = np.concatenate([colours, alpha], axis=2)
        resized = [
            np.asarray(self.resized(Image.fromarray(np.ascontiguousarray(colours[..., i]))))
            for i in range(self.channels)
        ]
        return np.stack(resized, axis=2) / np.float32(self.scale or highest), transparent

    def resized(self, image: Image.Image) -> Image.Image:
        """The picture in the size that is asked for; it keeps its middle where that is cut."""
        from PIL.Image import Resampling

        height, width = self.size
        if self.exact or image.size == (width, height):
            return image
        box = None
        if self.keep_aspect:
            cut_height = min(image.height, image.width * height // width)
            cut_width = min(image.width, image.height * width // height)
            left, top = (image.width - cut_width) // 2, (image.height - cut_height) // 2
            box = (left, top, left + cut_width, top + cut_height)
        return image.resize((width, height), Resampling[self.interpolation.upper()], box=box)


def size_of(files: Sequence[Path]) -> tuple[int, int]:
    """Height and width of the first picture that can be opened."""
    for file in files:
        try:
            width, height = upright(opened(file.read_bytes())).size
        except DataError:
            raise
        except Exception:
            continue
        return height, width
    raise DataError(f"none of {len(files)} images can be decoded, the first of them {files[0]}")


def opened(content: bytes) -> Image.Image:
    """A picture of which Pillow has read the beginning."""
    try:
        from PIL import Image
    except ImportError:
        raise DataError(
            "dataset=image_folder needs the package Pillow, which is missing: "
            "pip install 'sweephouse[images]'"
        ) from None
    return Image.open(io.BytesIO(content))


def upright(image: Image.Image) -> Image.Image:
    """The picture turned as the camera was held."""
    from PIL import ImageOps

    return ImageOps.exif_transpose(image)


def _deep(image: Image.Image, content: bytes, scale: float | None) -> tuple[Array, float] | None:
    """The planes of a picture with more than 8 bits a channel, upright, and their highest value.

    None where it has no more. Raises UnreadableError where its values have no known range.
    """
    if image.mode not in DEEP and "LA;16" in _tiles(image):
        raise UnreadableError("a grey of 16 bits with transparency")
    if image.mode not in DEEP and ";16" in _tiles(image):
        # Of such colours Pillow keeps one byte of two, whichever the tile's name says.
        low = opened(content)
        low.tile = [tile._replace(args=_swapped(tile.args)) for tile in low.tile]  # type: ignore[attr-defined]
        high = np.asarray(upright(image), np.float32)
        return high * 256 + np.asarray(upright(low), np.float32), 65535.0
    if image.mode not in DEEP:
        return None
    if "transparency" in image.info:
        raise UnreadableError("a transparent colour among 16 bits a pixel")
    highest = _highest(image) or scale
    if highest is None:
        kind = "floating point" if image.mode == "F" else "32-bit"
        raise UnreadableError(f"{kind} values without a known range; give dataset.scale=")
    planes = np.asarray(upright(image), np.float32)[..., None]
    if not np.isfinite(planes).all():
        raise UnreadableError("values that are NaN or infinite")
    return planes, highest


def _highest(image: Image.Image) -> float | None:
    """The highest value that the depth of a grey picture has; None where nothing tells it."""
    if image.format == "TIFF" and image.mode.startswith("I;16"):
        [bits, *_] = image.tag_v2.get(BITS_PER_SAMPLE, (16,))  # type: ignore[attr-defined]
        return float(2**bits - 1)
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM")):
        return 65535.0
    return None


def _tiles(image: Image.Image) -> str:
    """What Pillow knows of how the picture's pixels are stored."""
    return str(getattr(image, "tile", ""))


def _swapped(stored: Any) -> Any:
    """The same way of storing with the two bytes of a value in the other order."""
    if isinstance(stored, tuple):
        return tuple(_swapped(one) for one in stored)
    if isinstance(stored, str):
        head, mark, order = stored.partition(";16")
        native = "L" if sys.byteorder == "little" else "B"
        order = native if order == "N" else order
        return f"{head};16{'L' if order == 'B' else 'B'}" if mark else stored
    return stored
