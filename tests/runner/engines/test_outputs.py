"""What a run records of its outputs, layers and tensors: through training, on real data."""

from __future__ import annotations

import itertools
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import duckdb
import numpy as np
import pytest

import runner
import warehouse
from runner.components.types import Splits, Stream, Task
from runner.engines.outputs import evaluations_of, outputs_of
from runner.journal.records import Evaluation
from runner.model.files import graph_of
from runner.model.layers import Layer, layers_of, owners_of
from runner.record.drawing import draw
from runner.record.predictions import table_of, to_parquet

CLOSE = 1e-6
Ask = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Runs of a classification, a binary task and a regression, their predictions kept."""
    folder = tmp_path_factory.mktemp("judged") / "results"
    shared = [f"results={folder}", "preprocessing=[standardize]", "epochs=2"]
    runs = {
        "wine": runner.run(["dataset=wine", "keep_predictions=both", "checkpoint=1", *shared]),
        "breast_cancer": runner.run(["dataset=breast_cancer", "keep_predictions=test", *shared]),
        "diabetes": runner.run(["dataset=diabetes", "keep_predictions=both", *shared]),
        "plain": runner.run(["dataset=iris", "evaluate=plain", *shared]),
    }
    return runs | {"results": folder}


@pytest.fixture(scope="module")
def rows(trained: dict[str, Any]) -> Ask:
    """Asks the warehouse that holds the runs."""

    def rows(query: str, *values: Any) -> list[tuple[Any, ...]]:
        with warehouse.connect(trained["results"]) as con:
            return con.execute(query, list(values)).fetchall()

    return rows


def kept(rows: Ask, run_id: str, split: str) -> tuple[Any, Any]:
    """Targets and outputs of a split as the warehouse has them."""
    found = rows(
        "SELECT target, outputs FROM predictions WHERE run_id = ? AND split = ? ORDER BY row",
        run_id,
        split,
    )
    return np.array([row[0] for row in found]), np.array([row[1] for row in found], np.float64)


def said(rows: Ask, run_id: str, split: str) -> dict[str, float]:
    query = "SELECT name, value FROM evaluations WHERE run_id = ? AND split = ?"
    return dict(rows(query, run_id, split))


@pytest.mark.slow
@pytest.mark.parametrize("split", ["val", "test"])
def test_a_classifications_evaluations_are_scikit_learns_on_its_predictions(
    trained: dict[str, Any], rows: Ask, split: str
) -> None:
    from sklearn import metrics as sk

    run_id = trained["wine"].run_id
    targets, outputs = kept(rows, run_id, split)
    predicted, found = outputs.argmax(axis=1), said(rows, run_id, split)
    expected = {
        "accuracy": sk.accuracy_score(targets, predicted),
        "f1_macro": sk.f1_score(targets, predicted, average="macro"),
        "precision_weighted": sk.precision_score(targets, predicted, average="weighted"),
        "recall[class_1]": sk.recall_score(targets, predicted, labels=[1], average="macro"),
        "roc_auc": np.mean([sk.roc_auc_score(targets == i, outputs[:, i]) for i in range(3)]),
        "pr_auc": sk.average_precision_score(np.eye(3)[targets.astype(int)], outputs),
        "log_loss": -np.log(outputs[np.arange(len(targets)), targets.astype(int)]).mean(),
    }
    confidence, right = outputs.max(axis=1), predicted == targets
    place = np.minimum(np.ceil(confidence * 10).astype(int) - 1, 9)
    expected["calibration_error"] = sum(
        abs(confidence[place == i].sum() - right[place == i].sum()) for i in range(10)
    ) / len(targets)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=CLOSE)
    matrix = sk.confusion_matrix(targets, predicted)
    counted = rows(
        "SELECT actual, predicted, rows FROM confusion WHERE run_id = ? AND split = ?",
        run_id,
        split,
    )
    assert sum(n for _, _, n in counted) == len(targets)
    for actual, taken_for, n in counted:
        assert matrix[int(actual[-1]), int(taken_for[-1])] == n


def test_the_roc_points_of_a_binary_run_are_scikit_learns(
    trained: dict[str, Any], rows: Ask
) -> None:
    from sklearn.metrics import roc_auc_score, roc_curve

    run_id = trained["breast_cancer"].run_id
    targets, outputs = kept(rows, run_id, "test")
    points = rows(
        "SELECT x, y FROM curves_points WHERE run_id = ? AND split = 'test' AND curve = 'roc' "
        "AND class = 'benign' ORDER BY point",
        run_id,
    )
    false, true, _ = roc_curve(targets, outputs[:, 0])
    assert np.array(points) == pytest.approx(np.column_stack([false, true]), abs=CLOSE)
    area = said(rows, run_id, "test")["roc_auc"]
    assert area == pytest.approx(roc_auc_score(targets, outputs[:, 0]), abs=CLOSE)
    assert kept(rows, run_id, "val")[0].size == 0  # it was not asked to keep them


def test_a_regressions_evaluations_are_scikit_learns(trained: dict[str, Any], rows: Ask) -> None:
    from sklearn import metrics as sk

    run_id = trained["diabetes"].run_id
    targets, outputs = kept(rows, run_id, "test")
    found = said(rows, run_id, "test")
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(targets, outputs), rel=CLOSE)
    assert found["r2"] == pytest.approx(sk.r2_score(targets, outputs), rel=CLOSE)
    [(worst,)] = rows(
        "SELECT max(error) FROM predictions WHERE run_id = ? AND split = 'test'", run_id
    )
    assert worst == pytest.approx(sk.max_error(targets, outputs[:, 0]), rel=CLOSE)


def test_plain_evaluation_records_keras_metrics_alone(trained: dict[str, Any], rows: Ask) -> None:
    run_id = trained["plain"].run_id
    assert set(said(rows, run_id, "test")) == {"loss", "accuracy"}
    assert rows("SELECT count(*) FROM confusion WHERE run_id = ?", run_id) == [(0,)]
    assert rows("SELECT count(*) FROM predictions WHERE run_id = ?", run_id) == [(0,)]


def job_of(task: Task, val: Any, test: Any = None) -> Any:
    """As much of a job as judging looks at."""
    settings = SimpleNamespace(evaluate="full", keep_predictions=None)
    return SimpleNamespace(
        start=SimpleNamespace(run_id="r"),
        config=SimpleNamespace(settings=settings),
        data=SimpleNamespace(splits=Splits(val, val, test, task)),
    )


TARGETS, OUTPUTS = np.array([0, 1, 1]), np.array([[0.1], [0.8], [0.3]])


def answer(part: Any) -> Any:
    """Outputs for rows that are numbers of rows."""
    return OUTPUTS[part[0][:, 0]]


def test_a_metric_that_keras_computed_keeps_its_value() -> None:
    job = job_of(Task.binary(), (np.arange(3)[:, None], TARGETS))
    [event, *_] = evaluations_of(job, lambda part: {"loss": 1, "recall": 0.25}, answer)
    assert isinstance(event, Evaluation)
    assert list(event.metrics)[:2] == ["loss", "recall"]
    assert event.metrics["recall"] == 0.25
    assert event.metrics["accuracy"] == pytest.approx(2 / 3)


def test_small_parts_streams_and_large_parts_are_judged_alike(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rows = np.arange(3)[:, None]
    val, test = (rows, TARGETS), (rows[:2], TARGETS[:2])
    blocks = [(rows[:2], TARGETS[:2]), (rows[2:], TARGETS[2:])]
    stream = Stream(3, (rows, TARGETS), lambda generator: iter(blocks))
    together = list(
        evaluations_of(job_of(Task.binary(), val, test), lambda _: {"loss": 1}, answer)
    )
    assert {event.split for event in together} == {"val", "test"}  # type: ignore[union-attr]
    streamed = list(
        evaluations_of(job_of(Task.binary(), stream, test), lambda _: {"loss": 1}, answer)
    )
    monkeypatch.setattr("runner.engines.outputs.ELEMENTS", 1)
    alone = list(evaluations_of(job_of(Task.binary(), val, test), lambda _: {"loss": 1}, answer))
    assert together == streamed == alone


def test_a_part_with_too_many_outputs_is_left_to_keras(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runner.engines.outputs.LARGEST", 2)
    job = job_of(Task.binary(), (np.zeros((3, 2)), np.zeros(3)))
    with pytest.warns(UserWarning, match="val has 3 rows of 1 outputs"):
        [event] = evaluations_of(job, lambda _: {"loss": 1}, lambda _: pytest.fail("asked"))
    assert event == Evaluation("r", "val", {"loss": 1.0})


def test_tensors_of_all_kept_weights_are_described(trained: dict[str, Any], rows: Ask) -> None:
    from safetensors.numpy import load_file

    run_id, results = trained["wine"].run_id, trained["results"]
    [(uri,)] = rows("SELECT uri FROM weights WHERE run_id = ? AND role = 'best'", run_id)
    stored = load_file(results / uri)
    described = rows(
        "SELECT t.layer, t.name, t.shape, t.parameters, t.mean, t.std, t.l2 FROM tensors AS t "
        "JOIN weights AS w USING (weights_id) WHERE w.run_id = ? AND w.role = 'best'",
        run_id,
    )
    assert sum(row[3] for row in described) == sum(t.size for t in stored.values())
    head = next(row for row in described if row[:2] == ("head", "kernel"))
    kernel = next(t for name, t in stored.items() if name.endswith("head/kernel"))
    assert head[2] == list(kernel.shape)
    expected = [kernel.mean(), kernel.std(), np.linalg.norm(kernel)]
    assert list(head[4:]) == pytest.approx(expected, rel=1e-5)
    epochs = rows(
        "SELECT DISTINCT w.epoch, t.layer FROM tensors AS t JOIN weights AS w USING (weights_id) "
        "WHERE w.run_id = ? AND w.role = 'checkpoint' AND t.layer = 'head' ORDER BY ALL",
        run_id,
    )
    assert epochs == [(1, "head"), (2, "head")]


def test_layers_are_rows_from_the_raw_input_to_the_probabilities(
    trained: dict[str, Any], rows: Ask
) -> None:
    found = rows(
        "SELECT name, class, output_shape, parameters, inputs FROM layers WHERE run_id = ? "
        "ORDER BY position",
        trained["wine"].run_id,
    )
    assert found[0][1:4] == ("InputLayer", [13], 0)
    assert found[1][0].startswith("preprocessing/")
    assert found[-1][:3] == ("probabilities", "Activation", [3])
    for (name, *_), (*_, inputs) in itertools.pairwise(found):
        assert inputs == [name]
    sized = rows(
        "SELECT l.run_id, l.name, l.parameters, sum(t.parameters) FROM layers AS l "
        "JOIN tensors AS t ON t.run_id = l.run_id AND t.layer = l.name "
        "JOIN weights AS w USING (weights_id) "
        "WHERE w.role = 'best' GROUP BY ALL"
    )
    assert sized and all(count == total for *_, count, total in sized)


def test_the_picture_is_well_formed_and_shows_every_layer(
    trained: dict[str, Any], rows: Ask
) -> None:
    run_id = trained["wine"].run_id
    [(uri,)] = rows("SELECT uri FROM artifacts WHERE run_id = ? AND kind = 'picture'", run_id)
    text = (trained["results"] / uri).read_text()
    root = ElementTree.fromstring(text)
    words = [node.text for node in root.iter("{http://www.w3.org/2000/svg}text")]
    for (name,) in rows("SELECT name FROM layers WHERE run_id = ?", run_id):
        assert name in words
    assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_a_graph_with_a_skip_and_a_nested_model_is_drawn_and_named() -> None:
    import keras

    inner_input = keras.Input((4,), name="x")
    inner = keras.Model(inner_input, keras.layers.Dense(4, name="deep")(inner_input), name="inner")
    first = keras.Input((4,), name="first")
    added = keras.layers.Add(name="added")([first, inner(first)])
    twice = keras.layers.Dense(2, name="last")(added)
    model = keras.Model(first, twice, name="whole")
    layers = layers_of(model, "whole", graph_of(model))
    assert [(layer.name, list(layer.inputs)) for layer in layers] == [
        ("first", []),
        ("inner/deep", ["first"]),
        ("added", ["first", "inner/deep"]),
        ("last", ["added"]),
    ]
    assert sorted(owners_of(model, "whole").values()) == [
        ("inner/deep", "bias"),
        ("inner/deep", "kernel"),
        ("last", "bias"),
        ("last", "kernel"),
    ]
    assert ElementTree.fromstring(draw(layers)).attrib["width"] > "400"
    assert draw(layers) == draw(layers_of(model, "whole", graph_of(model)))


def test_predictions_say_which_row_of_the_data_they_are_of(
    trained: dict[str, Any], rows: Ask
) -> None:
    from sklearn.datasets import load_wine

    query = "SELECT split, key, target FROM predictions WHERE run_id = ?"
    found = rows(query, trained["wine"].run_id)
    assert len({key for _, key, _ in found}) == len(found) > 60
    assert all(load_wine().target[int(key)] == target for _, key, target in found)


def test_a_class_whose_name_is_not_utf_8_has_its_rows() -> None:
    task = Task.binary(("a\udcff", "b"))
    table = table_of(task, "val", np.array([0, 1]), np.array([[0.1], [0.9]]))
    con = duckdb.connect()
    with tempfile.NamedTemporaryFile(suffix=".parquet") as file:
        file.write(to_parquet([table]))
        file.flush()
        said = con.execute(f"SELECT target_name FROM '{file.name}'").fetchall()
    assert said == [("a\\xff",), ("b",)]


def test_a_name_that_xml_cannot_hold_is_drawn_as_escapes() -> None:
    names = ["a\x00b\x1b[31m", "<b>&\ud800", "\uffff\u202egnp"]
    drawn = draw([Layer(name, "Dense\x07", (2,), 1, (), "{}") for name in names])
    words = [node.text for node in ElementTree.fromstring(drawn.encode()).iter() if node.text]
    assert "a\\x00b\\x1b[31m" in words and "<b>&\\ud800" in words and "Dense\\x07" in words


def test_units_whose_weights_are_all_zero_are_dead(tmp_path: Path) -> None:
    from runner.record.tensor_stats import figures_of

    kernel = np.array([[0, 1], [0, 2], [0, 0]], np.float32)
    said = figures_of("r", "w", {"k": kernel, "slot": kernel}, {"k": ("dense", "kernel")})
    assert (said.dead_units, said.zero_share, said.shape) == (
        [1],
        [pytest.approx(4 / 6)],
        [[3, 2]],
    )


@pytest.mark.parametrize(("limit", "numbers", "size"), [("ELEMENTS", 21, 7), ("INNER", 50, 5)])
def test_outputs_in_pieces_are_those_of_the_whole(
    limit: str, numbers: int, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    pieces = []

    class Watched(keras.layers.Layer):  # type: ignore[misc]
        def call(self, rows: Any) -> Any:
            pieces.append(rows.shape[0])
            return rows

    model = keras.Sequential(
        [keras.Input((3,)), Watched(), keras.layers.Dense(10), keras.layers.Dense(2)]
    )
    features = np.random.default_rng(0).random((50, 3)).astype("float32")
    whole = outputs_of(model, features, 8)
    assert pieces.pop() == 50
    pieces.clear()
    monkeypatch.setattr(f"runner.engines.outputs.{limit}", numbers)
    assert outputs_of(model, features, 4) == pytest.approx(whole, abs=CLOSE)
    assert set(pieces[:-1]) == {size} and sum(pieces) == 50
