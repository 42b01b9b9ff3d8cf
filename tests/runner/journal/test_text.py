"""Text from a file to a model that takes text."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.commands.restore import restore
from runner.config.compose import compose
from runner.data.prepare import load, prepare

KIND, UNKIND = ("good", "fine", "great"), ("bad", "poor", "dull")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """200 texts of four words, and one word of its own in each."""
    random = np.random.default_rng(0)
    path = tmp_path / "texts.jsonl"
    rows = []
    for i in range(200):
        words = random.choice(KIND if i % 2 else UNKIND, 4)
        rows.append({"text": f"{' '.join(words)} only{i}", "label": i % 2})
    path.write_text("\n".join(json.dumps(row) for row in rows), encoding="utf-8")
    return path


def overrides(file: Path) -> list[str]:
    return ["dataset=text", f"dataset.path={file}", "preprocessing=[vectorize]"]


@pytest.mark.slow
def test_the_vocabulary_is_that_of_train(file: Path) -> None:
    config, _ = compose(overrides(file))
    data = prepare(load(config), config)
    assert data.preprocessing is not None
    config_of = data.preprocessing.get_config()["layers"]
    [words] = [one["config"]["vocabulary"] for one in config_of if "vocabulary" in one["config"]]
    known = {int(word.removeprefix("only")) for word in words if word.startswith("only")}
    assert len(known) == len(data.splits.train[1]) == 120
    # What val and test have of their own is unknown, and unknown is 1.
    for features, _ in (data.splits.val, data.splits.test):
        assert (features[:, 4] == 1).all()
        assert features.dtype == "int32"


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["fast", "keras"])
def test_a_restored_model_takes_text(
    file: Path, train: Callable[..., Any], results: Path, tmp_path: Path, engine: str
) -> None:
    import keras
    import tensorflow as tf

    options = ["architecture=embed", "epochs=8", "optimizer.learning_rate=0.03"]
    outcome = train(*overrides(file), *options, f"engine={engine}")
    assert outcome.evaluations["test"]["accuracy"] > 0.95
    restore(outcome.run_id, tmp_path / "model.keras", results)
    model = keras.models.load_model(tmp_path / "model.keras")
    said = np.asarray(model(tf.constant(["great, and never heard before", "DULL! poor"])))
    assert said[0, 0] > 0.5 > said[1, 0]
