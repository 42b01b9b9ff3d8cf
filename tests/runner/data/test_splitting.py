"""Rows divided by content, key, group, time and folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import warehouse
from runner.components.types import Data, SplitPlan, Task
from runner.config.compose import compose
from runner.data.prepare import split
from runner.data.splitting import row_hashes
from runner.errors import ConfigError, DataError
from tests.runner.session import session

bounded = settings(derandomize=True, max_examples=60, deadline=None)


def numbered(rows: int, task: Task | None = None, **columns: Any) -> Data:
    """Rows that know their number, so that a test can tell which went where."""
    features = np.arange(rows, dtype="float32")[:, None]
    return Data(features, np.arange(rows) % 3, task or Task.classification(3), columns)


def placed(data: Data, wanted: SplitPlan) -> tuple[list[int], list[int], list[int]]:
    """The rows of train, val and test."""
    found = split(data, wanted)
    train, val, test = (
        [] if part is None else sorted(map(int, part[0][:, 0]))  # type: ignore[index]
        for part in (found.train, found.val, found.test)
    )
    return train, val, test


# --- By content ----------------------------------------------------------------------------------


def test_hashes_and_the_parts_that_follow_from_them_never_change() -> None:
    # The first is SplitMix64's first number from the seed 0, as its authors print it.
    assert [hex(value) for value in row_hashes(0, np.arange(3)).tolist()] == [
        "0xe220a8397b1dcdaf",
        "0xbcabcb2a8dae6591",
        "0xaa50ea8e0fa9eb",
    ]
    mixed = row_hashes(7, np.array([0.5, np.nan]), np.array(["a", "b"]))
    assert [hex(value) for value in mixed.tolist()] == ["0x63f233908bf99a37", "0x4c02a330ada97599"]
    days = np.array(["2020-01-01", "2021-06-30"], dtype="datetime64[D]")
    assert [hex(value) for value in row_hashes(0, days).tolist()] == [
        "0xfcffdf340647c902",
        "0x529206de01ce48f3",
    ]
    keys = np.array([f"k{number}" for number in range(20)])
    assert SplitPlan(0.2, 0.2, 5).assign(keys).tolist() == [
        *(1, 1, 2, 2, 0, 2, 0, 0, 0, 0),
        *(1, 0, 0, 2, 0, 1, 1, 1, 0, 0),
    ]
    folded = SplitPlan(0, 0.2, 0, folds=4, fold=1).assign(np.arange(20))
    assert folded.tolist() == [
        *(0, 0, 2, 1, 1, 0, 0, 0, 0, 0),
        *(1, 1, 0, 0, 0, 0, 2, 0, 0, 0),
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (np.arange(5), np.arange(5, dtype="float32")),
        (np.array([0, 1]), np.array([False, True])),
        (np.array([0.0]), np.array([-0.0])),
        (np.array(["a", "é"]), np.array(["a", "é"], dtype=object)),
        (np.array([b"a"]), np.array(["a"])),
        (np.array(["2020-01-01"], "datetime64[D]"), np.array(["2020-01-01"], "datetime64[ns]")),
    ],
)
def test_equal_values_hash_alike_whatever_their_type(one: Any, other: Any) -> None:
    assert row_hashes(3, one).tolist() == row_hashes(3, other).tolist()


def test_neighbours_among_large_integers_hash_apart() -> None:
    large = 2**60 + np.arange(1000)
    assert len(set(row_hashes(0, large).tolist())) == 1000


@bounded
@given(
    rows=st.integers(40, 200), seed=st.integers(0, 2**31), by=st.sampled_from(["hash", "hash:key"])
)
def test_a_row_keeps_its_part_when_others_come_go_or_move(rows: int, seed: int, by: str) -> None:
    wanted = SplitPlan(0.3, 0.3, seed, by)
    draw = np.random.Generator(np.random.Philox(key=[seed, 1]))
    some = draw.permutation(rows)[: rows - 5]
    whole = placed(numbered(rows, key=np.arange(rows)), wanted)
    data = numbered(rows, key=np.arange(rows))
    fewer = Data(
        data.features[some],  # type: ignore[index]
        data.targets[some],
        data.task,
        {"key": np.arange(rows)[some]},
    )
    kept = set(some.tolist())
    assert placed(fewer, wanted) == tuple([row for row in part if row in kept] for part in whole)


def test_shares_and_folds_hold_on_average() -> None:
    keys = np.arange(100_000)
    assert np.bincount(SplitPlan(0.1, 0.3, 1).assign(keys)) / 1e5 == pytest.approx(
        [0.6, 0.1, 0.3], abs=0.005
    )
    folds = [SplitPlan(0.1, 0.2, 1, folds=4, fold=fold).assign(keys) for fold in range(4)]
    for part in folds:
        assert np.bincount(part) / 1e5 == pytest.approx([0.6, 0.2, 0.2], abs=0.005)
    # Each row is val once, or test always.
    assert set(sum((part == 1).astype(int) for part in folds) + (folds[0] == 2)) == {1}


def test_equal_rows_are_in_one_part() -> None:
    wanted = SplitPlan(0.3, 0.3, 0, "hash")
    features = np.repeat(np.arange(50.0), 4)[:, None]
    found = split(Data(features, np.arange(200) % 2, Task.binary()), wanted)
    values = [set(part[0][:, 0]) for part in (found.train, found.val, found.test) if part]  # type: ignore[index]
    assert sum(map(len, values)) == 50


# --- By group and time ---------------------------------------------------------------------------


@bounded
@given(
    groups=st.integers(12, 60),
    seed=st.integers(0, 2**31),
    fold=st.none() | st.integers(0, 2),
    text=st.booleans(),
)
def test_a_group_is_never_divided(groups: int, seed: int, fold: int | None, text: bool) -> None:
    rows = groups * 5
    draw = np.random.Generator(np.random.Philox(key=[seed, 2]))
    who: Any = draw.integers(0, groups, rows)
    if text:
        who = np.array([f"p{number}" for number in who], dtype=object)
    wanted = SplitPlan(0.2, 0.2, seed, "group:who", None if fold is None else 3, fold or 0)
    parts = placed(numbered(rows, who=who), wanted)
    assert sorted(row for part in parts for row in part) == list(range(rows))
    seen = [set(who[part]) for part in parts]
    assert not seen[0] & seen[1] and not seen[0] & seen[2] and not seen[1] & seen[2]
    assert abs(len(parts[2]) - 0.2 * rows) <= 10


def test_folds_of_groups_are_disjoint_and_cover_all_but_test() -> None:
    data = numbered(120, who=np.arange(120) // 4)
    found = [placed(data, SplitPlan(0, 0.2, 0, "group:who", 5, fold)) for fold in range(5)]
    assert len({tuple(test) for _, _, test in found}) == 1
    vals = [row for _, val, _ in found for row in val]
    assert sorted(vals + found[0][2]) == list(range(120))
    assert {len(val) for _, val, _ in found} <= {16, 20}


def test_by_time_the_latest_rows_are_test_and_those_before_them_val() -> None:
    day = np.random.Generator(np.random.Philox(key=[0, 3])).permutation(100)
    train, val, test = placed(numbered(100, day=day), SplitPlan(0.1, 0.2, 0, "time:day"))
    assert max(day[train]) < min(day[val]) and max(day[val]) < min(day[test])
    assert (len(train), len(val), len(test)) == (70, 10, 20)


def test_rows_of_one_time_are_in_one_part() -> None:
    day = np.array(["2020-01-01", "2020-01-02", "2020-01-03"], dtype="datetime64[D]")
    parts = placed(numbered(90, day=day[np.arange(90) // 30]), SplitPlan(0.2, 0.2, 0, "time:day"))
    assert [len(part) for part in parts] == [30, 30, 30]


def test_folds_of_time_validate_on_what_comes_after_what_they_trained_on() -> None:
    data = numbered(100, day=np.arange(100))
    for fold in range(3):
        train, val, test = placed(data, SplitPlan(0, 0.2, 0, "time:day", 3, fold))
        assert (train, val) == (
            list(range(20 * (fold + 1))),
            list(range(20 * (fold + 1), 20 * (fold + 2))),
        )
        assert test == list(range(80, 100))


def test_a_feature_may_be_what_divides() -> None:
    features = {"who": np.arange(30) // 3, "size": np.arange(30.0)}
    found = split(
        Data(features, np.arange(30) % 2, Task.binary()), SplitPlan(0.2, 0.2, 0, "group:who")
    )
    assert isinstance(found.train, tuple) and isinstance(found.val, tuple)
    assert not set(found.train[0]["who"]) & set(found.val[0]["who"])  # type: ignore[call-overload]


# --- Drawn folds ---------------------------------------------------------------------------------


@bounded
@given(folds=st.integers(2, 6), seed=st.integers(0, 2**31), rows=st.integers(60, 200))
def test_drawn_folds_are_disjoint_stratified_and_leave_test_alone(
    folds: int, seed: int, rows: int
) -> None:
    data = numbered(rows)
    found = [placed(data, SplitPlan(0.5, 0.2, seed, None, folds, fold)) for fold in range(folds)]
    tests = {tuple(test) for _, _, test in found}
    assert len(tests) == 1 and len(found[0][2]) == round(rows * 0.2)
    assert sorted(row for _, val, _ in found for row in val) == sorted(
        set(range(rows)) - set(found[0][2])
    )
    for train, val, test in found:
        assert sorted([*train, *val, *test]) == list(range(rows))
        counts = np.bincount(np.array(val) % 3, minlength=3)
        assert counts.max() - counts.min() <= 3


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["split.by=grup:who"],
            r"split\.by=grup:who is not valid: available: column:COLUMN, group",
        ),
        (["split.by=group"], r"split\.by=group is not valid"),
        (["split.by='time:'"], r"split\.by=time: is not valid"),
        (["split.fold=1"], r"split\.fold=1 needs split\.folds"),
        (["split.folds=3", "split.fold=3"], r"of split\.folds=3 the folds are 0 to 2"),
        (["split.folds=1"], r"split\.folds=1 is not valid"),
    ],
)
def test_settings_that_mean_nothing_are_one_sentence(words: list[str], sentence: str) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        compose(words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        (SplitPlan(0.2, 0.2, 0, "group:whom"), "names no column: did you mean 'who'"),
        (SplitPlan(0.2, 0.2, 0, "time:when"), "'when' has shape"),
        (SplitPlan(0.2, 0.2, 0, "time:late"), "30 rows have no time"),
        (
            SplitPlan(0.2, 0.2, 0, "group:one"),
            "split.by=group:one leaves no row in train, of 30 rows",
        ),
        (SplitPlan(0.2, 0.0, 0, "group:two", 3, 2), "with split.folds=3 leaves no row in val"),
    ],
)
def test_columns_that_cannot_divide_are_one_sentence(wanted: SplitPlan, sentence: str) -> None:
    data = numbered(
        30,
        who=np.arange(30) // 3,
        when=np.ones((30, 2)),
        late=np.full(30, np.nan),
        one=np.ones(30),
        two=np.arange(30) % 2,
    )
    with pytest.raises(DataError, match=sentence) as refused:
        split(data, wanted)
    assert "\n" not in str(refused.value)


# --- At the command line -------------------------------------------------------------------------


@pytest.mark.slow
def test_cross_validation_is_a_sweep(tmp_path: Path, results: Path) -> None:
    words = ["dataset=iris", "epochs=1", "split.folds=3", "split.fold=range(3)"]
    [done] = session([["--multirun", *words, f"results={results}"]], tmp_path)
    assert done.code in (0, None), done.err
    with warehouse.connect(results) as connection:
        runs = connection.execute(
            "SELECT DISTINCT value FROM params JOIN runs USING (run_id) "
            "WHERE name = 'split.fold' AND status = 'finished' ORDER BY 1"
        ).fetchall()
    assert [value for (value,) in runs] == ["0", "1", "2"]


def test_a_fold_is_part_of_the_fingerprint(train: Callable[..., Any]) -> None:
    from runner.config.fingerprint import fingerprint

    prints = {
        fingerprint(compose(["split.folds=3", f"split.fold={fold}"])[0], "x") for fold in range(3)
    }
    assert len(prints) == 3
