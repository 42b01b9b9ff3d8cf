"""Datasets from the user's files of numbers: records, series, mapped arrays."""

from __future__ import annotations

import re
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from runner import Data, DataError, SplitPlan, Splits, Stream, Task
from runner.data.splitting import divide

RANDOM = np.random.default_rng(0)


def rows_of(part) -> np.ndarray:
    """All features of a part, whether in memory or a stream, as it is read in order."""
    if isinstance(part, Stream):
        return np.concatenate([features for features, _ in part.read(None)])
    return part[0]


def all_parts(data: Splits) -> list:
    return [data.train, data.val, data.test]


def one_sentence(make, said: str, name: str, **params) -> None:
    """The dataset refuses with one sentence that says this."""
    with pytest.raises(DataError, match=said) as told:
        make("dataset", name, **params)
    assert "\n" not in str(told.value)


# --- binary --------------------------------------------------------------------------------------

X = RANDOM.normal(size=(1000, 3, 2)).astype("float32")
Y = RANDOM.integers(0, 4, 1000)


def records(folder: Path, order: str = "<", place: str = "last", header: bytes = b"") -> Path:
    """X and Y as records in a file."""
    fields = [("x", f"{order}f4", (3, 2)), ("y", f"{order}i4")]
    table = np.zeros(1000, fields if place == "last" else fields[::-1])
    table["x"], table["y"] = X, Y
    path = folder / f"{place}.bin"
    path.write_bytes(header + table.tobytes())
    return path


@pytest.mark.parametrize("order, name", [("<", "little"), (">", "big")])
@pytest.mark.parametrize("place", ["first", "last"])
def test_binary_reads_what_was_written(make, tmp_path, order, name, place):
    path = records(tmp_path, order, place, header=b"magic")
    params = {"shape": [3, 2], "label": place, "header": 5, "byte_order": name}
    data = make("dataset", "binary", path=path, **params)
    assert isinstance(data, Data)
    assert np.array_equal(data.features, X)
    assert np.array_equal(data.targets, Y)
    assert data.features.dtype == "float32"
    assert data.task == Task.classification(4)


def test_binary_finds_features_and_label_among_other_fields(make, tmp_path):
    kind = np.dtype([("key", "u8"), ("y", "u1"), ("x", "<i2", 4), ("rest", "u1", 3)])
    table = np.zeros(20, kind)
    table["key"], table["x"], table["y"] = RANDOM.integers(9), np.arange(80).reshape(20, 4), 1
    path = tmp_path / "table.bin"
    path.write_bytes(table.tobytes())
    params = {"dtype": "int16", "shape": [4], "label_dtype": "uint8"}
    data = make("dataset", "binary", path=path, label=8, start=9, record=20, **params)
    assert np.array_equal(data.features, table["x"])
    assert set(data.targets) == {1}


def test_binary_may_have_several_values_as_a_label(make, tmp_path):
    table = np.arange(60, dtype="<f8").reshape(10, 6)
    path = tmp_path / "table.bin"
    path.write_bytes(table.tobytes())
    params = {"dtype": "float64", "shape": [4], "label_dtype": "float64", "label_values": 2}
    data = make("dataset", "binary", path=path, **params)
    assert np.array_equal(data.targets, table[:, 4:])
    assert data.task == Task.regression(2)


def streamed(make, path: Path, seed: int = 0, **params) -> Splits:
    split = SplitPlan(val=0.2, test=0.2, seed=seed)
    return make("dataset", "binary", split=split, path=path, shape=[3, 2], memory=0, **params)


def test_a_large_binary_file_is_a_stream_of_disjoint_parts_that_hold_every_record(make, tmp_path):
    data = streamed(make, records(tmp_path))
    assert all(isinstance(part, Stream) for part in all_parts(data))
    parts = [rows_of(part) for part in all_parts(data)]
    assert [len(rows) for rows in parts] == [part.rows for part in all_parts(data)]
    assert 500 < len(parts[0]) < 700
    every = np.concatenate(parts).reshape(1000, -1)
    assert np.array_equal(np.unique(every, axis=0), np.unique(X.reshape(1000, -1), axis=0))


def test_a_stream_divides_by_content_wherever_a_record_stands(make, tmp_path):
    path = records(tmp_path)
    first = streamed(make, path)
    turned = np.frombuffer(path.read_bytes(), "u1").reshape(1000, -1)[::-1]
    other = tmp_path / "turned.bin"
    other.write_bytes(turned.tobytes())
    again = streamed(make, other)
    for one, other in zip(all_parts(first), all_parts(again), strict=True):
        assert np.array_equal(rows_of(one), rows_of(other)[::-1])
    assert not np.array_equal(
        rows_of(first.val)[:9], rows_of(streamed(make, path, seed=1).val)[:9]
    )


