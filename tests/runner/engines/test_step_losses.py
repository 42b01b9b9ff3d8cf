"""`record_steps`: the training loss inside of epochs, the same in both engines, as rows."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import runner
import warehouse
from runner.components.types import Splits, Stream, Task
from runner.config.compose import compose
from runner.data.prepare import prepare
from runner.engines.step_losses import StepLosses
from runner.errors import ModelError
from runner.journal.records import EpochEnd, RunEnd, RunStart, Steps
from tests.runner.pairs import events_of, job_from, job_of

CLOSE = 1e-6
IRIS = ("dataset=iris", "preprocessing=[standardize]", "batch_size=16", "epochs=2")
ROWS = 90
"""Of iris, those that are trained on: five batches of 16 and one of 10."""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of `steps`, and the losses of the epochs, after a run of each engine."""
    folder = tmp_path_factory.mktemp("steps") / "results"
    found = {}
    for engine in ("keras", "fast"):
        ended = runner.run([*IRIS, f"engine={engine}", "record_steps=2", f"results={folder}"])
        with warehouse.connect(folder) as con:
            for table, columns in (("steps", "epoch, step, loss"), ("epochs", "epoch, loss")):
                query = f"SELECT {columns} FROM {table} WHERE run_id = ? ORDER BY ALL"
                found[f"{engine} {table}"] = con.execute(query, [ended.run_id]).fetchall()
    return found


@pytest.mark.slow
def test_both_engines_record_the_same_losses(recorded: dict[str, Any]) -> None:
    keras, fast = np.array(recorded["keras steps"]), np.array(recorded["fast steps"])
    places = [[1, 2], [1, 4], [1, 6], [2, 2], [2, 4], [2, 6]]
    assert keras[:, :2].tolist() == fast[:, :2].tolist() == places
    np.testing.assert_allclose(fast[:, 2], keras[:, 2], rtol=CLOSE)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["keras", "fast"])
def test_the_stretches_together_are_the_epochs_loss(recorded: dict[str, Any], engine: str) -> None:
    steps = np.array(recorded[f"{engine} steps"])[:, 2].reshape(2, 3)
    assert len(np.unique(steps)) == 6
    mean = steps @ [32, 32, 26] / ROWS
    np.testing.assert_allclose(mean, np.array(recorded[f"{engine} epochs"])[:, 1], rtol=CLOSE)


def test_without_the_setting_nothing_is_recorded_and_the_losses_are_the_same(
    recorded: dict[str, Any],
) -> None:
    told = events_of(job_of(IRIS), "fast")
    assert not any(isinstance(event, Steps) for event in told)
    losses = [event.loss for event in told if isinstance(event, EpochEnd)]
    expected = [loss for _, loss in recorded["fast epochs"]]
    np.testing.assert_allclose(losses, expected, rtol=CLOSE)


def test_a_stretch_goes_on_from_window_to_window_of_a_stream(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("runner.data.stream.WINDOW_ROWS", 30)
    generator = np.random.default_rng(0)
    features, targets = generator.normal(size=(100, 2)), generator.integers(0, 2, 100)

    def read(_: Any) -> Any:
        for at in range(0, 100, 30):
            yield features[at : at + 30], targets[at : at + 30]

    config, _ = compose(["batch_size=10", "epochs=1", "architecture=linear", "record_steps=4"])
    part = Stream(100, (features, targets), read)
    told = {}
    for engine in ("keras", "fast"):
        data = prepare(Splits(part, None, None, Task.classification(2)), config)
        [told[engine]] = [
            event
            for event in events_of(job_from(config, data), engine)
            if isinstance(event, Steps)
        ]
    assert told["keras"].step == told["fast"].step == [4, 8, 10]
    np.testing.assert_allclose(told["fast"].loss, told["keras"].loss, rtol=CLOSE)


def test_an_epoch_that_a_callback_ends_early_records_its_last_stretch() -> None:
    """Infinite losses end it: Keras' TerminateOnNaN acts on batches."""
    words = [*IRIS, "record_steps=4", "callback=[terminate_on_nan]", "optimizer=sgd"]
    told = events_of(job_of([*words, "optimizer.learning_rate=1e38"]), "fast")
    [steps] = [event for event in told if isinstance(event, Steps)]
    assert 0 < steps.step[-1] < 6
    assert not np.isfinite(steps.loss[-1])


def test_a_model_that_does_not_add_up_its_loss_is_told_of_the_setting() -> None:
    losses = StepLosses(SimpleNamespace(metrics=[]), 2, 6)
    losses.advance(1)
    with pytest.raises(ModelError, match=r"record_steps=2 needs .* SimpleNamespace does not"):
        losses.advance(1)


def test_packs_leave_such_runs_to_engine_fast() -> None:
    start, *others = events_of(job_of([*IRIS, "record_steps=3"]), "packed")
    assert isinstance(start, RunStart)
    assert (start.engine, start.engine_reason) == (
        "fast",
        "packed declines: record_steps asks for losses inside of an epoch",
    )
    kinds = [type(event) for event in others if isinstance(event, Steps | EpochEnd)]
    assert kinds == [Steps, EpochEnd, Steps, EpochEnd]
    assert isinstance(others[-1], RunEnd) and others[-1].status == "finished"
