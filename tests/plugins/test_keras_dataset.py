"""dataset=keras: files as Keras keeps them, and a clear sentence where there are none."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest

from runner import Data, DataError, SplitPlan, Splits
from runner.errors import ConfigError

RANDOM = np.random.default_rng(0)


def images(rows: int, *shape: int) -> np.ndarray:
    return RANDOM.integers(0, 256, (rows, *shape), np.uint8)


def npz(path: Path, train: int = 50, test: int = 10, **more: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    labels = np.arange(train + test) % 10
    np.savez(
        path,
        x_train=images(train, 28, 28),
        y_train=labels[:train].astype(np.uint8),
        x_test=images(test, 28, 28),
        y_test=labels[train:].astype(np.uint8),
        **more,
    )
    return path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keras' home, empty, and no way into a network."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return tmp_path / "keras"


def test_mnist_comes_from_the_cache_with_its_own_test_part(make, home):
    file = npz(home / "datasets" / "mnist.npz")
    data = make("dataset", "keras")
    assert isinstance(data, Splits)
    held = np.load(file)
    assert np.array_equal(data.test[0][..., 0], held["x_test"].astype("float32") / 255)
    assert data.test[1].tolist() == held["y_test"].tolist()
    assert len(data.train[1]) + len(data.val[1]) == 50
    assert data.task.outputs == 10
    assert data.train[0].dtype == "float32"
    identity = make.registry.find("dataset", "keras").marks.identity
    assert identity(which="mnist", path=None, download=False, words=9, length=9) == [file]


def test_val_is_taken_from_train_as_the_split_says(make, tmp_path):
    path = npz(tmp_path / "mine.npz", train=1000)
    parts = {}
    for seed in (0, 0, 1):
        split = SplitPlan(val=0.3, test=0.5, seed=seed)
        data = make("dataset", "keras", split=split, path=path)
        assert 250 < len(data.val[1]) < 350
        assert len(data.test[1]) == 10
        assert parts.setdefault(seed, data.val[1].tolist()) == data.val[1].tolist()
    assert parts[0] != parts[1]
    data = make("dataset", "keras", split=SplitPlan(val=0, test=0, seed=0), path=path)
    assert data.val is None


@pytest.mark.parametrize("which", ["boston_housing", "california_housing"])
def test_houses_are_a_regression_that_the_runner_splits(make, home, which):
    x, y = RANDOM.normal(size=(20, 8)), RANDOM.normal(size=20)
    (home / "datasets").mkdir(parents=True)
    np.savez(home / "datasets" / f"{which}.npz", x=x, y=y)
    data = make("dataset", "keras", which=which)
    assert isinstance(data, Data)
    assert np.array_equal(data.features, x.astype("float32"))
    assert data.task.kind == "regression"


def test_fashion_mnist_comes_from_its_four_files(make, home):
    folder = home / "datasets" / "fashion-mnist"
    folder.mkdir(parents=True)
    pixels, labels = images(30, 28, 28), (np.arange(30) % 10).astype(np.uint8)
    for head in ("train", "t10k"):
        for name, array in (("images-idx3", pixels), ("labels-idx1", labels)):
            sizes = np.array(array.shape, ">i4").tobytes()
            body = bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()
            with gzip.open(folder / f"{head}-{name}-ubyte.gz", "wb") as file:
                file.write(body)
    data = make("dataset", "keras", which="fashion_mnist")
    assert np.array_equal(data.test[0][..., 0], pixels.astype("float32") / 255)
    assert data.task.names[9] == "ankle boot"


@pytest.mark.parametrize("which, label", [("cifar10", b"labels"), ("cifar100", b"fine_labels")])
def test_cifar_comes_from_its_batches(make, tmp_path, which, label):
    files = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    for name in files if which == "cifar10" else ("train", "test"):
        batch = {b"data": images(10, 3072), label: [3] * 10}
        (tmp_path / name).write_bytes(pickle.dumps(batch, protocol=4))
        last = batch[b"data"]
    data = make("dataset", "keras", which=which, path=tmp_path)
    assert data.test[0].shape == (10, 32, 32, 3)
    # In the file the colours come one after the other.
    assert np.array_equal(data.test[0][:, 0, 0, 1], last[:, 1024].astype("float32") / 255)
    assert len(data.train[1]) + len(data.val[1]) == (50 if which == "cifar10" else 10)


def lists(*texts: list[int]) -> np.ndarray:
    """Texts as Keras keeps them: an array of lists of words' numbers."""
    held = np.empty(len(texts), object)
    held[:] = texts
    return held


