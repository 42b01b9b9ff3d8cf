"""Folders and patterns: hidden files and the leavings of systems are no data, at any depth."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from runner import DataError, SplitPlan, find_source

LEAVINGS = [
    ".ipynb_checkpoints/0-checkpoint{}",
    "cat/.ipynb_checkpoints/0-checkpoint{}",
    "cat/deep/.git/objects/0{}",
    "__MACOSX/cat/0{}",
    "cat/._0{}",
    "cat/Thumbs.db",
    "desktop.ini",
    "dog/.DS_Store",
    "dog/~$0{}",
    "dog/0{}~",
    "dog/.~lock.0{}#",
    "dog/@eaDir/0{}/thumb{}",
    "__pycache__/0{}",
    "$RECYCLE.BIN/0{}",
    "System Volume Information/0{}",
    "lost+found/0{}",
]


def littered(folder: Path, ending: str, good: bytes) -> None:
    """Two files of each class, and every kind of leaving."""
    places = [f"{name}/{i}{ending}" for name in ("cat", "dog") for i in range(2)]
    for place in [*places, *(name.replace("{}", ending) for name in LEAVINGS)]:
        file = folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(good)


def png(tmp_path: Path, value: int = 0) -> bytes:
    file = tmp_path / "one.png"
    Image.fromarray(np.full((4, 5, 3), value, np.uint8)).save(file)
    return file.read_bytes()


def test_leavings_are_no_pictures_and_a_line_counts_them(make, tmp_path):
    littered(tmp_path / "pics", ".png", png(tmp_path))
    counted = "16 files passed over, hidden or left behind by a system .*more"
    with pytest.warns(UserWarning, match=counted) as lines:
        data = make("dataset", "image_folder", path=tmp_path / "pics")
    assert len({str(line.message) for line in lines}) == 1
    assert data.task.names == ("cat", "dog")
    assert data.targets.tolist() == [0, 0, 1, 1]


def test_leavings_are_no_texts(make, tmp_path):
    littered(tmp_path / "texts", ".txt", b"hello\n")
    with pytest.warns(UserWarning, match="16 files passed over"):
        data = make("dataset", "text", path=tmp_path / "texts")
    assert data.task.names == ("cat", "dog")
    assert len(data.features) == 4


def test_leavings_are_no_series_of_numbers(make, tmp_path):
    littered(tmp_path / "runs", ".bin", np.arange(3, dtype="float32").tobytes())
    with pytest.warns(UserWarning, match="passed over, hidden or left behind"):
        data = make(
            "dataset", "binary_files", path=tmp_path / "runs/**/*.bin", split=SplitPlan(0.5, 0, 0)
        )
    rows = len(data.train[1]) + len(data.val[1])
    assert (rows, data.task.names) == (4, ("cat", "dog"))


@pytest.mark.parametrize("ending", [".csv", ".parquet", ".tfrecord"])
def test_a_pattern_matches_no_leavings(tmp_path, ending):
    littered(tmp_path, ending, b"x,y\n1,2\n")
    with pytest.warns(UserWarning, match="passed over"):
        if ending == ".tfrecord":
            from runner import files_named

            files = files_named(str(tmp_path / "**" / f"*{ending}"))
        else:
            files = list(find_source(str(tmp_path / "**" / f"*{ending}")).files)
    names = [file.relative_to(tmp_path).as_posix() for file in files]
    assert names == [f"cat/0{ending}", f"cat/1{ending}", f"dog/0{ending}", f"dog/1{ending}"]


def test_what_the_user_names_is_data_though_it_be_hidden(make, tmp_path):
    for name in ("cat", "dog"):
        (tmp_path / ".data" / "pics" / name).mkdir(parents=True)
        (tmp_path / ".data" / "pics" / name / "0.png").write_bytes(png(tmp_path))
    (tmp_path / ".data" / "x.csv").write_text("x\n1\n", encoding="utf-8")
    assert len(make("dataset", "image_folder", path=tmp_path / ".data" / "pics").targets) == 2
    for pattern in (".data/*.csv", ".d*/x.csv", ".data/x.csv"):
        assert len(find_source(str(tmp_path / pattern)).files) == 1


def test_a_folder_whose_name_holds_signs_of_a_pattern(make, tmp_path):
    folder = tmp_path / "data[1] *new?"
    for name in ("cat", "dog"):
        (folder / "pics" / f"{name} [x]").mkdir(parents=True)
        (folder / "pics" / f"{name} [x]" / "0.png").write_bytes(png(tmp_path))
        (folder / "runs" / name).mkdir(parents=True)
        (folder / "runs" / name / "0.bin").write_bytes(np.arange(3, dtype="float32").tobytes())
    (folder / "x.csv").write_text("x\n1\n", encoding="utf-8")
    pictures = make("dataset", "image_folder", path=folder / "pics")
    assert pictures.task.names == ("cat [x]", "dog [x]")
    runs = make("dataset", "binary_files", path=folder / "runs/*/*.bin", split=SplitPlan(0, 0, 0))
    assert len(runs.train[1]) == 2
    assert len(find_source(str(folder / "*.csv")).files) == 1
    with pytest.raises(DataError, match="matches no file: give a pattern"):
        make("dataset", "binary_files", path=folder / "runs/*/*.dat")


def test_a_name_that_is_no_utf_8_is_one_sentence_unless_it_is_a_leaving(make, tmp_path):
    littered(tmp_path / "pics", ".png", png(tmp_path))
    odd = os.fsencode(tmp_path / "pics" / "cat") + b"/.\xff.png"
    Path(os.fsdecode(odd)).write_bytes(png(tmp_path))
    with pytest.warns(UserWarning, match="17 files passed over"):
        assert len(make("dataset", "image_folder", path=tmp_path / "pics").targets) == 4
    odd = os.fsencode(tmp_path / "pics" / "cat") + b"/\xff.png"
    Path(os.fsdecode(odd)).write_bytes(png(tmp_path))
    with (
        pytest.warns(UserWarning, match="passed over"),
        pytest.raises(DataError, match="not UTF-8: rename it"),
    ):
        make("dataset", "image_folder", path=tmp_path / "pics")


def test_links_are_followed_and_a_folder_within_itself_ends(make, tmp_path):
    real = tmp_path / "real"
    real.mkdir()
    (real / "0.png").write_bytes(png(tmp_path))
    (tmp_path / "pics").mkdir()
    for name in ("cat", "dog"):
        (tmp_path / "pics" / name).symlink_to(real)
    (real / "again").symlink_to(tmp_path / "pics")
    assert len(make("dataset", "image_folder", path=tmp_path / "pics").targets) >= 2


def test_other_endings_and_files_in_no_folder_are_counted(make, tmp_path):
    for place in ("cat/0.png", "dog/0.png", "stray.png"):
        (tmp_path / "pics" / place).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pics" / place).write_bytes(png(tmp_path))
    for name in ("film.mp4", "a.heic", "b.heic", "notes"):
        (tmp_path / "pics" / "cat" / name).touch()
    counted = (
        "5 files passed over, no images of a class: 2 .heic, 1 .mp4, 1 without an ending and 1"
    )
    with pytest.warns(UserWarning, match=counted):
        data = make("dataset", "image_folder", path=tmp_path / "pics")
    assert len(data.targets) == 2
