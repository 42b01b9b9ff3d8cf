"""Numbers that float32 would change keep their values up to where they are encoded or scaled."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner import Data, Task
from runner.components.registry import load as load_plugins
from runner.config.compose import compose
from runner.data.numbers import number_type
from runner.data.prepare import Prepared, prepare
from tests.plugins.conftest import Door

N = 400
IDS = (20_000_000 + np.arange(N)).astype("int64")  # 200 of them are there in float32
Y = np.arange(N) % 2


@pytest.fixture(scope="module")
def make() -> Door:
    return Door()


def prepared(data: Any, *steps: str, **params: str) -> tuple[Prepared, list[str]]:
    """The data as a run would have them, all rows to train on, and what is said."""
    load_plugins()
    words = ["split.val=0", "split.test=0", f"preprocessing=[{','.join(steps)}]"]
    words += [f"preprocessing.{steps[0]}.{name}={value}" for name, value in params.items()]
    config = compose(words)[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ready = prepare(data, config)
    return ready, [str(one.message) for one in caught]


def npz(make: Door, folder: Path, x: Any) -> Data:
    np.savez(folder / "data.npz", x=x, y=Y)
    return make("dataset", "arrays", path=folder / "data.npz")


def stored(make: Door, folder: Path, kind: str) -> Data:
    """The ids in one array, in one of several types, or as an input of its own."""
    if kind == "input":
        return Data({"pid": IDS}, Y, Task.binary())
    if kind == "beside others":
        return npz(make, folder, np.stack([IDS, np.arange(N) / 7], axis=1))
    if kind == "npy":
        np.save(folder / "x.npy", IDS[:, None])
        np.save(folder / "y.npy", Y)
        return make("dataset", "arrays", path=folder / "x.npy", targets=folder / "y.npy")
    return npz(make, folder, IDS[:, None].astype(kind))


KINDS = ["int64", "int32", "float64", "input", "beside others", "npy"]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("step", ["standardize", "encode"])
@pytest.mark.many
def test_ids_above_2_to_the_24_stay_apart_where_they_are_scaled(make, tmp_path, kind, step):
    ready, said = prepared(stored(make, tmp_path, kind), step)
    features = ready.splits.train[0]
    column = features["pid"] if isinstance(features, dict) else features[:, 0]
    assert column.dtype == "float32"
    assert len(np.unique(column)) == N
    assert column.mean() == pytest.approx(0, abs=1e-5)
    assert column.std() == pytest.approx(1, abs=1e-5)
    assert said == []


STEPS = {
    "minmax": N,
    "robust": N,
    "one_hot": N,
    "embed": N,
    "log,standardize": N,
    "clip,minmax": 394,  # the 1 per cent at either end are one value each
    "impute,standardize": N,
    "standardize,minmax": N,
    "bucketize": 10,
}


@pytest.mark.many
@pytest.mark.parametrize("steps", STEPS)
def test_every_preprocessing_tells_them_apart_and_so_does_the_saved_one(make, tmp_path, steps):
    import keras
    import tensorflow as tf

    x = IDS[:, None].astype("float64")
    ready, said = prepared(npz(make, tmp_path, x), *steps.split(","))
    features = ready.splits.train[0]
    assert len(np.unique(features, axis=0)) == STEPS[steps]
    assert said == []
    rows = prepared(npz(make, tmp_path, x))[0].splits.train  # the order in which they are drawn
    again = keras.models.model_from_json(ready.preprocessing.to_json())
    assert again.inputs[0].dtype == "float64"
    given = tf.constant(IDS[np.argsort(rows[1], kind="stable")][:, None].astype("float64"))
    for model in (ready.preprocessing, again):
        made = np.asarray(model(given))
        assert len(np.unique(made, axis=0)) == STEPS[steps]
        assert set(map(bytes, np.ascontiguousarray(made))) == set(
            map(bytes, np.ascontiguousarray(features).astype(made.dtype))
        )


def test_hash_goes_by_the_whole_id(make, tmp_path):
    apart, _ = prepared(npz(make, tmp_path, IDS[:, None]), "hash")
    codes = apart.splits.train[0].argmax(axis=1)
    pairs = np.unique(codes)
    assert len(pairs) > 60  # of 64 bins


@pytest.mark.slow
def test_what_float32_merges_is_said_with_the_column_and_the_numbers(make, tmp_path):
    _, said = prepared(npz(make, tmp_path, IDS[:, None]))
    assert len(said) == 1
    assert said[0].startswith("the column 0 (counted from 0) has 400 different values, of which")
    assert "float32, in which models compute, leaves 201: add a preprocessing" in said[0]
    _, said = prepared(Data({"pid": IDS, "n": Y}, Y, Task.binary()), "one_hot", columns="[pid,n]")
    assert said == []
    named = Data(np.stack([Y, IDS], axis=1), Y, Task.binary(), feature_names=("n", "pid"))
    assert prepared(named)[1][0].startswith("the column pid has 400 different values")


def test_times_in_seconds_keep_their_minutes(make, tmp_path):
    times = 1_700_000_000.0 + 60 * np.arange(N)
    data = npz(make, tmp_path, times[:, None])
    assert len(np.unique(prepared(data, "standardize")[0].splits.train[0])) == N
    assert "has 400 different values" in prepared(data)[1][0]


def test_small_and_random_numbers_are_float32_as_before():
    random = np.random.default_rng(0)
    for array in (
        np.arange(10),
        random.random((100_000, 2)),
        random.integers(0, 2**24, (50, 3)),
        np.array([[1.5], [np.nan]]),
        np.array([[True], [False]]),
    ):
        assert number_type(array) == "float32"
    assert number_type(np.array([2**24 + 1, 2**24])) == "float64"
    assert number_type(np.array([2**53 + 1])) == "int64"


@pytest.mark.parametrize("numbers", ["standardize", "minmax", "robust", "keep"])
def test_encode_fills_what_only_later_rows_miss(numbers):
    import tensorflow as tf

    x = np.stack([np.arange(N) % 2, np.arange(N) % 4 == 0, np.arange(N)], axis=1)
    x = x.astype("float32")
    ready, _ = prepared(Data(x, Y, Task.binary()), "encode", numbers=numbers)
    assert np.isin(ready.splits.train[0][:, :2], (0, 1)).all()
    later = np.asarray(ready.preprocessing(tf.fill((1, 3), np.float32("nan"))))
    origin = {"standardize": (0.5, 0.25, 0), "minmax": (0, 0, 0), "robust": (0.5, 0, 0)}
    origin["keep"] = (0.5, 0.25, 199.5)
    assert later[0].tolist() == pytest.approx(origin[numbers])


@pytest.mark.slow
def test_a_column_of_0_and_1_is_the_same_whether_train_misses_some_or_not():
    x = np.stack([np.arange(N) % 2, np.arange(N)], axis=1).astype("float32")
    with_gaps = x.copy()
    with_gaps[:9, 0] = np.nan
    for given in (x, with_gaps):
        ready, _ = prepared(Data(given, Y, Task.binary()), "encode")
        values = np.unique(ready.splits.train[0][:, 0])
        assert set(values) >= {0, 1} and values.min() == 0 and values.max() == 1


def test_bucketize_puts_a_missing_number_into_no_range():
    import tensorflow as tf

    x = np.arange(N, dtype="float32")[:, None]
    ready, _ = prepared(Data(x, Y, Task.binary()), "bucketize")
    made = np.asarray(ready.preprocessing(tf.constant([[np.nan], [0.0]], tf.float32)))
    assert np.isnan(made[0]).all()
    assert made[1].tolist() == [1] + [0] * 9


def test_the_column_of_a_table_is_called_by_its_name(make, tmp_path):
    lines = ["n,pid,y", *(f"{i},{one},{i % 2}" for i, one in enumerate(IDS))]
    (tmp_path / "ids.csv").write_text("\n".join(lines) + "\n")
    data = make("dataset", "csv", path=tmp_path / "ids.csv", label="y", features=["pid"])
    assert prepared(data)[1][0].startswith("the column pid has 400 different values")
    ready, said = prepared(data, "standardize")
    assert (len(np.unique(ready.splits.train[0])), said) == (N, [])


@pytest.mark.parametrize("kind", ["int64", "float64"])
def test_many_ids_and_times_are_looked_at_closely(kind):
    many = np.random.default_rng(0).permutation(2**24 + np.arange(300_000)).astype(kind)
    assert number_type(many[:, None]) == "float64"
    days = 19_700 + np.arange(300_000) / 1440  # a row a minute
    assert number_type(days[:, None]) == "float64"
    assert number_type(np.random.default_rng(0).normal(size=(300_000, 3))) == "float32"


def test_targets_that_float32_merges_are_told(make, tmp_path):
    np.savez(tmp_path / "late.npz", x=np.arange(N)[:, None], y=1_700_000_000.0 + np.arange(N))
    with pytest.warns(UserWarning, match="y in .* has 400 different values.* leaves 4: subtract"):
        make("dataset", "arrays", path=tmp_path / "late.npz")
