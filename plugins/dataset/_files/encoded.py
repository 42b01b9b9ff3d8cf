"""Images within records, by TensorFlow: depth and orientation as they are, nothing unseen."""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from runner import DataError

Array = np.ndarray[Any, Any]
DEPTH, COLOURS = 24, 25
"""The bytes of a PNG that say bits a channel, and which channels there are."""
HEAD = 2**16
"""Bytes at the beginning in which EXIF and a palette's transparency stand."""
ORIENTATION = 0x0112


def decoded(tf: Any, name: str, content: bytes, channels: int) -> Array:
    """The pixels, (height, width, channels); DataError where some of them would go unseen.

    name: the feature, for sentences.
    """
    is_png = content[:4] == b"\x89PNG" and len(content) > COLOURS
    kind = tf.uint16 if is_png and content[DEPTH] == 16 else tf.uint8
    has_alpha = is_png and (content[COLOURS] in (4, 6) or b"tRNS" in content[:HEAD])
    if has_alpha and channels in (1, 3):
        alpha = tf.io.decode_png(content, 4, dtype=kind).numpy()[..., 3]
        if (alpha < np.iinfo(alpha.dtype).max).any():
            raise DataError(
                f"dataset.spec.{name} has {channels} channels, and an image is transparent in "
                "places: give shape [height,width,4], or write images without"
            )
    if content[:3] == b"GIF" and (frames := int(tf.io.decode_gif(content).shape[0])) > 1:
        raise DataError(f"dataset.spec.{name} has an image of {frames} frames: write them singly")
    image = tf.io.decode_image(content, channels, dtype=kind, expand_animations=False)
    return _upright(np.asarray(image.numpy()), _orientation(content))


def _orientation(content: bytes) -> int:
    """How the camera was held, 1 to 8, as the EXIF of a JPEG file says; 1 where it does not."""
    begin = content.find(b"Exif\0\0", 0, HEAD) + 6
    if content[:2] != b"\xff\xd8" or begin < 6:
        return 1
    exif = content[begin:HEAD]
    order = "<" if exif[:2] == b"II" else ">"
    try:
        [first] = struct.unpack_from(f"{order}I", exif, 4)
        [count] = struct.unpack_from(f"{order}H", exif, first)
        for at in range(first + 2, first + 2 + 12 * count, 12):
            tag, _, _, value = struct.unpack_from(f"{order}HHIH", exif, at)
            if tag == ORIENTATION:
                return int(value)
    except struct.error:
        pass
    return 1


def _upright(pixels: Array, orientation: int) -> Array:
    """The pixels turned as the camera was held."""
    if orientation in (3, 4, 6, 7):
        pixels = pixels[::-1]
    if orientation in (2, 3, 7, 8):
        pixels = pixels[:, ::-1]
    return pixels.swapaxes(0, 1) if orientation in (5, 6, 7, 8) else pixels
