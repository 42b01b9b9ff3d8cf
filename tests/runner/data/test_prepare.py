"""From what a dataset returns to parts that can be trained on, or to one clear sentence."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runner.components.types import Data, SplitPlan, Splits, Task
from runner.config.compose import compose
from runner.data.prepare import Prepared, load, prepare, split
from runner.errors import ConfigError, DataError, PluginError
from tests.conftest import Site

bounded = settings(derandomize=True, max_examples=80, deadline=None)
shares = st.sampled_from([0.1, 0.2, 0.25, 0.3, 0.4])


def numbered(labels: Any, task: Task) -> Data:
    """Rows that know their number, so that a test can tell which went where."""
    labels = np.asarray(labels)
    return Data(np.arange(len(labels), dtype="float32")[:, None], labels, task)


def numbers(part: Any) -> list[int]:
    return [] if part is None else [int(row) for row in part[0][:, 0]]


def prepared(data: Data | Splits, *overrides: str) -> Prepared:
    return prepare(data, compose(["batch_size=1", *overrides])[0])


# --- Splits --------------------------------------------------------------------------------------


@bounded
@given(
    rows=st.integers(10, 300),
    val=shares,
    test=shares,
    seed=st.integers(0, 2**31),
    task=st.sampled_from([Task.classification(7), Task.regression(), Task.multilabel(1)]),
)
def test_every_row_is_in_exactly_one_part(
    rows: int, val: float, test: float, seed: int, task: Task
) -> None:
    parts = split(numbered(np.arange(rows) % 7, task), SplitPlan(val, test, seed))
    found = [numbers(part) for part in (parts.train, parts.val, parts.test)]
    assert sorted(row for part in found for row in part) == list(range(rows))
    assert len(found[1]) == round(rows * val)
    assert len(found[2]) == round(rows * test)


@bounded
@given(
    sizes=st.lists(st.integers(5, 80), min_size=2, max_size=5),
    val=shares,
    test=shares,
    seed=st.integers(0, 2**31),
)
def test_every_part_has_its_share_of_every_class(
    sizes: list[int], val: float, test: float, seed: int
) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    parts = split(numbered(labels, Task.classification(len(sizes))), SplitPlan(val, test, seed))
    for part, share in ((parts.val, val), (parts.test, test), (parts.train, 1 - val - test)):
        assert part is not None
        for label, size in enumerate(sizes):
            assert abs(np.sum(part[1] == label) - size * share) <= 2


def test_a_binary_task_is_stratified_too() -> None:
    labels = np.array([1] * 10 + [0] * 90)
    parts = split(numbered(labels, Task.binary()), SplitPlan(0.2, 0.2, 0))
    assert parts.val is not None
    assert parts.test is not None
    assert (parts.val[1].sum(), parts.test[1].sum(), parts.train[1].sum()) == (2, 2, 6)


def test_parts_are_drawn_from_the_splits_own_seed_and_never_from_the_runs() -> None:
    data = numbered(np.arange(60) % 3, Task.classification(3))
    base = numbers(prepared(data).splits.val)
    assert numbers(prepared(data, "seed=5").splits.val) == base
    assert numbers(prepared(data, "split.seed=5").splits.val) != base


def test_a_share_of_nothing_leaves_no_part() -> None:
    parts = split(numbered(np.arange(9) % 3, Task.classification(3)), SplitPlan(0.0, 0.0, 0))
    assert (parts.val, parts.test) == (None, None)
    assert len(parts.train[0]) == 9


def test_a_share_too_small_for_a_row_is_refused() -> None:
    with pytest.raises(DataError, match=r"split\.test=0\.01 of 9 rows leaves no row in test"):
        split(numbered(np.arange(9) % 3, Task.classification(3)), SplitPlan(0.3, 0.01, 0))


def test_shares_that_leave_no_row_to_train_on_are_refused() -> None:
    with pytest.raises(DataError, match="2 rows leaves no row to train on"):
        split(numbered([0, 1], Task.binary()), SplitPlan(0.4, 0.5, 0))


def test_a_dataset_in_parts_keeps_them() -> None:
    task = Task.regression()
    given = Splits((np.ones((4, 1)), np.arange(4)), None, (np.zeros((2, 1)), np.zeros(2)), task)
    assert split(given, SplitPlan(0.5, 0.4, 1)) is given
    ready = prepared(given)
    assert ready.rows() == {"train": 4, "test": 2}


def test_a_monitor_of_a_val_part_that_is_not_there_is_refused() -> None:
    from runner.model.build import monitor_of

    config, _ = compose(["monitor=val_loss", "split.val=0", "batch_size=1"])
    data = prepare(numbered(np.arange(9) % 3, Task.classification(3)), config)
    with pytest.raises(ConfigError, match="monitor=val_loss needs a val split"):
        monitor_of(config, data)


# --- What a dataset may not return ---------------------------------------------------------------

DATASET = """
import numpy as np
from runner import Data, Splits, Task, dataset

