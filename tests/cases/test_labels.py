"""What labels are taken for: one answer for every dataset, and missing ones never learnt."""

from __future__ import annotations

import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Data, DataError, Labels, SplitPlan, Splits, Task
from runner.data.class_weights import class_weights
from runner.data.labels import as_trained
from runner.data.splitting import divide
from runner.errors import ConfigError
from tests.plugins.conftest import Door

I = np.arange(60)  # noqa: E741
X = np.random.default_rng(0).random((60, 3)).astype("float32")


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


def npz(make: Door, folder: Path, y: Any, **params: Any) -> Data:
    np.savez(folder / "data.npz", x=X, y=y)
    return make("dataset", "arrays", path=folder / "data.npz", **params)


def npy(make: Door, folder: Path, y: Any, **params: Any) -> Splits:
    """Read in blocks."""
    np.save(folder / "x.npy", X)
    np.save(folder / "y.npy", y)
    files = {"path": folder / "x.npy", "targets": folder / "y.npy"}
    return make("dataset", "arrays", memory=0, **files, **params)


def csv(make: Door, folder: Path, y: Any, **params: Any) -> Data:
    y = np.asarray(y)
    columns = ["y"] if y.ndim == 1 else [f"y{i}" for i in range(y.shape[1])]
    rows = [
        ",".join(map(str, [i, *np.atleast_1d(row).tolist()])) for i, row in zip(I, y, strict=True)
    ]
    (folder / "data.csv").write_text("\n".join([",".join(["x", *columns]), *rows]) + "\n")
    label = columns if y.ndim == 2 else "y"
    return make("dataset", "csv", path=folder / "data.csv", label=label, **params)


def binary(make: Door, folder: Path, y: Any, **params: Any) -> Data:
    y = np.asarray(y)
    table = np.zeros(60, [("x", "<f4", 3), ("y", y.dtype, y.shape[1:])])
    table["x"], table["y"] = X, y
    (folder / "data.bin").write_bytes(table.tobytes())
    width = {"label_values": y.shape[1]} if y.ndim == 2 else {}
    params = {"shape": [3], "label_dtype": y.dtype.name, **width, **params}
    return make("dataset", "binary", path=folder / "data.bin", **params)


READERS = [npz, npy, csv, binary]


