"""Sample weights and class weights: what a row counts in the training loss, and nowhere else."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from runner.backend.seeds import order
from runner.components.types import Data, Splits, Task
from runner.config.compose import compose
from runner.data.prepare import Prepared, prepare
from runner.errors import ConfigError, DataError
from runner.journal.records import EpochEnd
from runner.model.build import build
from tests.runner.pairs import events_of, job_from

WORDS = ("architecture=linear", "regularizer=[]", "batch_size=10", "epochs=2", "split.test=0")
DRAW = np.random.Generator(np.random.Philox(key=[5, 5]))
FEATURES = DRAW.normal(size=(100, 3))
LABELS = (np.arange(100) % 10 == 0).astype(int)


def prepared(*words: str, weights: Any = None, task: Task | None = None) -> tuple[Any, Prepared]:
    config, _ = compose([*WORDS, *words])
    data = Data(FEATURES, LABELS, task or Task.classification(2, ("no", "yes")), weights=weights)
    return config, prepare(data, config)


@pytest.mark.slow
def test_balanced_classes_count_the_same_and_the_mean_is_one() -> None:
    _, data = prepared("class_weight=balanced")
    assert data.weights is not None and data.weights.dtype == np.float32
    labels = data.splits.train[1]  # type: ignore[index]
    assert data.weights.mean() == pytest.approx(1)
    assert data.weights[labels == 1].sum() == pytest.approx(data.weights[labels == 0].sum())


def test_classes_may_be_weighed_by_number_or_name() -> None:
    _, data = prepared("class_weight={yes:5}")
    assert data.weights is not None
    assert set(zip(data.splits.train[1], data.weights, strict=True)) == {(0, 1.0), (1, 5.0)}  # type: ignore[index]
    _, again = prepared("class_weight={1:5}")
    assert np.array_equal(again.weights, data.weights)  # type: ignore[arg-type]


def test_the_datasets_weights_follow_their_rows_and_multiply_with_the_classes() -> None:
    weights = np.arange(100) / 10
    _, data = prepared("split.by=hash", weights=weights)
    place = [
        int(np.flatnonzero((FEATURES.astype("float32") == row).all(axis=1))[0])
        for row in data.splits.train[0]
    ]  # type: ignore[index]
    assert np.allclose(data.weights, weights[place])  # type: ignore[arg-type]
    _, both = prepared("split.by=hash", "class_weight={yes:3}", weights=weights)
    assert np.allclose(both.weights, weights[place] * np.where(LABELS[place], 3, 1))  # type: ignore[arg-type]


@pytest.mark.many
@pytest.mark.parametrize("engine", ["keras", "fast"])
def test_losses_are_those_of_fit_with_sample_weights(engine: str) -> None:
    config, data = prepared("class_weight=balanced", weights=np.linspace(0, 2, 100))
    found = [e.loss for e in events_of(job_from(config, data), engine) if isinstance(e, EpochEnd)]
    features, labels = data.splits.train
    model = build(config, data).model
    expected = []
    for epoch in (1, 2):
        drawn = order(0, epoch, len(labels))
        assert data.weights is not None
        told = model.fit(
            features[drawn],
            labels[drawn],
            sample_weight=data.weights[drawn],
            batch_size=10,
            shuffle=False,
            verbose=0,
        )
        expected.append(told.history["loss"][0])
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.mark.slow
def test_validation_is_not_weighted() -> None:
    losses = []
    for words in ((), ("class_weight=balanced",)):
        still = ("epochs=1", "optimizer=sgd", "optimizer.learning_rate=1e-12")
        config, data = prepared(*words, *still)
        [epoch] = [e for e in events_of(job_from(config, data), "fast") if isinstance(e, EpochEnd)]
        losses.append((epoch.loss, epoch.val_loss))
    assert losses[0][1] == pytest.approx(losses[1][1], rel=1e-6)
    assert losses[0][0] != pytest.approx(losses[1][0], rel=1e-3)


@pytest.mark.parametrize(
    ("words", "task", "sentence"),
    [
        (["class_weight={maybe:2}"], None, "class_weight.maybe=2.0 names no class"),
        (["class_weight={yes:-1}"], None, "class_weight.yes=-1.0 is not valid"),
        (["class_weight=balanced"], Task.regression(), "needs a task with classes"),
        (["class_weight=balnced"], None, "^class_weight=balnced is not valid"),
        (["class_weight={yes:much}"], None, "^class_weight.yes=much is not valid"),
    ],
)
def test_class_weights_that_mean_nothing_are_one_sentence(
    words: list[str], task: Task | None, sentence: str
) -> None:
    with pytest.raises(ConfigError, match=sentence) as refused:
        prepared(*words, task=task)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.ones(7), r"weights of shape \(7,\) for 100 rows"),
        (np.full(100, -1.0), "weights that are no numbers of 0 or more"),
        (np.full(100, np.nan), "weights that are no numbers of 0 or more"),
        (np.zeros(100), "weights that are all 0"),
    ],
)
def test_weights_that_cannot_be_are_one_sentence(weights: Any, sentence: str) -> None:
    from runner.data.checks import check_loaded

    data = Data(FEATURES, LABELS, Task.binary(), weights=weights)
    with pytest.raises(DataError, match=sentence):
        check_loaded(data, "dataset 'odd'", text=False)


# --- Labels that cannot be learned ---------------------------------------------------------------


def test_one_label_alone_is_refused() -> None:
    config, _ = compose([*WORDS])
    with pytest.raises(
        DataError, match="only the label 1 in train: there is nothing to tell apart"
    ):
        prepare(Data(FEATURES, np.ones(100, int), Task.binary()), config)
    with pytest.raises(DataError, match="the target 3 in every row of train"):
        prepare(Data(FEATURES, np.full(100, 3.0), Task.regression()), config)


def test_a_class_that_train_lacks_is_told_and_trained_without() -> None:
    config, _ = compose([*WORDS])
    train, test = (FEATURES, np.arange(100) % 2), (FEATURES[:5], np.array([0, 1, 2, 0, 1]))
    with pytest.warns(UserWarning, match="labels in test that train lacks, .* 2"):
        prepare(Splits(train, None, test, Task.classification(3)), config)
