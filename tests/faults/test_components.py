"""Whatever a component does, its run fails alone, with its traceback, and the sweep goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Site
from tests.faults.conftest import House

TRAP = """
import numpy as np
from runner import Data, DataError, Task, architecture, dataset, optimizer, regularizer

FAULT = "none"
ERRORS = {
    "raise": ValueError("trap"), "exit": SystemExit(3), "memory": MemoryError(),
    "data": DataError("rows.csv is gone: put it back"),
}

def trap(place):
    where, _, how = FAULT.partition("-")
    if where == place:
        raise ERRORS[how]

@dataset(name="trap", identity=lambda fault: "trap")
def trapped_data(*, fault: str = "none") -> Data:
    global FAULT
    FAULT = fault
    trap("dataset")
    features = np.random.default_rng(0).random((80, 4), dtype="float32")
    return Data(features, np.arange(80) % 2, Task.binary())

@architecture(name="trap")
def trapped_network(input_shape, outputs):
    import keras
    trap("architecture")
    return keras.Sequential([keras.Input(input_shape), keras.layers.Dense(outputs)])

@optimizer(name="trap")
def trapped_optimizer(*, learning_rate: float = 0.01):
    import keras
    trap("optimizer")
    return keras.optimizers.SGD(learning_rate)

@regularizer(name="trap")
def trapped_regularizer(recipe):
    import keras
    trap("regularizer")

    class Callback(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                trap("callback")
                if FAULT == "nan":
                    self.model.weights[0].assign(self.model.weights[0] * float("nan"))

    recipe.callbacks.append(Callback())
    return recipe
"""
PLACES = ("dataset", "architecture", "optimizer", "regularizer", "callback")
ERRORS = {"raise": "ValueError: trap", "exit": "SystemExit: 3", "memory": "MemoryError"}


@pytest.mark.slow
def test_components_that_fail_in_any_way_fail_their_own_run(real: House, tmp_path: Path) -> None:
    site = Site(tmp_path / "site")
    site.install(TRAP, name="trap")
    faults = [*(f"{place}-{how}" for place in PLACES for how in ERRORS), "nan", "none"]
    sweep = real.run(
        "-m",
        f"dataset.fault={','.join(faults)}",
        *("dataset=trap", "architecture=trap", "optimizer=trap", "regularizer=[trap]"),
        *("epochs=4", "engine=tests.faults.engine:RealEngine"),
        site=str(site.folder),
    )
    assert sweep.wait() == 1
    real.check()
    rows = real.rows(
        "SELECT p.value, r.status, r.error, r.epochs, f.traceback FROM runs AS r "
        "JOIN params AS p ON p.run_id = r.run_id AND p.name = 'dataset.fault' "
        "LEFT JOIN failures AS f ON f.run_id = r.run_id"
    )
    there = {fault: rest for fault, *rest in rows}
    assert sorted(there) == sorted(faults) and len(rows) == len(faults)
    for place in PLACES:
        for how, error in ERRORS.items():
            status, sentence, epochs, traceback = there[f"{place}-{how}"]
            assert (status, sentence) == ("failed", error)
            assert epochs == (2 if place == "callback" else 0)
            assert "in trap" in traceback and error in traceback
            assert f"dataset.fault={place}-{how}" in sweep.said
    assert there["none"][:3] == ["finished", None, 4]
    status, sentence, epochs, _ = there["nan"]
    assert (status, epochs) == ("failed", 3)
    assert sentence == "the loss became nan in epoch 3; the last epoch with a finite loss is 2"
    assert "16 failed, 1 finished" in sweep.said


@pytest.mark.slow
def test_what_is_the_users_to_mend_is_a_sentence_in_the_middle_of_training_too(
    real: House, tmp_path: Path
) -> None:
    site = Site(tmp_path / "site")
    site.install(TRAP, name="trap")
    run = real.run(
        "dataset.fault=callback-data",
        *("dataset=trap", "architecture=trap", "optimizer=trap", "regularizer=[trap]"),
        *("epochs=4", "engine=tests.faults.engine:RealEngine"),
        site=str(site.folder),
    )
    assert run.wait() == 1
    assert "Traceback" not in run.said
    assert run.said.endswith("failed: DataError: rows.csv is gone: put it back\n")
    assert run.said.count("error:") == 1
    real.check()
    assert real.rows(
        "SELECT epochs, failures.error, traceback FROM runs JOIN failures USING (run_id)"
    ) == [(2, "DataError: rows.csv is gone: put it back", None)]