def said_of(read: Any, *args: Any, **params: Any) -> tuple[Any, list[str]]:
    """What a reader gives, and what it says by the way."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = read(*args, **params)
    return data, [str(one.message) for one in caught]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", ["int32", "float32", "float64"])
def test_0_and_1_are_binary_however_they_are_stored(make, tmp_path, read, kind):
    data, said = said_of(read, make, tmp_path, (I % 2).astype(kind))
    assert (data.task.kind, said) == ("binary", [])
    assert names(data) == ["0", "1"]


def names(data: Data | Splits) -> list[str]:
    from runner.evaluate.metrics import names_of

    return list(names_of(data.task))


@pytest.mark.parametrize("read", READERS)
def test_few_whole_numbers_are_classes_by_their_values(make, tmp_path, read):
    data, said = said_of(read, make, tmp_path, (1 + I % 5).astype("int32"))
    assert data.task == Task.classification(5, ("1", "2", "3", "4", "5"))
    assert len(said) == 1
    assert "whole numbers 1, 2, 3, 4, 5: taken for 5 classes; dataset.task=regression" in said[0]
    data, said = said_of(read, make, tmp_path, (1 + I % 5).astype("int32"), task="regression")
    assert (data.task.kind, said) == ("regression", [])


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("kind", ["int32", "float32"])
def test_minus_1_and_1_are_two_classes(make, tmp_path, read, kind):
    data, said = said_of(read, make, tmp_path, np.where(I % 3, 1, -1).astype(kind))
    assert (data.task, said) == (Task.binary(("-1", "1")), [])
    if isinstance(data, Data) and read is not csv:
        assert np.array_equal(data.targets, I % 3 > 0)


@pytest.mark.parametrize("read", READERS)
def test_one_hot_rows_are_classes_unless_they_are_to_be_labels(make, tmp_path, read):
    y = np.eye(3, dtype="int32")[I % 3]
    for asked, guesses in (("auto", 1), ("classification", 0)):
        data, said = said_of(read, make, tmp_path, y, task=asked)
        assert (data.task.kind, data.task.outputs, len(said)) == ("classification", 3, guesses)
        assert all("dataset.task=multilabel" in one for one in said)
    if isinstance(data, Data) and read is not csv:
        assert np.array_equal(data.targets, I % 3)
    data, said = said_of(read, make, tmp_path, y, task="multilabel")
    assert (data.task.kind, data.task.outputs, said) == ("multilabel", 3, [])


@pytest.mark.parametrize("read", READERS)
def test_an_advice_is_accepted(make, tmp_path, read):
    y = I.astype("int32") * 7
    with pytest.raises(DataError, match="60 different whole numbers from 0 to 413") as told:
        read(make, tmp_path, y)
    advice = re.findall(r"dataset\.task=(\w+)", str(told.value))
    assert advice == ["classification", "regression"]
    assert [read(make, tmp_path, y, task=one).task.outputs for one in advice] == [60, 1]


@pytest.mark.parametrize("read", READERS)
def test_values_are_a_regression(make, tmp_path, read):
    for y in (I / 7, np.stack([I / 7, I], axis=1), I.astype("float64")):
        data, said = said_of(read, make, tmp_path, np.asarray(y, "float32"))
        assert (data.task.kind, said) == ("regression", [])


@pytest.mark.parametrize("read", [npz, npy, binary])
def test_a_missing_label_is_refused_or_left_out(make, tmp_path, read):
    y = np.where(np.isin(I, (3, 13, 23, 33, 43, 53)), np.nan, I % 3).astype("float32")
    with pytest.raises(DataError) as told:
        read(make, tmp_path, y)
    assert "missing (NaN, None or empty) in 6 of 60 rows (rows 4, 14, 24, 34, 44, …)" in str(
        told.value
    )
    assert "dataset.missing_label=drop" in str(told.value)
    data, _ = said_of(read, make, tmp_path, y, missing_label="drop")
    assert data.task == Task.classification(3)
    if isinstance(data, Data):
        assert np.array_equal(data.features, X[~np.isnan(y)])
        assert np.array_equal(data.targets, y[~np.isnan(y)])
    else:
        assert sum(part.rows for part in (data.train, data.val, data.test)) == 54


@pytest.mark.parametrize("absent", ["", "NaT"])
def test_text_and_parts_may_miss_labels_too(make, tmp_path, absent):
    y = np.where(I == 3, absent, np.where(I % 2, "a", "b"))
    if absent == "NaT":  # a word like any other
        assert names(npz(make, tmp_path, y)) == ["NaT", "a", "b"]
        return
    np.savez(tmp_path / "parts.npz", x_train=X, y_train=y, x_test=X, y_test=y[::-1])
    for path in ("data.npz", "parts.npz"):
        with pytest.raises(DataError, match=r"in 1 of 60 rows \(row 4\)"):
            npz(make, tmp_path, y)
            make("dataset", "arrays", path=tmp_path / path)
    data = make("dataset", "arrays", path=tmp_path / "parts.npz", missing_label="drop")
    assert [len(part[1]) for part in (data.train, data.test)] == [59, 59]
    assert data.task == Task.binary(("a", "b"))


def test_class_weights_go_by_the_names_that_are_numbers():
    stars = Task.classification(5, ("1", "2", "3", "4", "5"))
    splits = Splits((X, I % 5), None, None, stars)
    assert class_weights({"5": 2.0}, splits).tolist() == [1, 1, 1, 1, 2]
    with pytest.raises(ConfigError, match=r"class_weight.0=2.0 names no class"):
        class_weights({"0": 2.0}, splits)


def test_blocks_decide_as_the_whole_does():
    for y in (1 + I % 5, np.where(I % 2, "x", "y"), np.eye(2)[I % 2], I / 3, I % 2 == 0):
        whole, blocks = Labels("y"), Labels("y")
        _, _ = said_of(whole.see, y), [blocks.see(y[at : at + 7]) for at in range(0, 60, 7)]
        (task, said), (again, said_again) = said_of(whole.settle), said_of(blocks.settle)
        assert (task, said) == (again, said_again)
        pieces = np.concatenate([blocks.targets(y[at : at + 7]) for at in range(0, 60, 7)])
        assert np.array_equal(whole.targets(y), pieces)


def test_labels_for_a_trained_model_are_not_guessed_anew():
    three = Task.classification(3, ("blue", "green", "red"))
    for y, wanted in ((["red", "blue"], [2, 0]), (["green"], [1])):
        with as_trained(three):
            labels = Labels("y")
            labels.see(np.array(y))
            assert labels.settle() == three
        assert labels.targets(np.array(y)).tolist() == wanted
    with as_trained(Task.regression()):  # few whole numbers this time
        labels = Labels("y")
        labels.see(np.array([1, 2, 1, 2]))
        assert labels.settle() == Task.regression()
    with as_trained(three), pytest.raises(DataError, match=r"the class 'pink'.*available"):
        labels = Labels("y")
        labels.see(np.array(["pink"]))
        labels.settle()


def test_labels_that_a_double_would_merge_are_refused(make, tmp_path):
    y = 2**60 + I % 3
    with pytest.raises(DataError, match=r"the label 'y' holds whole numbers above 2\^53"):
        csv(make, tmp_path, y, task="classification")
    assert npz(make, tmp_path, y, task="classification").task.outputs == 3


@pytest.mark.parametrize("way", ["group", "hash", "time"])
def test_a_missing_key_names_its_rows(way):
    who = np.array([None if i in (3, 13) else f"p{i % 7}" for i in I], dtype=object)
    data = Data(X, I % 2, Task.binary(), columns={"who": who})
    with pytest.raises(DataError, match=r"in 'who': 2 of 60 rows \(rows 4, 14\)"):
        divide(data, SplitPlan(0.2, 0.2, 0, f"{way}:who"))
