"""Data that are divided already keep their parts; rows that stand in several are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from runner import Data, DataError, SplitPlan, Splits, Stream, Task
from runner.data import duplicates
from runner.data.checks import check_loaded
from runner.data.prepare import split

DRAWN = SplitPlan(val=0.25, test=0.25, seed=0)
BY_COLUMN = SplitPlan(val=0.25, test=0.25, seed=0, by="column:part")


def written(folder: Path, kind: str, place: str, number: int) -> None:
    """An example that knows its number."""
    ending = {"image_folder": "png", "text": "txt", "binary_files": "bin"}[kind]
    file = folder / place / f"{number}.{ending}"
    file.parent.mkdir(parents=True, exist_ok=True)
    if kind == "image_folder":
        Image.fromarray(np.full((2, 2, 3), number, np.uint8)).save(file)
    elif kind == "text":
        file.write_text(str(number), encoding="utf-8")
    else:
        file.write_bytes(np.array([number], "float32").tobytes())


def folders(folder: Path, kind: str, *places: str) -> dict[str, set[int]]:
    """Eight examples in each place; the numbers by the name of the place."""
    numbers = {}
    for first, place in enumerate(places):
        numbers[place] = set(range(8 * first, 8 * first + 8))
        for number in numbers[place]:
            written(folder, kind, place, number)
    return numbers


def given(make: Any, kind: str, folder: Path, wanted: SplitPlan = DRAWN, **params: Any) -> Splits:
    """The dataset of the kind in its parts."""
    if kind == "binary_files":
        params["path"] = folder / "**/*.bin"
    data = make("dataset", kind, **{"split": wanted, "path": folder, **params})
    check_loaded(data, kind, text=True)
    return split(data, wanted)


def numbers_of(part: Any, kind: str) -> list[int]:
    """The numbers of the examples of a part, sorted."""
    if isinstance(part, Stream):
        features = np.concatenate([x for x, _ in part.read(None)])
    else:
        features = part[0]
    values = features.reshape(len(features), -1)[:, 0]
    factor = 255 if kind == "image_folder" else 1
    return sorted(round(float(value) * factor) for value in values.tolist())


KINDS = ["image_folder", "text", "binary_files"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("names", [("train", "test"), ("Training", "TESTING")])
def test_train_and_test_are_the_parts_and_val_is_drawn_from_train(make, tmp_path, kind, names):
    train, test = names
    places = [f"{train}/cat", f"{train}/dog", f"{test}/cat", f"{test}/dog"]
    numbers = folders(tmp_path, kind, *places)
    told = (
        r"train 16, test 16\): val is drawn from train \(split.val=0.25\), and split.test is not"
    )
    with pytest.warns(UserWarning, match=told):
        parts = given(make, kind, tmp_path)
    assert parts.task == Task.binary(("cat", "dog"))
    assert numbers_of(parts.test, kind) == sorted(numbers[places[2]] | numbers[places[3]])
    drawn = numbers_of(parts.train, kind) + numbers_of(parts.val, kind)
    assert sorted(drawn) == sorted(numbers[places[0]] | numbers[places[1]])
    assert len(numbers_of(parts.val, kind)) == 4


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("val", ["val", "valid", "Validation", "dev"])
def test_val_is_one_of_them(make, tmp_path, kind, val):
    places = [f"{part}/{name}" for part in ("train", val) for name in ("cat", "dog")]
    numbers = folders(tmp_path, kind, *places)
    with pytest.warns(UserWarning, match=r"train 16, val 16\): split.val and split.test are not"):
        parts = given(make, kind, tmp_path)
    assert parts.test is None
    assert numbers_of(parts.val, kind) == sorted(numbers[places[2]] | numbers[places[3]])
    with pytest.raises(DataError, match=r"split.folds=3 is of no use: .*parts of their own"):
        given(make, kind, tmp_path, SplitPlan(0.25, 0.25, 0, folds=3))


@pytest.mark.parametrize("kind", KINDS)
def test_the_parts_may_lie_in_the_classes(make, tmp_path, kind):
    places = [f"{name}/{part}" for part in ("train", "test") for name in ("cat", "dog")]
    numbers = folders(tmp_path, kind, *places)
    with pytest.warns(UserWarning, match="train 16, test 16"):
        parts = given(make, kind, tmp_path)
    assert parts.task.names == ("cat", "dog")
    assert numbers_of(parts.test, kind) == sorted(numbers[places[2]] | numbers[places[3]])


@pytest.mark.parametrize("kind", ["image_folder", "binary_files"])
def test_streams_have_the_same_parts(make, tmp_path, kind):
    places = [f"{part}/{name}" for part in ("train", "test") for name in ("cat", "dog")]
    numbers = folders(tmp_path, kind, *places)
    for wanted in (DRAWN, SplitPlan(0.25, 0.25, 0, by="hash")):
        with pytest.warns(UserWarning, match="train 16, test 16"):
            parts = given(make, kind, tmp_path, wanted, memory=0)
        assert isinstance(parts.test, Stream)
        assert numbers_of(parts.test, kind) == sorted(numbers[places[2]] | numbers[places[3]])
        drawn = numbers_of(parts.train, kind) + numbers_of(parts.val, kind)
        assert sorted(drawn) == sorted(numbers[places[0]] | numbers[places[1]])


@pytest.mark.parametrize("kind", ["image_folder", "text"])
def test_train_alone_is_divided_as_usual(make, tmp_path, kind):
    folders(tmp_path, kind, "train/cat", "train/dog")
    parts = given(make, kind, tmp_path)
    assert parts.task.names == ("cat", "dog")
    assert [len(p[1]) for p in (parts.train, parts.val, parts.test)] == [8, 4, 4]


@pytest.mark.filterwarnings("ignore:the data come in parts of their own")
def test_a_part_that_lacks_classes_or_has_others_is_told(make, tmp_path):
    folders(tmp_path / "a", "text", "train/cat", "train/dog", "train/unsup", "test/cat")
    with pytest.warns(UserWarning, match="has in train the classes dog, unsup, which test lacks"):
        given(make, "text", tmp_path / "a")
    folders(tmp_path / "b", "text", "train/cat", "train/dog", "test/bird")
    with pytest.raises(DataError, match="has in test the classes bird, which train lacks"):
        given(make, "text", tmp_path / "b")
    folders(tmp_path / "c", "text", "train/cat", "train/dog", "test")
    with pytest.warns(UserWarning, match="8 files passed over, no texts of a class: 8 in no"):
        parts = given(make, "text", tmp_path / "c")
    assert [len(p[1]) for p in (parts.train, parts.val, parts.test)] == [8, 4, 4]


@pytest.mark.parametrize("kind", KINDS)
def test_train_and_test_are_never_classes(make, tmp_path, kind):
    folders(tmp_path / "flat", kind, "train", "test")
    with pytest.raises(DataError, match="folder for each class"):
        given(make, kind, tmp_path / "flat")


@pytest.mark.parametrize("others", [["test", "extra"], ["eval"], ["test", "unlabelled/all"]])
def test_parts_beside_what_is_none_are_refused(make, tmp_path, others):
    places = [f"train/{name}" for name in ("cat", "dog")]
    for other in others:
        places += [other] if "/" in other else [f"{other}/{name}" for name in ("cat", "dog")]
    folders(tmp_path, "text", *places)
    odd = others[-1].partition("/")[0]
    told = f"holds parts and beside them {odd}: .* must be called train, val or test"
    with pytest.raises(DataError, match=told):
        given(make, "text", tmp_path)


def test_a_class_may_be_called_train(make, tmp_path):
    folders(tmp_path, "text", "train/steam", "car/sport", "plane")
    assert given(make, "text", tmp_path).task.names == ("car", "plane", "train")


def table(folder: Path, door: str, names: list[str]) -> dict[str, Any]:
    """60 rows with a column `part`, and the params that read them."""
    rows = [f"{i},{names[i % len(names)]},{'ab'[i % 2]}" for i in range(60)]
    text = "\n".join(["text,part,label", *rows, ""])
    (folder / "rows.csv").write_text(text, encoding="utf-8")
    if door == "text":
        return {"path": folder / "rows.csv"}
    return {"path": folder / "rows.csv", "label": "label", "features": ["text"]}


DOORS = [("csv", {}), ("csv", {"memory_rows": 0}), ("text", {})]


@pytest.mark.parametrize(("door", "params"), DOORS)
def test_a_column_names_the_parts(make, tmp_path, door, params):
    params = params | table(tmp_path, door, ["Train", "train", "TEST"])
    with pytest.warns(UserWarning, match=r"train 40, test 20\): val is drawn from train"):
        parts = given(make, door, tmp_path, BY_COLUMN, **params)
    assert numbers_of(parts.test, door) == list(range(2, 60, 3))
    drawn = numbers_of(parts.train, door) + numbers_of(parts.val, door)
    assert sorted(drawn) == [i for i in range(60) if i % 3 != 2]


@pytest.mark.parametrize(("door", "params"), DOORS)
def test_a_column_may_name_val_too(make, tmp_path, door, params):
    params = params | table(tmp_path, door, ["train", "validation", "testing"])
    with pytest.warns(UserWarning, match="train 20, val 20, test 20"):
        parts = given(make, door, tmp_path, BY_COLUMN, **params)
    assert numbers_of(parts.val, door) == list(range(1, 60, 3))


@pytest.mark.parametrize(("door", "params"), DOORS)
def test_other_values_of_the_column_are_named(make, tmp_path, door, params):
    params = params | table(tmp_path, door, ["train", "holdout", "7"])
    with pytest.raises(DataError, match=r"'part' holds '7', 'holdout': its values may be train,"):
        given(make, door, tmp_path, BY_COLUMN, **params)
    params |= table(tmp_path, door, ["val", "test"])
    with pytest.raises(DataError, match="none of it is train"):
        given(make, door, tmp_path, BY_COLUMN, **params)


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["train/a.csv", "test/a.csv"], "*/*.csv"),
        (["train.csv", "test.csv"], "*.csv"),
        (["train-00000-of-2.csv", "train-00001-of-2.csv", "validation-0-of-1.csv"], "*.csv"),
    ],
)
def test_tables_of_several_parts_in_one_pattern_are_told(make, tmp_path, names, pattern):
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("x,y\n1,a\n2,b\n", encoding="utf-8")
    with pytest.warns(UserWarning, match="matches files of train and of other parts"):
        make("dataset", "csv", path=tmp_path / pattern, label="y")
    (tmp_path / "trainer.csv").write_text("x,y\n1,a\n2,b\n", encoding="utf-8")
    make("dataset", "csv", path=tmp_path / "train*.csv", label="y")


def test_files_of_numbers_by_the_column_of_their_table(make, tmp_path):
    folders(tmp_path, "binary_files", "all")
    rows = [f"{i}.bin,{'ab'[i % 2]},{['train', 'test'][i // 6]}" for i in range(8)]
    table = tmp_path / "all" / "labels.csv"
    table.write_text("\n".join(["file,label,part", *rows, ""]), encoding="utf-8")
    for memory in (0, 1024):
        params = {"label": "csv", "csv": table, "memory": memory}
        with pytest.warns(UserWarning, match="train 6, test 2"):
            parts = given(make, "binary_files", tmp_path, BY_COLUMN, **params)
        assert numbers_of(parts.test, "binary_files") == [6, 7]


def test_a_table_says_one_thing_of_each_file(make, tmp_path):
    folders(tmp_path, "binary_files", "a", "b")
    for number in range(8):
        written(tmp_path, "binary_files", "b", number)
    table = tmp_path / "labels.csv"
    params = {"label": "csv", "csv": table}

    def rows(*lines: str) -> None:
        table.write_text("\n".join(["file,label", *lines, ""]), encoding="utf-8")

    of_a = [f"a/{i}.bin,{'xy'[i % 2]}" for i in range(8)]
    rows(*of_a, *(f"b/{i}.bin,{'yx'[i % 2]}" for i in range(16)))
    parts = given(make, "binary_files", tmp_path, SplitPlan(0, 0, 0), **params)
    assert len(parts.train[1]) == 24
    rows(*(f"{line.replace('a/', 'old/')}" for line in of_a), *(f"b/{i}.bin,z" for i in range(16)))
    with pytest.raises(DataError, match=r"2 rows for files called 0.bin, and none for .*a/0.bin"):
        given(make, "binary_files", tmp_path, SplitPlan(0, 0, 0), **params)
    rows(*of_a, "a/0.bin,z")
    with pytest.raises(DataError, match=r"two rows for a/0.bin, which differ"):
        given(make, "binary_files", tmp_path, SplitPlan(0, 0, 0), **params)
    table.write_bytes("file,label\n0.bin,ö\n".encode("latin-1"))
    with pytest.raises(DataError, match="no table of text, UTF-8"):
        given(make, "binary_files", tmp_path, SplitPlan(0, 0, 0), **params)


@pytest.mark.many
@pytest.mark.parametrize("memory", [0, 1024])
def test_records_in_train_and_test_are_those_parts(make, tmp_path, memory):
    import tensorflow as tf

    for part, first in (("train", 0), ("test", 40)):
        (tmp_path / part).mkdir()
        with tf.io.TFRecordWriter(str(tmp_path / part / "0.tfrecord")) as writer:
            for i in range(first, first + (40 if part == "train" else 10)):
                features = {
                    "x": tf.train.Feature(float_list=tf.train.FloatList(value=[i])),
                    "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 2])),
                }
                example = tf.train.Example(features=tf.train.Features(feature=features))
                writer.write(example.SerializeToString())
    params = {"spec": {"x": {}, "label": {"dtype": "int64"}}, "memory": memory}
    with pytest.warns(UserWarning, match="train 40, test 10"):
        parts = given(make, "tfrecord", tmp_path, path=tmp_path / "*/*.tfrecord", **params)
    assert numbers_of(parts.test, "tfrecord") == list(range(40, 50))
    drawn = numbers_of(parts.train, "tfrecord") + numbers_of(parts.val, "tfrecord")
    assert sorted(drawn) == list(range(40))


def test_a_part_that_is_no_part_is_one_sentence():
    data = Data(np.zeros((3, 1), "float32"), np.arange(3) % 2, Task.binary())
    for part in (np.array([0, 1]), np.array([0, 1, 3])):
        wrong = Data(data.features, data.targets, data.task, part=part)
        with pytest.raises(DataError, match="a part for each of its 3 rows"):
            check_loaded(wrong, "dataset 'mine'", text=False)


# --- Rows in several parts -----------------------------------------------------------------------


def data_of(features: Any, **more: Any) -> Data:
    rows = len(next(iter(features.values())) if isinstance(features, dict) else features)
    return Data(features, np.arange(rows) % 2, Task.binary(), **more)


@pytest.mark.filterwarnings("ignore:the data come in parts of their own")
@pytest.mark.parametrize("shape", [(100, 3), (100, 5, 7), (100, 1)])
@pytest.mark.parametrize("kind", ["float32", "int64", "uint8"])
def test_equal_rows_in_several_parts_are_counted(shape, kind):
    features = np.arange(np.prod(shape)).reshape(shape).astype(kind)
    features[:, ..., 0] = np.arange(100).reshape(-1, *[1] * (len(shape) - 2))
    part = np.repeat([0, 1, 2], [60, 20, 20])
    assert duplicates.complaint(data_of(features, part=part), DRAWN) is None
    features[60:63], features[80:85] = features[:3], features[1:6]
    line = duplicates.complaint(data_of(features, part=part), DRAWN)
    assert "3 of 20 rows of val and 5 of 20 rows of test are in train" in (line or "")


def test_equal_rows_are_counted_exactly_as_a_dictionary_would():
    random = np.random.default_rng(0)
    features = {
        "a": random.integers(0, 9, 300).astype("float32"),
        "b": random.choice(np.array(["x", "y", ""], dtype=object), 300),
        "c": random.choice(np.array(["u", "vv"]), 300),
        "d": random.choice(np.array([1.0, np.nan], "float32"), (300, 2)),
    }
    whole = split(data_of(features), DRAWN)
    rows = [
        [tuple(map(str, row)) for row in zip(*(x.tolist() for x in part[0].values()), strict=True)]
        for part in (whole.train, whole.val, whole.test)
    ]
    counts = [sum(row in set(rows[0]) for row in part) for part in rows[1:]]
    line = duplicates.complaint(data_of(features), DRAWN)
    for count, name in zip(counts, ("val", "test"), strict=True):
        assert f"{count} of 75 rows of {name}" in (line or "")
    assert "if they are copies, split.by=hash keeps them in one part" in (line or "")
    by_hash = SplitPlan(val=0.25, test=0.25, seed=0, by="hash")
    assert duplicates.complaint(data_of(features), by_hash) is None


def test_rows_that_can_but_be_equal_are_no_alarm():
    features = (np.arange(300) % 4).astype("float32")[:, None]
    line = duplicates.complaint(data_of(features), DRAWN)
    assert line == (
        "data: 75 of 75 rows of val and 75 of 75 rows of test are in train, too, equal in every "
        "feature (all 300 rows hold 4 different ones)"
    )


def test_parts_of_a_dataset_and_streams():
    x = np.arange(8, dtype="float32")[:, None]
    y = np.arange(8) % 2
    parts = Splits((x, y), None, (x[:2], y[:2]), Task.binary())
    line = duplicates.complaint(parts, DRAWN)
    assert "2 of 2 rows of test are in train" in (line or "")
    assert "take them out of one part" in (line or "")
    stream = Stream(8, (x, y), lambda order: iter([(x, y)]))
    assert duplicates.complaint(Splits(stream, None, None, Task.binary()), DRAWN) is None


def test_a_run_says_so_before_it_trains(
    tmp_path: Path, train: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    x = np.arange(40, dtype="float32")[:, None] % 30
    np.savez(tmp_path / "twice.npz", x=x, y=np.arange(40) % 2)
    outcome = train(
        "dataset=arrays", f"dataset.path={tmp_path}/twice.npz", "epochs=1", "batch_size=8"
    )
    assert outcome.status == "finished"
    printed = capsys.readouterr().out
    assert "are in train, too" in printed
    assert printed.index("are in train, too") < printed.index("epoch 1/1")
