"""`evaluate` tells of the run's own metrics, and `predict` of codes that no model knows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import runner
from runner.commands.evaluation import evaluate
from runner.commands.prediction import predict
from runner.errors import DataError
from tests.conftest import Site

OWN = """
import numpy as np
from runner import Data, Task, architecture, dataset, metric

CODES = np.random.default_rng(0).integers(0, 5, (60, 2))

@dataset(identity=lambda: "codes")
def coded():
    "Rows of two codes."
    labels = (CODES.sum(axis=1) > 4).astype("int64")
    return Data(CODES, labels, Task.binary(), vocabulary={"features": 5})

@architecture
def looked_up(inputs, outputs):
    "Sums of what the codes stand for."
    import keras
    codes = keras.Input((2,), dtype="int32")
    rows = keras.layers.Embedding(inputs["features"].vocabulary, 3)(codes)
    return keras.Model(codes, keras.layers.Dense(outputs)(keras.layers.Flatten()(rows)))

@metric(mode="max")
def mine():
    "A function and a Keras metric."
    import keras
    def share_of_yes(y_true, y_pred):
        return keras.ops.cast(y_pred > 0.5, "float32")
    return [share_of_yes, keras.metrics.MeanAbsoluteError(name="distance")]
"""


@pytest.mark.slow
def test_they_are_those_of_training_and_an_unknown_code_is_one_sentence(
    site: Site, results: Path, tmp_path: Path
) -> None:
    site.install(OWN)
    words = ["dataset=coded", "architecture=looked_up", "metrics=[mine]", "epochs=1"]
    outcome = runner.run([*words, "regularizer=[]", "batch_size=8", f"results={results}"])
    assert outcome.status == "finished", outcome.error
    again = evaluate(outcome.run_id, splits=["test"], results=results).metrics["test"]
    for name in ("share_of_yes", "distance"):
        assert again[name] == pytest.approx(outcome.evaluations["test"][name], rel=1e-5)
    np.savez(tmp_path / "rows.npz", features=np.array([[0, 1], [7, 2]]))
    with pytest.raises(DataError, match="the code 7, which the model does not know: it was trai"):
        predict(outcome.run_id, str(tmp_path / "rows.npz"), tmp_path / "out.csv", results=results)
