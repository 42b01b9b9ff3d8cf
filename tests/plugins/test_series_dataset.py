"""dataset=series: windows of a time series, and no step on two sides of a border."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner import DataError, SplitPlan, Stream, Task

STEPS = np.stack([np.arange(100), np.arange(100) * 10], axis=1).astype("float32")


@pytest.fixture
def array(tmp_path: Path) -> Path:
    """100 steps of two columns; the first one says which step it is."""
    path = tmp_path / "steps.npy"
    np.save(path, STEPS)
    return path


def table(folder: Path, *extra: str) -> Path:
    """The same as a table with a date and a word."""
    path = folder / "steps.csv"
    lines = [f"2024-{1 + i // 28:02}-{1 + i % 28:02},{i},{i * 10},word" for i in range(100)]
    path.write_text("\n".join(["day,step,load,word", *lines, *extra]), encoding="utf-8")
    return path


def parts_of(data) -> list:
    parts = [data.train, data.val, data.test]
    return [
        tuple(np.concatenate(both) for both in zip(*part.read(None), strict=True))
        if isinstance(part, Stream)
        else part
        for part in parts
    ]


def test_a_window_is_followed_by_its_targets(make, array):
    data = make("dataset", "series", path=array, window=5, horizon=2, target=1)
    for features, targets in parts_of(data):
        assert features.shape[1:] == (5, 2)
        steps = features[:, :, 0]
        assert (np.diff(steps) == 1).all()
        assert np.array_equal(targets, 10 * (steps[:, -1:] + [1, 2]))
    assert data.task == Task.regression(2)


@pytest.mark.parametrize("memory", [1024, 0])
@pytest.mark.parametrize("stride", [1, 3])
def test_no_step_is_in_two_parts_and_later_parts_are_later(make, array, stride, memory):
    params = {"window": 5, "horizon": 2, "stride": stride, "memory": memory}
    split = SplitPlan(val=0.2, test=0.1, seed=0)
    data = make("dataset", "series", split=split, path=array, **params)
    assert isinstance(data.train, Stream) == (memory == 0)
    # What a part sees: the steps of its windows and those of its targets.
    seen = [
        set(features[:, :, 0].ravel()) | set(targets.ravel())
        for features, targets in parts_of(data)
    ]
    assert max(seen[0]) < min(seen[1])
    assert max(seen[1]) < min(seen[2])
    if stride == 1:
        # Only the windows over the two borders are lost: 70 + 20 + 10 steps hold these many.
        assert [len(targets) for _, targets in parts_of(data)] == [64, 14, 4]
        assert [len(steps) for steps in seen] == [70, 20, 10]


def test_folds_go_forward_in_time(make, array):
    ends = []
    for fold in range(3):
        split = SplitPlan(val=0.2, test=0.2, seed=0, folds=3, fold=fold)
        data = make("dataset", "series", split=split, path=array, window=4)
        train, val, test = (
            (features[0, 0, 0], targets[-1, 0]) for features, targets in parts_of(data)
        )
        assert train[0] == 0
        assert val[0] == train[1] + 1
        assert test == (80, 99)
        ends.append((train[1], val[1]))
    assert ends == [(19, 39), (39, 59), (59, 79)]


def test_a_table_gives_its_numbers_sorted_by_time(make, tmp_path):
    path = table(tmp_path)
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], *lines[:0:-1]]), encoding="utf-8")
    data = make("dataset", "series", path=path, target="load", time="day", window=3)
    features, targets = data.train
    assert features[0].tolist() == [[0, 0], [1, 10], [2, 20]]
    assert targets[0].tolist() == [30]
    split = SplitPlan(val=0.4, test=0.3, seed=0, by="time:day")
    params = {"split": split, "target": "step", "columns": ["load"], "time": "day"}
    data = make("dataset", "series", path=path, **params)
    assert data.train[0].shape[1:] == (24, 1)


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"window": 99}, "window=99 and horizon=2 need 101 steps, and .* has 100"),
        ({"window": 10}, "no window of 12 steps .* fits into test"),
        ({"target": 7}, "dataset.target=7 is no column .* the numbers 0 to 1"),
        ({"columns": ["a"]}, "dataset.columns=a is no column"),
        ({"split": SplitPlan(0.2, 0.2, 0, "hash")}, "split.by=hash would put overlapping windows"),
    ],
)
def test_what_does_not_fit_is_one_sentence(make, array, params, said):
    given = {"split": SplitPlan(0.2, 0.1, 0), "window": 5, "horizon": 2, **params}
    with pytest.raises(DataError, match=said):
        make("dataset", "series", path=array, **given)


@pytest.mark.parametrize(
    ("extra", "params", "said"),
    [
        (",100,,x", {}, "no finite number in the column load at step 100"),
        (",100,many,x", {}, "'many' in the column load at step 100"),
        (",100", {}, "2 cells in line 102, and 4 columns"),
        ("", {"time": "hour"}, "dataset.time=hour is no column .*: available: day, load, step"),
        ("", {"target": "lod"}, "dataset.target=lod is no column .* day, step, load, word"),
        ("", {"target": "word"}, "'word' in the column word at step 0"),
    ],
)
def test_a_table_that_is_wrong_is_one_sentence(make, tmp_path, extra, params, said):
    path = table(tmp_path, extra)
    with pytest.raises(DataError, match=said) as told:
        make("dataset", "series", path=path, **{"target": "load", **params})
    assert "\n" not in str(told.value)


def test_files_that_are_no_series_are_one_sentence(make, tmp_path):
    deep, cut, empty = (tmp_path / name for name in ("deep.npy", "cut.npy", "empty.csv"))
    np.save(deep, np.zeros((5, 5, 5)))
    cut.write_bytes(deep.read_bytes()[:-1])
    empty.write_text("a,b\n", encoding="utf-8")
    for path, said in [
        (deep, r"shape \(5, 5, 5\)"),
        (cut, "cut off"),
        (empty, "no rows below its first line"),
        (tmp_path / "none.csv", "does not exist"),
    ]:
        with pytest.raises(DataError, match=said):
            make("dataset", "series", path=path)
