"""What datasets may return where arrays are meant: frames, Series, lists, tensors, tf.data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runner
from runner import Data, DataError, Splits, Task
from runner.components.registry import load as plugins
from runner.config.compose import compose
from runner.data.foreign import as_arrays
from runner.data.prepare import load

pd = pytest.importorskip("pandas")
FRAME = pd.DataFrame(
    {
        "age": [31, 45, None, 28],
        "city": ["Bern", None, "Rome", "Bern"],
        "size": pd.Categorical(["s", "m", "s", "l"]),
        "member": [True, False, True, True],
        "since": pd.to_datetime(["2020-01-01", "2021-06-01", "2020-01-02", "1970-01-02"]),
    }
)
ONE = Task.regression()


def features_of(features: Any, task: Task = ONE) -> Any:
    return as_arrays(Data(features, np.zeros(4), task), "dataset 'd'").features


def test_a_frame_with_text_is_an_input_for_each_column_as_of_a_csv_file(tmp_path: Path) -> None:
    FRAME.assign(y=[1.5, 2.5, 3.5, 4.5]).to_csv(tmp_path / "frame.csv", index=False)
    words = (f"dataset.path={tmp_path / 'frame.csv'}", "dataset.label=y")
    config, _ = compose(["dataset=csv", *words, "preprocessing=[encode]"])
    of_csv = load(config)
    assert isinstance(of_csv, Data) and isinstance(of_csv.features, dict)
    mine = features_of(FRAME)
    assert list(mine) == list(of_csv.features)
    for name, array in of_csv.features.items():
        assert mine[name].dtype.kind == array.dtype.kind or name == "member"
        np.testing.assert_array_equal(mine[name], array)


def test_a_frame_of_numbers_is_one_array_with_the_columns_names() -> None:
    data = as_arrays(Data(FRAME[["age", "member"]], pd.Series([1, 2, 3, 4]), ONE), "d")
    assert isinstance(data, Data) and data.feature_names == ("age", "member")
    np.testing.assert_array_equal(data.features, [[31, 1], [45, 0], [np.nan, 1], [28, 1]])
    np.testing.assert_array_equal(data.targets, [1, 2, 3, 4])


def test_targets_of_text_are_the_numbers_of_their_classes() -> None:
    labels = pd.Series(["cat", "dog", "cat", "eel"])
    data = as_arrays(Data([[1.0], [2], [3], [4]], labels, Task.classification(3)), "d")
    assert isinstance(data, Data) and data.task.names == ("cat", "dog", "eel")
    assert data.targets.tolist() == [0, 1, 0, 2]
    named = Task.classification(3, ("eel", "dog", "cat"))
    data = as_arrays(Data([[1.0], [2], [3], [4]], list(labels), named), "d")
    assert data.task == named and data.targets.tolist() == [2, 1, 2, 0]  # type: ignore[union-attr]
    with pytest.raises(DataError, match=r"has 3 classes \(cat, dog, eel\).*its task says 4"):
        as_arrays(Data([[1.0]] * 4, labels, Task.classification(4)), "d")
    with pytest.raises(DataError, match="the target 'cat', which the task's names lack"):
        as_arrays(Data([[1.0]] * 4, labels, Task.binary(("dog", "eel"))), "d")


def test_lists_are_arrays_of_numbers_or_of_text() -> None:
    assert features_of([[1, 2], [3, 4], [5, 6], [7, 8]]).shape == (4, 2)
    found = features_of({"text": ["a", None, "b", "c"], "x": [1, None, 3, 4]})
    assert found["text"].tolist() == ["a", "", "b", "c"]
    assert np.isnan(found["x"][1])
    with pytest.raises(DataError, match="rows of different shapes"):
        features_of([[1], [2, 3], [4], [5]])


@pytest.mark.slow
def test_a_registered_dataset_of_frames_trains_with_preprocessing(results: Path) -> None:
    plugins.cache_clear()

    @runner.register
    @runner.dataset
    def of_frames():  # type: ignore[no-untyped-def]
        """Ten times four rows."""
        frame = pd.concat([FRAME] * 10, ignore_index=True)
        return Data(frame, ["yes", "no", "yes", "no"] * 10, Task.binary())

    words = ("dataset=of_frames", "preprocessing=[encode]", "epochs=1", f"results={results}")
    assert runner.run([*words, "batch_size=8"]).status == "finished"
    plugins.cache_clear()


def test_tf_data_is_read_into_memory_batched_or_not() -> None:
    import tensorflow as tf

    x, y = np.arange(20, dtype="float32").reshape(10, 2), np.arange(10) % 2
    rows = tf.data.Dataset.from_tensor_slices((x, y))
    for dataset in (rows, rows.batch(4), rows.batch(5, drop_remainder=True)):
        data = as_arrays(Splits(dataset, None, dataset, Task.binary()), "d")
        assert isinstance(data, Splits)
        for part in (data.train, data.test):
            assert isinstance(part, tuple)
            np.testing.assert_array_equal(part[0], x)
            np.testing.assert_array_equal(part[1], y)
    named = tf.data.Dataset.from_tensor_slices(({"a": x, "t": [b"w"] * 10}, y, x[:, 0])).batch(3)
    data = as_arrays(Data(named, None, Task.binary()), "d")  # type: ignore[arg-type]
    assert isinstance(data, Data) and isinstance(data.features, dict)
    assert data.features["t"].tolist() == ["w"] * 10
    assert data.weights is not None and data.weights.tolist() == x[:, 0].tolist()
    with pytest.raises(DataError, match=r"without an end: leave out .repeat\(\)"):
        as_arrays(Splits(rows.repeat(), None, None, Task.binary()), "d")


def test_targets_of_several_heads_may_be_lists_and_text() -> None:
    targets = {"kind": ["cat", "dog", "cat", "eel"], "age": pd.Series([1.0, 2, 3, 4])}
    task = {"kind": Task.classification(3), "age": Task.regression()}
    data = as_arrays(Data([[1.0], [2], [3], [4]], targets, task), "d")
    assert isinstance(data, Data) and isinstance(data.targets, dict)
    assert data.targets["kind"].tolist() == [0, 1, 0, 2]
    assert data.task["kind"].names == ("cat", "dog", "eel")
    assert data.targets["age"].tolist() == [1, 2, 3, 4]
