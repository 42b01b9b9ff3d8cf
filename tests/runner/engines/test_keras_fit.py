"""Engine `keras`: what its runs must be like, seen from outside."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warehouse
from runner.backend.seeds import generator_state, order
from runner.journal.records import EpochEnd
from tests.conftest import Site
from tests.runner.pairs import events_of, job_of
from tests.runner.spies import SPIES

Train = Callable[..., Any]
ROWS, BATCH = 22, 4

TOYS = (
    SPIES
    + """
@regularizer
def wreck(recipe, *, epoch: int, factor: float = 100.0):
    '''Multiplies all weights when an epoch begins.'''
    import keras
    def spoil(number, logs):
        if number + 1 == epoch:
            for weight in recipe.model.trainable_weights:
                weight.assign(weight * factor)
    recipe.callbacks.append(keras.callbacks.LambdaCallback(on_epoch_begin=spoil))
    return recipe
"""
)


@pytest.fixture
def spies(site: Site) -> Site:
    site.install(TOYS)
    return site


@pytest.fixture
def rows(results: Path) -> Callable[[str], list[tuple[Any, ...]]]:
    """Asks the warehouse of the test."""

    def rows(query: str) -> list[tuple[Any, ...]]:
        with warehouse.connect(results) as connection:
            return connection.execute(query).fetchall()

    return rows


@pytest.fixture
def train(train: Train) -> Train:
    """`runner.run` with the reference engine."""
    return lambda *overrides: train("engine=keras", *overrides)


# --- Order and seeds -----------------------------------------------------------------------------


def seen_epochs(train: Train, *overrides: str) -> list[list[list[int]]]:
    """The rows of every batch, by epoch, that a run trained on."""
    import toys  # type: ignore[import-not-found]

    toys.SEEN.clear()
    outcome = train(
        "dataset=numbered",
        "loss=spy",
        "metrics=[]",
        "architecture=linear",
        "regularizer=[]",
        "split.val=0",
        "split.test=0",
        f"batch_size={BATCH}",
        "epochs=3",
        *overrides,
    )
    assert outcome.status == "finished"
    batches = trained_on(toys.SEEN)
    each = len(batches) // 3
    return [batches[i * each : (i + 1) * each] for i in range(3)]


def trained_on(seen: list[list[int]]) -> list[list[int]]:
    """The batches of the training: before it a plugin's loss is tried on one row."""
    tried, *batches = seen
    assert len(tried) == 1
    return batches


def flat(batches: list[list[int]]) -> list[int]:
    return [row for batch in batches for row in batch]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_order_of_an_epoch_follows_from_seed_and_epoch_alone(
    spies: Site, train: Train
) -> None:
    first = seen_epochs(train, "seed=3")
    for batches in first:
        assert [len(batch) for batch in batches] == [4, 4, 4, 4, 4, 2]
        assert sorted(flat(batches)) == list(range(ROWS))
    assert len({tuple(flat(batches)) for batches in first}) == 3
    other = seen_epochs(train, "seed=4", "optimizer=sgd", "optimizer.learning_rate=1e-4")
    assert other != first
    # Undone, every epoch of either run gives the training part's own order.
    undone = [
        [flat(batches)[place] for place in np.argsort(order(seed, epoch, ROWS))]
        for seed, run in ((3, first), (4, other))
        for epoch, batches in enumerate(run, 1)
    ]
    assert undone == [undone[0]] * 6


@pytest.mark.slow
def test_limited_batches_train_on_the_head_of_each_epochs_order(spies: Site, train: Train) -> None:
    whole = seen_epochs(train, "seed=3")
    limited = seen_epochs(train, "seed=3", "limit_batches=2")
    assert limited == [batches[:2] for batches in whole]


@pytest.mark.slow
def test_overfitting_trains_on_the_same_batch_in_every_epoch(spies: Site, train: Train) -> None:
    import toys

    toys.SEEN.clear()
    outcome = train(
        "dataset=numbered",
        "loss=spy",
        "metrics=[]",
        "regularizer=[]",
        "debug=overfit",
        f"batch_size={BATCH}",
        "epochs=2",
    )
    assert outcome.status == "finished"
    batches = trained_on(toys.SEEN)
    assert {tuple(sorted(batch)) for batch in batches} == {tuple(sorted(batches[0]))}
    assert set(outcome.evaluations) == {"val"}


