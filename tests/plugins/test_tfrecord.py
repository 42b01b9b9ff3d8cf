"""dataset=tfrecord: files that TensorFlow wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner import Data, DataError, SplitPlan, Stream, Task

RANDOM = np.random.default_rng(0)
IMAGES = RANDOM.integers(0, 255, (60, 4, 5, 1), np.uint8)
SPEC = {
    "image": {"dtype": "image", "shape": [4, 5, 1]},
    "packed": {"dtype": "bytes", "of": "int16", "shape": [2, 2]},
    "age": {"dtype": "float32"},
    "word": {"dtype": "text"},
    "label": {"dtype": "int64"},
}


def example(i: int) -> bytes:
    import tensorflow as tf

    def of(*values: bytes) -> tf.train.Feature:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))

    features = {
        "image": of(tf.io.encode_png(IMAGES[i]).numpy()),
        "packed": of(np.full((2, 2), i, "<i2").tobytes()),
        "age": tf.train.Feature(float_list=tf.train.FloatList(value=[i / 2])),
        "word": of(f"wörd{i}".encode()),
        "label": tf.train.Feature(int64_list=tf.train.Int64List(value=[i % 3])),
    }
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three files of 20 examples each; all features but the image say which one it is."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("records")
    for number in range(3):
        with tf.io.TFRecordWriter(str(folder / f"part{number}.tfrecord")) as writer:
            for i in range(20 * number, 20 * number + 20):
                writer.write(example(i))
    return folder


def only(*names: str) -> dict:
    return {name: SPEC[name] for name in (*names, "label")}


def test_every_kind_of_feature_is_read(make, records):
    data = make("dataset", "tfrecord", path=records / "*.tfrecord", spec=SPEC)
    assert isinstance(data, Data)
    assert np.array_equal(data.features["image"], IMAGES)
    assert np.array_equal(data.features["age"], np.arange(60) / 2)
    assert (data.features["packed"] == np.arange(60)[:, None, None]).all()
    assert data.features["word"].tolist() == [f"wörd{i}" for i in range(60)]
    assert np.array_equal(data.targets, np.arange(60) % 3)
    assert data.task == Task.classification(3)


def test_one_feature_is_one_array(make, records):
    path = records / "*.tfrecord"
    assert make("dataset", "tfrecord", path=path, spec=only("age")).features.shape == (60, 1)
    assert make("dataset", "tfrecord", path=path, spec=only("word")).features.shape == (60,)
    image = make("dataset", "tfrecord", path=path, spec=only("image"))
    assert image.features.shape == (60, 4, 5, 1)
    assert image.features.dtype == "float32"


@pytest.mark.slow
def test_large_files_are_streams_of_disjoint_parts(make, records):
    split = SplitPlan(val=0.3, test=0.2, seed=1)
    params = {"path": records / "*.tfrecord", "spec": SPEC, "split": split, "memory": 0}
    data = make("dataset", "tfrecord", **params)
    seen = []
    for part in (data.train, data.val, data.test):
        assert isinstance(part, Stream)
        ages = np.concatenate([features["age"] for features, _ in part.read(None)])
        assert len(ages) == part.rows
        assert set(part.sample[0]["age"]) <= set(ages)
        seen += ages.tolist()
    assert sorted(seen) == (np.arange(60) / 2).tolist()

    def order(seed: int) -> list[float]:
        blocks = data.train.read(np.random.default_rng(seed))
        return np.concatenate([features["age"] for features, _ in blocks]).tolist()

    assert order(1) == order(1)
    assert any(order(1) != order(seed) for seed in range(2, 9))
    assert sorted(order(1)) == sorted(order(2))


def test_a_part_is_chosen_by_content_not_by_file(make, records, tmp_path):
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(tmp_path / "all.gz"), "GZIP") as writer:
        for i in reversed(range(60)):
            writer.write(example(i))
    params = {"spec": only("age"), "memory": 0}
    one = make("dataset", "tfrecord", path=records / "*.tfrecord", **params)
    other = make("dataset", "tfrecord", path=tmp_path / "all.gz", compression="GZIP", **params)
    for name in ("train", "val", "test"):
        ages = [
            np.concatenate([features for features, _ in getattr(data, name).read(None)])
            for data in (one, other)
        ]
        assert np.array_equal(ages[0], ages[1][::-1])


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"path": "none*"}, "matches no file"),
        ({"label": "mark"}, "dataset.label=mark is not in dataset.spec: available: age, image"),
        ({"spec": {"label": {"dtype": "int64"}}}, "names no feature beside the label"),
        ({"label": "image"}, "dataset.spec.image is a label"),
        ({"spec": only("age") | {"size": {"dtype": "float32"}}}, "not as dataset.spec says.*size"),
        ({"spec": only() | {"image": {"dtype": "image", "shape": [5, 4, 1]}}}, r"has \[4, 5, 1\]"),
        ({"spec": only() | {"image": {"dtype": "image", "shape": [4]}}}, "give shape .height"),
        (
            {"spec": only() | {"packed": {"dtype": "bytes", "of": "int16"}}},
            "4 numbers of type int16",
        ),
        (
            {"spec": only() | {"word": {"dtype": "image", "shape": [4, 5, 1]}}},
            "as dataset.spec says",
        ),
        ({"compression": "GZIP"}, "cut off or no TFRecord"),
    ],
)
def test_what_is_wrong_is_one_sentence(make, records, params, said):
    path = records / params.pop("path", "*.tfrecord")
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "tfrecord", path=path, **{"spec": SPEC, **params})
    assert "\n" not in str(told.value)


def test_a_file_that_is_cut_off_is_named(make, records, tmp_path):
    whole = (records / "part0.tfrecord").read_bytes()
    (tmp_path / "cut.tfrecord").write_bytes(whole[:-7])
    with pytest.raises(DataError, match=r"cut\.tfrecord is cut off"):
        make("dataset", "tfrecord", path=tmp_path / "*", spec=SPEC)
    (tmp_path / "cut.tfrecord").write_bytes(b"")
    with pytest.raises(DataError, match="1 files and no record"):
        make("dataset", "tfrecord", path=tmp_path / "*", spec=SPEC)