def test_a_stream_divides_as_split_by_hash_does_in_memory(make, tmp_path):
    path = records(tmp_path)
    split = SplitPlan(val=0.2, test=0.2, seed=3, by="hash")
    held = make("dataset", "binary", path=path, shape=[3, 2])
    parts = [held.features[rows] for rows in divide(held, split)]
    for part, rows in zip(all_parts(streamed(make, path, seed=3)), parts, strict=True):
        assert np.array_equal(rows_of(part), rows)


def test_a_stream_is_read_in_the_order_of_blocks_that_is_drawn(make, tmp_path, monkeypatch):
    monkeypatch.setattr("runner_plugins.dataset._files.blocks.BLOCK_ROWS", 64)
    train = streamed(make, records(tmp_path)).train

    def read(seed: int | None) -> np.ndarray:
        order = None if seed is None else np.random.default_rng(seed)
        return np.concatenate([y for _, y in train.read(order)])

    assert np.array_equal(read(1), read(1))
    assert not np.array_equal(read(1), read(2))
    assert not np.array_equal(read(1), read(None))
    assert np.array_equal(np.sort(read(1)), np.sort(read(None)))


def test_the_sample_of_a_stream_is_drawn_over_all_of_the_part(make, tmp_path, monkeypatch):
    monkeypatch.setattr("runner_plugins.dataset._files.blocks.SAMPLE_ROWS", 50)
    train = streamed(make, records(tmp_path)).train
    features, targets = train.sample
    assert features.shape == (50, 3, 2)
    assert targets.shape == (50,)
    places = [np.flatnonzero((row == X).all(axis=(1, 2)))[0] for row in features]
    assert min(places) < 150
    assert max(places) > 850