def test_imdb_is_codes_as_keras_numbers_them(make, tmp_path, monkeypatch):
    path = tmp_path / "imdb.npz"
    x, y = lists([1, 5, 9], [2] * 60, [3, 4]), np.array([0, 1, 0])
    np.savez(path, x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])
    params = {"which": "imdb", "path": path, "words": 10, "length": 4}
    with pytest.raises(DataError, match="leaves no row in val"):
        make("dataset", "keras", split=SplitPlan(val=1e-9, test=0, seed=0), **params)
    data = make("dataset", "keras", split=SplitPlan(val=0, test=0, seed=0), **params)
    assert data.test[0].tolist() == [[1, 4, 8, 2], [1, 5, 5, 5]]
    assert data.test[0].dtype == "int32"
    assert data.vocabulary == {"features": 10}
    assert data.task.names == ("negative", "positive")
    assert data.train[1].tolist() == [0, 1, 0]

    # Keras itself, told that this is the file that it looks for.
    import keras

    monkeypatch.setattr("keras.src.datasets.imdb.get_file", lambda **_: path)
    (_, _), (theirs, _) = keras.datasets.imdb.load_data(num_words=10)
    ours = [[code for code in row if code] for row in data.test[0].tolist()]
    assert sorted(ours) == sorted(row[:4] for row in theirs)


def test_reuters_has_46_classes_and_no_parts(make, tmp_path):
    path = tmp_path / "reuters.npz"
    np.savez(path, x=lists([1, 2], [3]), y=np.array([45, 0]))
    data = make("dataset", "keras", which="reuters", path=path, length=3)
    assert isinstance(data, Data)
    assert data.features.tolist() == [[1, 4, 5], [1, 6, 0]]
    assert data.task.outputs == 46


def test_a_pickle_that_would_run_something_is_refused(make, tmp_path):
    class Evil:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "ran",))

    for name in ("train", "test"):
        (tmp_path / name).write_bytes(pickle.dumps({b"data": Evil()}, protocol=4))
    with pytest.raises(DataError, match=r"does not hold cifar100 .* it wants to call"):
        make("dataset", "keras", which="cifar100", path=tmp_path)
    np.savez(tmp_path / "imdb.npz", x_train=np.array([Evil()], dtype=object))
    with pytest.raises(DataError, match=r"not an \.npz file as Keras keeps imdb"):
        make("dataset", "keras", which="imdb", path=tmp_path / "imdb.npz")
    assert not (tmp_path / "ran").exists()


def test_what_is_not_in_the_cache_is_one_sentence(make, home):
    for which in ("mnist", "cifar10", "fashion_mnist", "california_housing"):
        with pytest.raises(DataError, match=r"is not in Keras' cache.*dataset.download=true"):
            make("dataset", "keras", which=which)


def test_a_download_that_fails_is_one_sentence(make, home):
    home.mkdir()
    with pytest.raises(DataError, match=r"cannot be downloaded.*dataset.path=") as told:
        make("dataset", "keras", which="boston_housing", download=True)
    assert "\n" not in str(told.value)


def test_an_unknown_name_is_answered_with_all(make):
    with pytest.raises(ConfigError, match=r"mnits.*boston_housing.*cifar100.*mnist"):
        make("dataset", "keras", which="mnits")


def test_files_of_another_kind_are_one_sentence(make, tmp_path):
    (tmp_path / "text.npz").write_text("x", encoding="utf-8")
    np.savez(tmp_path / "other.npz", x=np.zeros((3, 2)), y=np.zeros(3))
    (tmp_path / "train").write_bytes(b"x")
    (tmp_path / "test").write_bytes(b"x")
    for which, path, said in [
        ("mnist", tmp_path / "mnist.npz", "does not exist"),
        ("mnist", tmp_path / "text.npz", "not an .npz file as Keras keeps mnist"),
        ("mnist", tmp_path / "other.npz", "no array x_train, as mnist has: it holds x, y"),
        ("mnist", tmp_path, "give its file"),
        ("cifar10", tmp_path, "there are not the files data_batch_1"),
        ("cifar100", tmp_path, "does not hold cifar100 as Keras keeps it"),
    ]:
        with pytest.raises(DataError, match=said):
            make("dataset", "keras", which=which, path=path)