@dataset
def odd(split):
    '''Returns what the test wants.'''
    return {}
"""


def loaded(site: Site, returned: str) -> Data | Splits:
    site.install(DATASET.format(returned))
    return load(compose(["dataset=odd"])[0])


@pytest.mark.many
@pytest.mark.parametrize(
    ("returned", "sentence"),
    [
        (
            "Data(np.ones((3, 2)), np.zeros(4), Task.binary())",
            "dataset 'odd' has 3 rows but 4 targets",
        ),
        (
            "Data(np.ones((0, 2)), np.zeros(0), Task.binary())",
            "dataset 'odd' has no rows",
        ),
        (
            "Data(np.array([['a'], ['b']]), np.zeros(2), Task.binary())",
            "features of type <U1; they must be numbers",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0.0, np.nan, 1.0]), Task.regression())",
            r"dataset 'odd' has 1 targets that are NaN, None or empty: 1 of 3 rows \(row 2\)",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0, None, ''], dtype=object), Task.binary())",
            r"dataset 'odd' has 2 targets that are NaN.*2 of 3 rows \(rows 2, 3\)",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0, 1, 3]), Task.classification(3))",
            "the label 3; a classification task of 3 output",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0, -1, 2]), Task.classification(3))",
            "the label -1; .* 0 to 2",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0, 0.5, 2]), Task.classification(3))",
            r"the label 0\.5",
        ),
        (
            "Data(np.ones((3, 2)), np.array([0, 1, 2]), Task.binary())",
            "the label 2; a binary task",
        ),
        (
            "Data(np.ones((3, 2)), np.array([[0, 1], [2, 0], [1, 1]]), Task.multilabel(2))",
            "the label 2; a multilabel task",
        ),
        (
            "Data(np.ones((3, 2)), np.ones((3, 2)), Task.regression(3))",
            "2 values a target; its task says 3",
        ),
        (
            "Splits((np.ones((3, 2)), np.zeros(3)), None, (np.ones((2, 2)), np.array([0, 7])),"
            " Task.classification(3))",
            "dataset 'odd' test has the label 7",
        ),
    ],
)
def test_rows_that_cannot_be_trained_on_are_one_sentence(
    site: Site, returned: str, sentence: str
) -> None:
    with pytest.raises(DataError, match=sentence) as refused:
        loaded(site, returned)
    assert "\n" not in str(refused.value)


def test_a_dataset_that_returns_something_else_breaks_its_contract(site: Site) -> None:
    with pytest.raises(PluginError, match="dataset 'odd' returned list, not Data or Splits"):
        loaded(site, "[1, 2]")


def test_a_dataset_is_offered_the_split(site: Site) -> None:
    returned = "Data(np.ones((9, 1)), np.full(9, split.seed), Task.regression())"
    site.install(DATASET.format(returned))
    data = load(compose(["dataset=odd", "split.seed=6"])[0])
    assert isinstance(data, Data)
    assert set(data.targets) == {6}


# --- Preprocessing and checks before a model exists ----------------------------------------------


def holes() -> Data:
    features = np.random.Generator(np.random.Philox(key=[1, 1])).normal(3, 2, (50, 2))
    features[::7, 1] = np.nan
    return Data(features, np.arange(50) % 2, Task.binary())


def test_nan_that_nothing_imputes_is_refused_with_the_remedy() -> None:
    with pytest.raises(DataError, match=r"\(NaN\) in train .*: add preprocessing=\[impute\]"):
        prepared(holes())


def test_imputed_data_are_finite_and_float32() -> None:
    ready = prepared(holes(), "preprocessing=[impute]")
    assert ready.splits.val is not None
    for features, _ in (ready.splits.train, ready.splits.val):
        assert features.dtype == np.float32
        assert np.isfinite(features).all()


def test_preprocessing_is_fitted_on_the_training_part_alone() -> None:
    data = holes()
    steps = "preprocessing=[impute,standardize]"
    before = prepared(data, steps)
    assert np.allclose(before.splits.train[0].mean(axis=0), 0, atol=1e-5)
    held_out = sorted(set(range(50)) - set(map(int, _rows_of(data))))
    data.features[held_out] *= 100
    after = prepared(data, steps)
    assert np.array_equal(before.splits.train[0], after.splits.train[0])
    assert after.splits.val is not None
    assert before.splits.val is not None
    assert not np.allclose(after.splits.val[0], before.splits.val[0])


def _rows_of(data: Data) -> list[int]:
    """The numbers of the rows in the training part."""
    return numbers(split(numbered(data.targets, data.task), SplitPlan(0.2, 0.2, 0)).train)


def test_the_preprocessing_model_does_to_raw_rows_what_was_done_to_the_parts() -> None:
    data = holes()
    ready = prepared(data, "preprocessing=[impute,standardize]")
    assert ready.preprocessing is not None
    raw = split(data, SplitPlan(0.2, 0.2, 0)).train[0].astype("float32")
    assert np.allclose(ready.preprocessing(raw), ready.splits.train[0], atol=1e-6)
    assert prepared(numbered([0, 1] * 5, Task.binary())).preprocessing is None


def test_a_batch_larger_than_the_training_part_is_refused() -> None:
    data = numbered(np.arange(10) % 2, Task.binary())
    with pytest.raises(DataError, match=r"batch_size=7 is larger than .* has 6 rows"):
        prepared(data, "batch_size=7")
    assert prepared(data, "batch_size=6")


def test_limited_batches_cut_what_is_judged_and_leave_the_training_part_whole() -> None:
    data = numbered(np.arange(100) % 2, Task.binary())
    whole = prepared(data)
    ready = prepared(data, "limit_batches=2", "batch_size=3")
    assert ready.rows() == {"train": 60, "val": 6, "test": 6}
    assert numbers(ready.splits.val) == numbers(whole.splits.val)[:6]


def test_overfitting_trains_and_judges_one_and_the_same_batch() -> None:
    data = numbered(np.arange(100) % 2, Task.binary())
    ready = prepared(data, "debug=overfit", "batch_size=8")
    assert ready.rows() == {"train": 8, "val": 8}
    assert numbers(ready.splits.train) == numbers(ready.splits.val)


@pytest.mark.many
@pytest.mark.parametrize(
    ("returned", "said"),
    [
        ("Data({1.0}, np.zeros(9), Task.regression())", "features of type set"),
        ("Data(np.ones((9, 2)), np.array(['a'] * 9), Task.binary())", "must be numbers"),
        ("Data(np.ones((9, 2)), np.eye(9), Task.classification(9))", "not one-hot rows"),
        ("Data(np.full((9, 2), np.inf), np.zeros(9), Task.regression())", "18 infinite values"),
        (
            "Splits((np.ones((9, 2)), np.zeros(9)), (np.ones((9, 3)), np.zeros(9)), None, "
            "Task.regression())",
            "shape (3,) in val and of shape (2,) in train",
        ),
    ],
)
def test_arrays_that_no_model_could_take_are_one_sentence(
    site: Site, returned: str, said: str
) -> None:
    site.install(
        "import numpy as np\n"
        "from runner import Data, Splits, Task, dataset\n\n"
        "@dataset\n"
        "def odd():\n"
        '    "Odd."\n'
        f"    return {returned}\n"
    )
    with pytest.raises(DataError) as refused:
        load(compose(["dataset=odd"])[0])
    assert said in str(refused.value)
