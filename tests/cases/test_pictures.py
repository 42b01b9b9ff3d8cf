"""Pictures as they are: depth, palette, orientation, transparency, frames and endings."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner import Data, DataError, SplitPlan, Splits, Task
from runner.data.labels import as_trained

Array = np.ndarray[Any, Any]
RANDOM = np.random.default_rng(0)
COLOURS = RANDOM.integers(0, 256, (4, 6, 3)).astype("uint8")
DEEP = RANDOM.integers(0, 65536, (4, 6)).astype("uint16")


def saved(folder: Path, image: Image.Image, name: str = "0.png", **options: Any) -> Path:
    """The picture as a dataset of two classes, one file each."""
    for place in ("cat", "dog"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        image.save(folder / place / name, **options)
    return folder


def read(make: Any, folder: Path, **params: Any) -> Array:
    """The first picture, as the model would get it; in memory and streamed alike."""
    data = make("dataset", "image_folder", path=folder, **params)
    assert isinstance(data, Data)
    return data.features[0]


def of_planes(planes: Array) -> bytes:
    """A PNG with 16 bits a channel, which Pillow does not write in colour."""

    def piece(kind: bytes, body: bytes) -> bytes:
        end = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + end

    height, width, count = planes.shape
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in planes)
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[count]
    head = struct.pack(">IIBBBBB", width, height, 16, kind, 0, 0, 0)
    pieces = ((b"IHDR", head), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(piece(*one) for one in pieces)


def put(folder: Path, content: bytes, name: str = "0.png") -> Path:
    for place in ("cat", "dog"):
        (folder / place).mkdir(parents=True, exist_ok=True)
        (folder / place / name).write_bytes(content)
    return folder


# --- Depth ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["0.png", "0.tif", "0.pgm"])
def test_16_bits_keep_their_depth(make, tmp_path, name):
    saved(tmp_path, Image.fromarray(DEEP), name)
    assert np.allclose(read(make, tmp_path, channels=1)[..., 0], DEEP / 65535, atol=1e-7)
    three = read(make, tmp_path)
    assert np.allclose(three, (DEEP / 65535)[..., None], atol=1e-7)
    assert np.array_equal(read(make, tmp_path, channels=1, scale=1.0)[..., 0], DEEP)


@pytest.mark.parametrize("count", [3, 4])
def test_colours_of_16_bits_keep_them(make, tmp_path, count):
    planes = RANDOM.integers(0, 65536, (4, 6, count)).astype("uint16")
    put(tmp_path, of_planes(planes))
    assert np.allclose(read(make, tmp_path, channels=count), planes / 65535, atol=1e-7)


def test_16_bits_lie_beside_8_in_one_range(make, tmp_path):
    saved(tmp_path, Image.fromarray(COLOURS))
    Image.fromarray(DEEP).save(tmp_path / "cat" / "1.png")
    data = make("dataset", "image_folder", path=tmp_path)
    assert np.allclose(data.features[0], COLOURS / 255, atol=1e-6)
    assert np.allclose(data.features[1], (DEEP / 65535)[..., None], atol=1e-6)


def test_16_bits_are_resized_in_their_depth(make, tmp_path):
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64).astype("uint16")
    saved(tmp_path, Image.fromarray(ramp))
    small = read(make, tmp_path, channels=1, size=[16, 16])
    assert len(np.unique(small)) == 256
    assert np.allclose(small[..., 0], ramp.reshape(16, 4, 16, 4).mean((1, 3)) / 65535, atol=0.02)


def test_values_of_no_known_range_need_a_scale(make, tmp_path):
    values = RANDOM.random((4, 6)).astype("float32")
    saved(tmp_path, Image.fromarray(values), "0.tif")
    with pytest.raises(DataError, match=r"0.tif \(floating point values.*dataset.scale="):
        read(make, tmp_path)
    assert np.allclose(read(make, tmp_path, channels=1, scale=2.0)[..., 0], values / 2)
    whole = saved(tmp_path / "whole", Image.fromarray(DEEP.astype("int32")), "0.tif")
    with pytest.raises(DataError, match=r"32-bit values without a known range"):
        read(make, whole)
    values[0, 0] = np.nan
    saved(tmp_path, Image.fromarray(values), "0.tif")
    with pytest.raises(DataError, match="values that are NaN or infinite"):
        read(make, tmp_path, scale=1.0)


# --- Palettes and other colours ------------------------------------------------------------------


def test_palettes_and_single_bits_are_colours(make, tmp_path):
    flat = (COLOURS // 128 * 255).astype("uint8")
    saved(tmp_path / "p", Image.fromarray(flat).convert("P", palette=Image.Palette.ADAPTIVE))
    assert np.allclose(read(make, tmp_path / "p"), flat / 255, atol=1e-6)
    bits = Image.fromarray(flat[..., 0]).convert("1")
    saved(tmp_path / "one", bits)
    assert np.array_equal(read(make, tmp_path / "one", channels=1)[..., 0], flat[..., 0] / 255)


def test_cmyk_is_turned_into_colours(make, tmp_path):
    image = Image.fromarray(np.full((4, 6, 3), (200, 30, 60), np.uint8)).convert("CMYK")
    saved(tmp_path, image, "0.jpg", quality=100)
    assert np.allclose(read(make, tmp_path)[0, 0], np.array([200, 30, 60]) / 255, atol=0.03)


# --- Orientation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("deep", [False, True])
def test_pictures_stand_as_the_camera_was_held(make, tmp_path, orientation, deep):
    turns: dict[int, Callable[[Array], Array]] = {
        1: lambda x: x,
        2: lambda x: x[:, ::-1],
        3: lambda x: x[::-1, ::-1],
        4: lambda x: x[::-1],
        5: lambda x: x.swapaxes(0, 1),
        6: lambda x: x[::-1].swapaxes(0, 1),
        7: lambda x: x[::-1, ::-1].swapaxes(0, 1),
        8: lambda x: x[:, ::-1].swapaxes(0, 1),
    }
    pixels = DEEP if deep else COLOURS
    image = Image.fromarray(pixels)
    exif = image.getexif()
    exif[0x0112] = orientation
    saved(tmp_path, image, exif=exif)
    expected = turns[orientation](pixels) / (65535 if deep else 255)
    got = read(make, tmp_path, channels=1 if deep else 3)
    assert np.allclose(got, expected[..., None] if deep else expected, atol=1e-6)


# --- Transparency --------------------------------------------------------------------------------


def glass(mode: str) -> Image.Image:
    """Red behind glass, opaque in the middle."""
    pixels = np.zeros((4, 6, 4), np.uint8)
    pixels[..., 0] = 255
    pixels[1:3, 2:4, 3] = 255
    return Image.fromarray(pixels).convert(mode)


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
@pytest.mark.parametrize("memory", [0, 1024])
def test_hidden_colours_stay_hidden(make, tmp_path, mode, memory):
    saved(tmp_path, glass(mode))
    for background in (255, 0):
        told = f"2 of 2 images are transparent.*dataset.background={background}"
        with pytest.warns(UserWarning, match=told):
            params = {"background": background, "memory": memory, "path": tmp_path}
            data = make("dataset", "image_folder", split=SplitPlan(0, 0, 0), **params)
        image = (next(data.train.read(None)) if memory == 0 else [data.features])[0][0]
        assert np.allclose(image[0, 0], background / 255)
        assert np.allclose(image[1, 2], [1, 0, 0] if mode == "RGBA" else 76 / 255, atol=0.01)


def test_four_channels_keep_what_is_transparent(make, tmp_path):
    saved(tmp_path, glass("RGBA"))
    image = read(make, tmp_path, channels=4)
    assert np.array_equal(image, np.asarray(glass("RGBA")) / np.float32(255))


def test_a_transparent_colour_of_a_palette_is_seen(make, tmp_path):
    image = Image.new("P", (6, 4))
    image.putpalette([255, 0, 0, 0, 255, 0])
    image.putpixel((0, 0), 1)
    saved(tmp_path, image, transparency=0)
    with pytest.warns(UserWarning, match="2 of 2 images are transparent"):
        pixels = read(make, tmp_path)
    assert np.allclose(pixels[0, 0], [0, 1, 0])
    assert np.allclose(pixels[1:], 1)


def test_transparency_in_16_bits_is_honoured_or_refused(make, tmp_path):
    planes = np.full((4, 6, 4), 65535, np.uint16)
    planes[..., 1:3], planes[0, :, 3] = 0, 0
    put(tmp_path / "four", of_planes(planes))
    with pytest.warns(UserWarning, match="2 of 2 images are transparent"):
        pixels = read(make, tmp_path / "four", background=0)
    assert np.allclose(pixels[0], 0)
    assert np.allclose(pixels[1:], [1, 0, 0])
    put(tmp_path / "two", of_planes(planes[..., 2:]))
    with pytest.raises(DataError, match=r"0.png \(a grey of 16 bits with transparency\)"):
        read(make, tmp_path / "two")


def test_what_could_be_transparent_and_is_not_is_no_matter(make, tmp_path):
    saved(tmp_path, Image.fromarray(COLOURS).convert("RGBA"))
    assert np.array_equal(read(make, tmp_path), COLOURS / np.float32(255))


# --- Frames, endings, sizes ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["0.gif", "0.png", "0.tif", "0.webp"])
def test_what_moves_or_has_pages_is_refused_or_its_first_is_read(make, tmp_path, name):
    first = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    more = [Image.fromarray(np.full((4, 6, 3), value, np.uint8)) for value in (100, 255)]
    saved(tmp_path, first, name, save_all=True, append_images=more)
    with pytest.raises(DataError, match=rf"{name} \(3 frames; dataset.frames=first reads"):
        read(make, tmp_path)
    assert not read(make, tmp_path, frames="first").any()


def test_a_photograph_with_a_preview_is_one_picture(make, tmp_path):
    preview = Image.fromarray(np.zeros((4, 6, 3), np.uint8))
    photograph = Image.fromarray(np.full((4, 6, 3), 255, np.uint8))
    saved(tmp_path, photograph, "0.mpo", save_all=True, append_images=[preview])
    assert read(make, tmp_path).min() > 0.9


@pytest.mark.parametrize(
    "name",
    ["0.jfif", "0.jpe", "0.JPG", "0.Jpeg", "0.tga", "0.bmp", "0.dib", "0.PGM", "0.pcx", "0.ico"],
)
def test_every_ending_of_pictures_is_taken(make, tmp_path, name):
    grey = Image.fromarray(np.full((16, 16), 77, np.uint8))
    kind = {"jfif": "JPEG", "jpe": "JPEG"}.get(name[2:])
    saved(tmp_path, grey, name, format=kind)
    assert np.allclose(read(make, tmp_path), 77 / 255, atol=0.01)


@pytest.mark.slow
def test_pictures_are_what_keras_reads(make, tmp_path):
    pixels = RANDOM.integers(0, 256, (40, 60, 3)).astype("uint8")
    saved(tmp_path, Image.fromarray(pixels))
    from keras.utils import load_img

    for way in ("nearest", "bilinear", "bicubic", "lanczos"):
        for keep in (False, True):
            keras = load_img(
                tmp_path / "cat" / "0.png",
                target_size=(12, 31),
                interpolation=way,
                keep_aspect_ratio=keep,
            )
            params = {"size": [12, 31], "interpolation": way, "keep_aspect": keep}
            expected = np.asarray(keras, np.uint8) / np.float32(255)
            assert np.array_equal(read(make, tmp_path, **params), expected)


def test_streamed_pictures_are_the_same(make, tmp_path):
    for number in range(24):
        place = tmp_path / ("cat", "dog")[number % 2]
        place.mkdir(exist_ok=True)
        deep = RANDOM.integers(0, 65536, (4, 6)).astype("uint16")
        Image.fromarray(deep).save(place / f"{number}.png")
    whole = make("dataset", "image_folder", path=tmp_path)
    parts = make("dataset", "image_folder", path=tmp_path, memory=0)
    assert isinstance(parts, Splits)
    blocks = [b for part in (parts.train, parts.val, parts.test) for b in part.read(None)]
    streamed = np.concatenate([features for features, _ in blocks])
    assert sorted(map(bytes, streamed)) == sorted(map(bytes, whole.features))


# --- Within records ------------------------------------------------------------------------------


def in_records(make: Any, folder: Path, content: bytes, channels: int) -> Array:
    """The first image of a TFRecord file."""
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(folder / "0.tfrecord")) as writer:
        for label in (0, 1):
            features = {
                "image": tf.train.Feature(bytes_list=tf.train.BytesList(value=[content])),
                "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[label])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())
    shape = {"dtype": "image", "shape": [4, 6, channels]}
    spec = {"image": shape, "label": {"dtype": "int64"}}
    return make("dataset", "tfrecord", path=folder / "0.tfrecord", spec=spec).features[0]


def test_images_in_records_keep_their_depth_and_hide_nothing(make, tmp_path):
    planes = RANDOM.integers(0, 65536, (4, 6, 3)).astype("uint16")
    assert np.array_equal(in_records(make, tmp_path, of_planes(planes), 3), planes)
    file = saved(tmp_path, glass("RGBA")) / "cat" / "0.png"
    assert np.array_equal(
        in_records(make, tmp_path, file.read_bytes(), 4), np.asarray(glass("RGBA"))
    )
    with pytest.raises(DataError, match="an image is transparent in places"):
        in_records(make, tmp_path, file.read_bytes(), 3)
    frames = [Image.fromarray(COLOURS), Image.fromarray(255 - COLOURS)]
    file = saved(tmp_path, frames[0], "0.gif", save_all=True, append_images=frames[1:])
    with pytest.raises(DataError, match="an image of 2 frames"):
        in_records(make, tmp_path, (file / "cat" / "0.gif").read_bytes(), 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_in_records_stand_upright(make, tmp_path, orientation):
    high = orientation > 4
    image = Image.fromarray(
        np.kron(COLOURS[: 3 if high else 2, : 2 if high else 3], np.ones((2, 2, 1), np.uint8))
    )
    exif = image.getexif()
    exif[0x0112] = orientation
    file = saved(tmp_path, image, "0.jpg", exif=exif, quality=100, subsampling=0) / "cat" / "0.jpg"
    upright = read(make, tmp_path, scale=1.0)
    assert upright.shape == (4, 6, 3)
    # The two decoders round differently; colours are farther apart.
    assert np.abs(in_records(make, tmp_path, file.read_bytes(), 3) - upright).max() <= 16


def test_new_pictures_may_lack_classes(make, tmp_path):
    (tmp_path / "dog").mkdir()
    Image.fromarray(COLOURS).save(tmp_path / "dog" / "0.png")
    with pytest.raises(DataError, match="images of one class only, dog"):
        read(make, tmp_path)
    with as_trained(Task.binary(("cat", "dog"))):
        data = make("dataset", "image_folder", path=tmp_path)
    assert data.targets.tolist() == [1]