def test_a_file_larger_than_the_memory_is_read_in_bounded_memory(make, tmp_path):
    path = tmp_path / "large.bin"
    rows, width = 400_000, 40
    with path.open("wb") as file:
        for _ in range(10):
            file.write(RANDOM.normal(size=(rows // 10, width + 1)).astype("<f4").tobytes())
    tracemalloc.start()
    params = {"shape": [width], "label_dtype": "float32", "memory": 16}
    data = make("dataset", "binary", path=path, **params)
    count = sum(len(y) for _, y in data.train.read(np.random.default_rng(0)))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == data.train.rows
    # The sample of 100,000 rows is 16 MB of it; the file has 66 MB.
    assert peak < 60e6


def test_a_file_that_changes_between_two_passes_is_one_sentence(make, tmp_path):
    path = records(tmp_path)
    data = streamed(make, path)
    rows_of(data.train)
    path.write_bytes(path.read_bytes() + bytes(28))
    with pytest.raises(DataError, match=r"last\.bin has changed since it was first read"):
        rows_of(data.train)


def test_binary_says_the_numbers_where_the_size_does_not_fit(make, tmp_path):
    path = records(tmp_path)
    path.write_bytes(path.read_bytes()[:-5])
    one_sentence(
        make,
        r"27995 bytes: a header of 0 and 999 records of 28 bytes leave 23 over",
        "binary",
        path=path,
        shape=[3, 2],
    )


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({"header": 28_000}, "no record of 28 bytes"),
        ({"label": 4}, "dataset.label=4 lies within the features.*0 to 24.*4 to 8"),
        ({"record": 20}, "dataset.record=20 is too short"),
        ({"label": "last", "record": 27}, "within the features|too short"),
        ({"label_dtype": "float32", "task": "classification"}, "not classes"),
    ],
)
def test_a_layout_that_does_not_fit_is_one_sentence(make, tmp_path, params, said):
    path = tmp_path / "table.bin"
    path.write_bytes((np.arange(7000, dtype="<f4") + 0.5).tobytes())
    one_sentence(make, said, "binary", path=path, shape=[3, 2], **params)


def test_a_missing_file_is_told_with_its_neighbours(make, tmp_path):
    records(tmp_path)
    for name in ("binary", "arrays"):
        params = {"shape": [3, 2]} if name == "binary" else {}
        path = tmp_path / "lost.bin"
        one_sentence(
            make, r"lost\.bin does not exist.*near it: last\.bin", name, path=path, **params
        )
    away = tmp_path / "nowhere" / "a.bin"
    one_sentence(make, "there is no folder .*nowhere", "binary", path=away, shape=[1])


def test_a_stream_without_columns_does_not_divide_by_one(make, tmp_path):
    split = SplitPlan(val=0.2, test=0.2, seed=0, by="group:who")
    params = {"split": split, "path": records(tmp_path), "shape": [3, 2], "memory": 0}
    one_sentence(make, "split.by=group:who names a column.*split.by=hash", "binary", **params)


# --- binary_files --------------------------------------------------------------------------------


@pytest.fixture
def recordings(tmp_path: Path) -> Path:
    """20 files of 30 steps of two numbers, in the folders calm and wild; steps tell the file."""
    for i in range(20):
        folder = tmp_path / "data" / ("wild" if i % 2 else "calm")
        folder.mkdir(parents=True, exist_ok=True)
        steps = np.stack([np.full(30, i), np.arange(30)], axis=1).astype("<f4")
        (folder / f"run{i:02}_{'ab'[i % 2]}.bin").write_bytes(steps.tobytes())
    return tmp_path / "data"


SERIES = {"shape": [2], "window": 10, "stride": 5}


def test_windows_are_what_stands_in_the_files(make, recordings):
    split = SplitPlan(val=0.2, test=0.2, seed=0, by="hash")
    data = make("dataset", "binary_files", split=split, path=recordings / "*/*.bin", **SERIES)
    assert data.features.shape == (100, 10, 2)
    assert data.task == Task.binary(("calm", "wild"))
    starts = data.features[:, 0, 1].reshape(20, 5)
    assert (starts == [0, 5, 10, 15, 20]).all()
    assert (data.features[:, :, 1] == data.features[:, :1, 1] + np.arange(10)).all()
    assert np.array_equal(data.targets, data.features[:, 0, 0] % 2)
    assert len(set(data.columns["file"])) == 20


@pytest.mark.parametrize("memory", [1024, 0])
def test_windows_of_a_file_are_never_on_both_sides_of_a_split(make, recordings, memory):
    path = recordings / "*/*.bin"
    data = make("dataset", "binary_files", path=path, memory=memory, **SERIES)
    assert isinstance(data.train, Stream) == (memory == 0)
    files = [set(rows_of(part)[:, 0, 0]) for part in all_parts(data)]
    assert [len(found) for found in files] == [12, 4, 4]
    assert len(set.union(*files)) == 20
    # Half of each part is of either class.
    assert [sum(found) % 2 for found in files] == [0, 0, 0]
    assert [len([f for f in found if f % 2]) for found in files] == [6, 2, 2]


def test_folds_of_files_are_each_once_the_val_part(make, recordings):
    seen = []
    for fold in range(4):
        split = SplitPlan(val=0.2, test=0.2, seed=0, folds=4, fold=fold)
        data = make("dataset", "binary_files", split=split, path=recordings / "*/*.bin", **SERIES)
        seen += list(set(data.val[0][:, 0, 0]))
    assert len(seen) == len(set(seen)) == 16


def test_a_label_comes_from_the_name(make, recordings):
    params = {"label": "name", "pattern": r"_(\w)\.bin$", "shape": [2], "memory": 0}
    data = make("dataset", "binary_files", path=recordings / "**/*.bin", **params)
    assert data.task == Task.binary(("a", "b"))
    for features, targets in data.train.read(None):
        assert features.shape[1:] == (30, 2)
        assert np.array_equal(targets, features[:, 0, 0] % 2)


def test_a_label_comes_from_a_table_whose_columns_may_divide(make, recordings):
    files = sorted(recordings.glob("*/*.bin"), key=lambda file: file.name)
    lines = [f"{file.name},{i / 8},{'pqr'[i % 3]}" for i, file in enumerate(files)]
    table = recordings / "labels.csv"
    table.write_text("\n".join(["file,label,who", *lines]), encoding="utf-8")
    split = SplitPlan(val=0.34, test=0, seed=0, by="group:who")
    params = {"split": split, "path": recordings / "*/*.bin", "label": "csv", "csv": table}
    held = make("dataset", "binary_files", **params, **SERIES)
    assert held.task == Task.regression()
    assert np.array_equal(held.targets, held.features[:, 0, 0] / 8)
    assert set(held.columns) == {"file", "who"}
    data = make("dataset", "binary_files", **params, **SERIES, memory=0)
    who = [{int(i) % 3 for i in rows_of(part)[:, 0, 0]} for part in (data.train, data.val)]
    assert [len(found) for found in who] == [2, 1]
    assert not who[0] & who[1]


@pytest.mark.parametrize("place", ["first", "last"])
def test_a_label_stands_in_the_file(make, tmp_path, place):
    for i in range(10):
        steps, tag = np.full((4, 2), i, ">i2").tobytes(), np.array([i % 3], ">u2").tobytes()
        body = tag + steps if place == "first" else steps + tag
        (tmp_path / f"{i}.dat").write_bytes(b"head" + body)
    data = make(
        "dataset",
        "binary_files",
        path=tmp_path / "*.dat",
        label=place,
        label_dtype="uint16",
        dtype="int16",
        byte_order="big",
        shape=[2],
        header=4,
    )
    for features, targets in all_parts(data):
        assert np.array_equal(targets, features[:, 0, 0] % 3)
    assert data.task == Task.classification(3)


def test_what_is_wrong_with_files_is_one_sentence(make, recordings):
    path = recordings / "*/*.bin"
    wrong = {
        "matches no file.*near it: calm": {"path": recordings / "calmm"},
        r"run00_a.bim\* matches no file.*near it: run00_a.bin": {
            "path": recordings / "*" / "run00_a.bim*"
        },
        "no folder": {"path": recordings / "none" / "*.bin"},
        "is a directory.*pattern": {"path": recordings},
        "window=31 is longer than run00_a.bin, which has 30 steps": {"window": 31},
        "leave .* over; the file is cut off": {"shape": [7]},
        "needs dataset.pattern": {"label": "name"},
        "has 0 groups": {"label": "name", "pattern": "run"},
        "is no regular expression": {"label": "name", "pattern": "("},
        "finds no label in the name run00_a.bin": {"label": "name", "pattern": "_(b)"},
        "needs dataset.csv": {"label": "csv"},
        "none.csv does not exist": {"label": "csv", "csv": recordings / "none.csv"},
    }
    for said, params in wrong.items():
        one_sentence(make, said, "binary_files", **{"path": path, "shape": [2], **params})
    table = recordings / "labels.csv"
    for text, said in {
        "file,tag\na,b": "has no column label: available: file, tag",
        "file,label\nrun01_b.bin,1": "says no label for run00_a.bin",
        "file,label\nrun00_a.bin": "not 2 cells long",
    }.items():
        table.write_text(text, encoding="utf-8")
        one_sentence(make, said, "binary_files", path=path, shape=[2], label="csv", csv=table)
    short = recordings / "calm" / "run00_a.bin"
    short.write_bytes(short.read_bytes()[:-8])
    one_sentence(make, "not of one length.*29 steps.*30", "binary_files", path=path, shape=[2])
    split = SplitPlan(val=0.01, test=0, seed=0)
    params = {"split": split, "path": path, **SERIES}
    one_sentence(make, "split.val=0.01 of 20 files", "binary_files", **params)


def test_files_are_known_by_their_names_and_their_content(make, recordings):
    identity = make.registry.find("dataset", "binary_files").marks.identity
    said = identity(path=recordings / "*/*.bin", csv=None)
    assert next(iter(said)) == "calm/run00_a.bin"
    assert len(said) == 20


# --- arrays --------------------------------------------------------------------------------------


def test_two_npy_files_are_mapped_and_streamed_where_they_are_large(make, tmp_path):
    np.save(tmp_path / "x.npy", X.astype("float64"))
    np.save(tmp_path / "y.npy", Y)
    params = {"path": tmp_path / "x.npy", "targets": tmp_path / "y.npy"}
    held = make("dataset", "arrays", **params)
    assert isinstance(held, Data)
    assert np.array_equal(held.features, X)
    assert held.task == Task.classification(4)
    data = make("dataset", "arrays", **params, memory=0)
    for features, targets in data.val.read(None):
        assert features.dtype == "float32"
        assert targets.dtype == "int64"
    assert sum(part.rows for part in all_parts(data)) == 1000
    known = {row.tobytes(): y for row, y in zip(X, Y, strict=True)}
    assert all(known[row.tobytes()] == y for row, y in zip(*data.train.sample, strict=True))


def test_an_npz_may_say_features_and_targets(make, tmp_path):
    np.savez(tmp_path / "mine.npz", features=X, targets=Y)
    data = make("dataset", "arrays", path=tmp_path / "mine.npz")
    assert np.array_equal(data.features, X)


def test_two_npy_files_that_do_not_fit_are_one_sentence(make, tmp_path):
    np.save(tmp_path / "x.npy", X)
    np.save(tmp_path / "y.npy", Y[:-1])
    (tmp_path / "text.npy").write_text("1,2", encoding="utf-8")
    (tmp_path / "cut.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-9])
    for x, y, said in [
        ("x", "y", "1000 rows and 999 rows"),
        ("y", "x", "must be .rows, features"),
        ("x", "text", "dataset.targets=.*not a .npy file"),
        ("cut", "y", "dataset.path=.*cut off"),
        ("x", "z", "dataset.targets=.*does not exist"),
    ]:
        params = {"path": tmp_path / f"{x}.npy", "targets": tmp_path / f"{y}.npy"}
        one_sentence(make, said, "arrays", **params)
    one_sentence(make, re.escape("dataset.targets="), "arrays", path=tmp_path / "x.npy")
