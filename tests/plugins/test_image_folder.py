"""dataset=image_folder: real PNG and JPEG files, and some that are broken."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner import Data, DataError, SplitPlan, Stream, Task

# The folder holds a text, which a line tells of.
pytestmark = pytest.mark.filterwarnings("ignore:.*1 file passed over, no images of a class")


def picture(value: int, height: int = 6, width: int = 8) -> np.ndarray:
    """An image of a colour and a ramp."""
    pixels = np.full((height, width, 3), value, np.uint8)
    pixels[..., 2] = np.arange(width) * 30
    return pixels


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """30 images in two classes; the red value tells which one it is."""
    root = tmp_path / "pictures"
    for i in range(30):
        place = root / ("dog" if i % 3 else "cat") / f"{i % 2}"
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(i)).save(place / f"{i:02}.png")
    (root / "cat" / "notes.txt").write_text("not an image", encoding="utf-8")
    return root


def test_images_are_what_was_drawn(make, folder):
    data = make("dataset", "image_folder", path=folder)
    assert isinstance(data, Data)
    assert data.features.shape == (30, 6, 8, 3)
    assert data.features.dtype == "float32"
    assert data.task == Task.binary(("cat", "dog"))
    numbers = np.rint(data.features[:, 0, 0, 0] * 255).astype(int)
    assert sorted(numbers) == list(range(30))
    rows = zip(numbers, data.features, data.targets, data.keys, strict=True)
    for number, image, label, key in rows:
        assert key == f"{'dog' if label else 'cat'}/{number % 2}/{number:02}.png"
        assert np.array_equal(image, picture(number) / np.float32(255))
        assert label == (number % 3 > 0)


def test_size_channels_and_scale_are_as_asked(make, folder):
    params = {"size": [4, 4], "channels": 1, "scale": 1.0}
    data = make("dataset", "image_folder", path=folder, **params)
    assert data.features.shape == (30, 4, 4, 1)
    assert data.features.max() > 1


def test_a_large_folder_is_a_stream_that_gives_the_same_images(make, folder):
    split = SplitPlan(val=0.3, test=0.3, seed=0)
    data = make("dataset", "image_folder", split=split, path=folder, memory=0)
    seen = []
    for part in (data.train, data.val, data.test):
        assert isinstance(part, Stream)
        for features, targets in part.read(np.random.default_rng(0)):
            numbers = np.rint(features[:, 0, 0, 0] * 255).astype(int)
            assert np.array_equal(targets, numbers % 3 > 0)
            seen += numbers.tolist()
    assert sorted(seen) == list(range(30))


@pytest.mark.parametrize("memory", [1024, 0])
def test_a_broken_image_stops_or_is_left_out_by_name(make, folder, memory):
    (folder / "cat" / "empty.png").touch()
    torn = folder / "dog" / "torn.jpg"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 8, 3), np.uint8)).save(torn)
    torn.write_bytes(torn.read_bytes()[:300])
    bent = folder / "dog" / "bent.png"
    Image.fromarray(picture(0)).save(bent)
    bent.write_bytes(bent.read_bytes()[:8] + bytes(40) + bent.read_bytes()[48:])
    split = SplitPlan(val=0.3, test=0.3, seed=0)
    params = {"split": split, "path": folder, "memory": memory}
    said = r"3 of 33 images cannot be decoded: \S*empty.png .*bent.png .*torn.jpg .*on_error=skip"
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "image_folder", **params)
    assert "\n" not in str(told.value)
    with pytest.warns(UserWarning, match="3 of 33 images cannot be decoded.*are left out"):
        data = make("dataset", "image_folder", **params, on_error="skip")
    parts = [data] if memory else [data.train, data.val, data.test]
    rows = sum(part.rows if isinstance(part, Stream) else len(part.targets) for part in parts)
    assert rows == 30


def test_images_of_several_sizes_need_a_size(make, folder):
    Image.fromarray(picture(0, 5, 5)).save(folder / "dog" / "small.png")
    with pytest.raises(DataError, match=r"small.png is 5 x 5 pixels.*6 x 8.*dataset.size"):
        make("dataset", "image_folder", path=folder)
    assert len(make("dataset", "image_folder", path=folder, size=[6, 8]).targets) == 31


def test_a_folder_that_holds_no_classes_is_one_sentence(make, folder, tmp_path):
    for path, said in [
        (tmp_path / "nothing", "does not exist"),
        (folder / "cat" / "notes.txt", "is a file: give a folder"),
        (folder / "cat" / "0", "holds no images"),
        (tmp_path, "images of one class only, pictures"),
    ]:
        with pytest.raises(DataError, match=said):
            make("dataset", "image_folder", path=path)


def test_an_image_is_known_by_its_place_and_content(make, folder):
    identity = make.registry.find("dataset", "image_folder").marks.identity
    said = identity(path=folder)
    assert len(said) == 30
    assert "cat/0/00.png" in said
