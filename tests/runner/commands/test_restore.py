"""A trained model given back: bit for bit, with its preprocessing, or not at all."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import warehouse
from runner.commands.restore import restore
from runner.config.compose import compose
from runner.data.prepare import load, prepare
from runner.errors import ConfigError, WarehouseError
from runner.journal import weights
from tests.conftest import Site

Twins = tuple[Any, Any, Path]


@pytest.fixture(scope="module")
def model(twins: Twins, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The first twin's model, as a user would load it."""
    import keras

    file = tmp_path_factory.mktemp("restored") / "model.keras"
    assert restore(twins[0].run_id, file, twins[2]) == file
    return keras.models.load_model(file)


def test_the_weights_are_those_that_were_stored_bit_for_bit(twins: Twins, model: Any) -> None:
    outcome, _, results = twins
    assert outcome.weights is not None
    uri = outcome.weights.relative_to(results).as_posix()
    stored = weights.load(results, uri, outcome.weights.stem)
    found = sorted(weight.numpy().tobytes() for weight in model.weights)
    assert found == sorted(tensor.tobytes() for tensor in stored.values())
    assert len(found) > 4


def test_the_model_takes_raw_rows_and_scores_as_the_evaluation_says(
    twins: Twins, model: Any
) -> None:
    raw, _ = compose(["dataset=wine", "preprocessing=[]"])
    test = prepare(load(raw), raw).splits.test
    assert test is not None
    features, targets = test
    assert np.abs(features).max() > 100  # wine's proline, before anything scales it
    guesses = np.asarray(model(features)).argmax(axis=1)
    said = twins[0].evaluations["test"]["accuracy"]
    assert (guesses == targets).mean() == pytest.approx(said)


def test_either_end_of_the_id_will_do(twins: Twins, tmp_path: Path) -> None:
    _, other, results = twins
    assert restore(other.run_id[-8:], tmp_path / "tail.keras", results).is_file()


def test_an_unknown_run_is_refused(twins: Twins, tmp_path: Path) -> None:
    with pytest.raises(WarehouseError, match="there is no run 'zzzz'"):
        restore("zzzz", tmp_path / "model.keras", twins[2])
    assert list(tmp_path.iterdir()) == []


def test_an_ambiguous_id_is_refused_with_the_runs_it_may_mean(
    twins: Twins, tmp_path: Path
) -> None:
    one, other, results = twins
    shared = one.run_id[:4]
    assert other.run_id.startswith(shared)
    with pytest.raises(WarehouseError, match=shared) as refused:
        restore(shared, tmp_path / "model.keras", results)
    assert one.run_id in str(refused.value)
    assert other.run_id in str(refused.value)


@pytest.mark.parametrize("role", ["best", "graph"])
def test_altered_files_are_refused(twins: Twins, tmp_path: Path, role: str) -> None:
    copy = tmp_path / "results"
    shutil.copytree(twins[2], copy)
    with warehouse.connect(copy) as connection:
        [(uri,)] = connection.execute(
            "SELECT DISTINCT uri FROM weights WHERE role = ?", [role]
        ).fetchall()
    content = bytearray((copy / uri).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / uri).write_bytes(content)
    with pytest.raises(WarehouseError, match="is not what was stored"):
        restore(twins[0].run_id, tmp_path / "model.keras", copy)
    assert not (tmp_path / "model.keras").exists()


@pytest.mark.parametrize(
    ("to", "sentence"),
    [("model.h5", r"h5 is not valid.*\.keras"), ("file/m.keras", "there is no folder")],
)
def test_a_target_that_cannot_be_written_is_refused(
    twins: Twins, tmp_path: Path, to: str, sentence: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match=sentence):
        restore(twins[0].run_id, tmp_path / to, twins[2])


@pytest.mark.slow
def test_a_run_that_kept_nothing_has_nothing_to_restore(
    site: Site, train: Callable[..., Any], results: Path, tmp_path: Path
) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def broken(outputs):
            '''Raises.'''
            raise RuntimeError("no such layer")
        """
    )
    outcome = train("dataset=iris", "architecture=broken")
    assert (outcome.status, outcome.error) == ("failed", "RuntimeError: no such layer")
    with pytest.raises(WarehouseError, match="has no weights: it ended before it kept any"):
        restore(outcome.run_id, tmp_path / "model.keras", results)


@pytest.mark.slow
def test_a_model_that_is_code_is_built_again_from_its_config(
    site: Site, train: Callable[..., Any], results: Path, tmp_path: Path
) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def own_code(outputs, *, width: int = 4):
            '''A subclassed model.'''
            import keras
            class Own(keras.Model):
                def __init__(self):
                    super().__init__()
                    self.inner = keras.layers.Dense(width, activation="relu")
                    self.outer = keras.layers.Dense(outputs)
                def call(self, x):
                    return self.outer(self.inner(x))
            return Own()
        """
    )
    outcome = train("dataset=iris", "architecture=own_code", "regularizer=[]", "epochs=1")
    assert outcome.status == "finished"
    from runner.sweep.earlier import model_of

    model = model_of(outcome.run_id, results)
    stored = weights.load(
        results, outcome.weights.relative_to(results).as_posix(), outcome.weights.stem
    )
    found = sorted(weight.numpy().tobytes() for weight in model.weights)
    assert found == sorted(tensor.tobytes() for tensor in stored.values())


@pytest.mark.slow
def test_layers_that_wrap_others_come_back(
    site: Site, train: Callable[..., Any], results: Path
) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def both_ways(input_shape, outputs):
            '''Two bidirectional layers.'''
            import keras
            layers = keras.layers
            return keras.Sequential([
                keras.Input(input_shape),
                layers.Reshape((2, 2)),
                layers.Bidirectional(layers.GRU(2, return_sequences=True)),
                layers.Bidirectional(layers.GRU(3)),
                layers.Dense(outputs),
            ])
        """
    )
    outcome = train(
        "dataset=iris", "architecture=both_ways", "regularizer=[]", "epochs=1", "limit_batches=1"
    )
    from runner.sweep.earlier import model_of

    model = model_of(outcome.run_id, results)
    stored = weights.load(
        results, outcome.weights.relative_to(results).as_posix(), outcome.weights.stem
    )
    found = {weight.path: weight.numpy().tobytes() for weight in model.weights}
    assert sorted(found.values()) == sorted(tensor.tobytes() for tensor in stored.values())
    for path, content in found.items():
        assert any(
            name.endswith(path) and tensor.tobytes() == content for name, tensor in stored.items()
        )


@pytest.mark.slow
def test_the_restored_file_needs_neither_runner_nor_plugins(
    train: Callable[..., Any], results: Path, tmp_path: Path
) -> None:
    """Also with preprocessing and with metrics that only our plugins have."""
    outcome = train(
        "dataset=breast_cancer", "preprocessing=[standardize]", "metrics=[auc]", "epochs=1"
    )
    restore(outcome.run_id, tmp_path / "model.keras", results)
    code = (
        "import sys, keras, numpy\n"
        f"model = keras.models.load_model({str(tmp_path / 'model.keras')!r})\n"
        "print(model(numpy.zeros((1, 30), 'float32')).shape)\n"
        "assert not [name for name in sys.modules if name.startswith('runner')]\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "(1, 1)" in done.stdout