def test_orders_and_masks_are_pure_functions_of_seed_and_epoch() -> None:
    assert np.array_equal(order(1, 2, 50), order(1, 2, 50))
    distinct = {tuple(order(seed, epoch, 50)) for seed in range(4) for epoch in range(1, 5)}
    assert len(distinct) == 16
    states = {
        tuple(generator_state(seed, epoch, index))
        for seed in range(3)
        for epoch in range(1, 4)
        for index in range(3)
    }
    assert len(states) == 27


@pytest.mark.slow
def test_two_runs_of_one_seed_have_the_same_losses_to_the_last_bit(
    twins: tuple[Any, Any, Path],
) -> None:
    one, other, results = twins
    assert len(one.losses) == 3
    assert one.losses == other.losses
    assert one.evaluations == other.evaluations
    assert one.run_id != other.run_id
    # Equal weights are one file.
    assert one.weights == other.weights
    with warehouse.connect(results) as connection:
        differ = connection.execute(
            "SELECT count(*) FROM epochs a JOIN epochs b USING (epoch) "
            "WHERE a.val_loss <> b.val_loss OR a.loss <> b.loss"
        ).fetchone()
        prints = connection.execute("SELECT DISTINCT fingerprint FROM runs").fetchall()
    assert differ == (0,)
    assert len(prints) == 1


@pytest.mark.slow
def test_another_seed_has_other_losses_on_the_same_data(
    twins: tuple[Any, Any, Path], train: Train
) -> None:
    words = ("dataset=wine", "preprocessing=[standardize]", "epochs=1", "seed=8")
    other = train(*words, "regularizer=[l2,dropout,batch_norm]")
    assert other.losses[0] != twins[0].losses[0]


@pytest.mark.slow
def test_its_losses_are_those_of_a_plain_fit_on_the_same_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import keras

    words = ("dataset=mnist5k", "architecture=cnn", "regularizer=[]", "seed=3", "epochs=2")
    job = job_of((*words, "limit_batches=4", "batch_size=16"), "keras")
    model = job.make().model
    features, targets = job.data.splits.train
    expected = []
    for epoch in (1, 2):
        drawn = order(3, epoch, len(features))[: 4 * 16]
        rows = {"x": features[drawn], "y": targets[drawn]}
        history = model.fit(**rows, batch_size=16, shuffle=False, verbose=0).history
        expected += history["loss"]

    replaced = []
    fit = keras.Model.fit

    def seen(self: Any, *arguments: Any, **options: Any) -> Any:
        methods = ("train_step", "test_step", "make_train_function", "make_test_function")
        replaced.extend(name for name in methods if name in vars(self))
        return fit(self, *arguments, **options)

    monkeypatch.setattr(keras.Model, "fit", seen)
    events = events_of(job)
    assert replaced == []
    assert [event.loss for event in events if isinstance(event, EpochEnd)] == expected


# --- Best weights, failures ----------------------------------------------------------------------


def test_the_best_epochs_weights_are_back_before_anything_is_judged(
    spies: Site, train: Train, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    outcome = train("dataset=iris", "epochs=3", "regularizer=[wreck]", "regularizer.wreck.epoch=3")
    assert (outcome.status, outcome.epochs, outcome.best_epoch) == ("finished", 3, 2)
    assert outcome.evaluations["val"]["loss"] == pytest.approx(outcome.best, rel=1e-6)
    [(last,)] = rows("SELECT val_loss FROM epochs WHERE epoch = 3")
    assert last > 2 * outcome.best
    assert rows("SELECT epoch FROM weights WHERE role = 'best'") == [(2,)]
    assert rows("SELECT best_epoch FROM runs") == [(2,)]


@pytest.mark.slow
def test_of_a_metric_of_which_more_is_better_the_highest_epoch_is_best(
    spies: Site, train: Train
) -> None:
    outcome = train(
        "dataset=wine",
        "preprocessing=[standardize]",
        "optimizer.learning_rate=0.01",
        "epochs=3",
        "monitor=val_accuracy",
        "regularizer=[wreck]",
        "regularizer.wreck.epoch=3",
        "regularizer.wreck.factor=-1",
    )
    assert outcome.best_epoch == 2
    assert outcome.best > 0.5
    assert outcome.evaluations["val"]["accuracy"] == pytest.approx(outcome.best)


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_as_failed(
    spies: Site, train: Train, rows: Callable[[str], list[tuple[Any, ...]]]
) -> None:
    outcome = train(
        "dataset=iris",
        "epochs=5",
        "regularizer=[wreck]",
        "regularizer.wreck.epoch=3",
        "regularizer.wreck.factor=1e38",
    )
    assert outcome.status == "failed"
    assert outcome.epochs == 3
    assert "epoch 3" in outcome.error
    assert "last epoch with a finite loss is 2" in outcome.error
    assert rows("SELECT status, epochs, best_epoch FROM runs") == [("failed", 3, 2)]
    assert rows("SELECT epoch, isfinite(loss) FROM epochs ORDER BY epoch") == [
        (1, True),
        (2, True),
        (3, False),
    ]


@pytest.mark.slow
def test_an_error_in_the_midst_of_training_is_recorded_with_its_traceback(
    spies: Site,
    train: Train,
    rows: Callable[[str], list[tuple[Any, ...]]],
    capsys: pytest.CaptureFixture[str],
) -> None:
    outcome = train("dataset=iris", "epochs=5", "regularizer=[trip]", "regularizer.trip.epoch=2")
    assert (outcome.status, outcome.error) == ("failed", "OSError: tripped over a cable")
    assert "in fall" in outcome.traceback
    assert "tripped over a cable" in capsys.readouterr().err
    assert rows("SELECT status, epochs, error FROM runs") == [
        ("failed", 2, "OSError: tripped over a cable")
    ]
    [(trace,)] = rows("SELECT traceback FROM failures")
    assert "in fall" in trace
    assert len(rows("FROM epochs")) == 2


# --- A setup checked in seconds ------------------------------------------------------------------


def test_a_summary_is_printed_and_nothing_is_kept(
    train: Train, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = train("dataset=iris", "debug=summary", "architecture.units=[7]")
    assert outcome.status == "summary"
    said = capsys.readouterr().out
    assert "Total params" in said
    assert "(None, 7)" in said
    assert not (results / "journals").exists()
    assert not (results / "weights").exists()


def test_what_a_run_records_is_complete(
    twins: tuple[Any, Any, Path],
) -> None:
    run_id, results = twins[0].run_id, twins[2]
    with warehouse.connect(results) as connection:

        def of(what: str, table: str) -> list[tuple[Any, ...]]:
            query = f"SELECT {what} FROM {table} WHERE run_id = ? ORDER BY ALL"
            return connection.execute(query, [run_id]).fetchall()

        [run] = of("status, seed, engine, device, epochs, error, seconds > 0", "runs")
        assert run == ("finished", 7, "keras", twins_device(), 3, None, True)
        assert [row[0] for row in of("epoch", "epochs")] == [1, 2, 3]
        assert of("DISTINCT split, name", "metrics") == [
            ("train", "accuracy"),
            ("val", "accuracy"),
        ]
        judged = of("split, name", "evaluations")
        for split in ("val", "test"):
            assert {(split, name) for name in ("accuracy", "loss", "f1_macro")} <= set(judged)
        assert ("dataset", "wine", "sweephouse") in of("kind, name, distribution", "components")
        assert ("optimizer.learning_rate", "0.001", 0.001) in of("name, value, number", "params")
        assert of("role", "weights") == [("best",), ("graph",)]


def twins_device() -> str:
    """What this machine's first device is called in the record."""
    from runner.backend.devices import pick_device

    return pick_device("auto")[1]
