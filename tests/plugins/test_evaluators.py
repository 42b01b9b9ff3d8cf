"""Built-in evaluators on outputs that are known, and on a small network."""

from __future__ import annotations

import base64
import re
import zlib
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from runner import DataError, Findings, SplitRows, Task

TASK = Task.classification(3, ("ant", "bee", "cow"))
TARGETS = np.array([0, 1, 2, 0, 1, 2])
OUTPUTS = np.array(
    [[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.1, 0.3, 0.6], [0.1, 0.85, 0.05], [0.3, 0.6, 0.1],
     [0.2, 0.2, 0.6]]
)  # fmt: skip
TABLE = {"age": np.arange(6.0), "sex": np.array(["f", "m", "f", "m", "f", ""], dtype=object)}


def held(features: Any, targets: Any = TARGETS, **more: Any) -> dict[str, SplitRows]:
    return {"train": SplitRows(features, targets), "test": SplitRows(features, targets, **more)}


def pictures_of(svg: str) -> int:
    """The number of pictures in a figure, which is sound XML."""
    root = ElementTree.fromstring(svg)
    return sum(1 for node in root.iter() if node.tag.endswith("image"))


def pixels_of(png: bytes, side: int) -> Any:
    """The colours of a square PNG as we write it, (side, side, 3)."""
    at = png.index(b"IDAT")
    length = int.from_bytes(png[at - 4 : at], "big")
    rows = np.frombuffer(zlib.decompress(png[at + 4 : at + 4 + length]), np.uint8)
    return rows.reshape(side, -1)[:, 1:].reshape(side, side, 3)


def test_calibration_is_the_distance_of_probability_and_share(make: Any) -> None:
    found = make(
        "evaluator", "calibration", splits=held(TABLE), task=TASK, outputs={"test": OUTPUTS}
    )
    probability = OUTPUTS.max(axis=1)
    right = OUTPUTS.argmax(axis=1) == TARGETS
    bins = (probability * 10).astype(int)
    apart = [abs(probability[bins == b].mean() - right[bins == b].mean()) for b in set(bins)]
    share = [np.mean(bins == b) for b in set(bins)]
    assert found.metrics["test"]["error"] == pytest.approx(np.dot(apart, share))
    assert found.metrics["test"]["max_error"] == pytest.approx(max(apart))
    assert sum(found.tables["test_bins"]["rows"]) == 6
    assert "calibration, test" in found.figures["test"]


@pytest.mark.parametrize("name", ["calibration", "roc"])
def test_of_a_regression_there_is_none(make: Any, name: str) -> None:
    with pytest.raises(DataError, match="a regression gives none"):
        make("evaluator", name, splits=held(TABLE), task=Task.regression(), outputs={})


def test_roc_draws_every_class_with_its_area(make: Any) -> None:
    found = make("evaluator", "roc", splits=held(TABLE), task=TASK, outputs={"test": OUTPUTS})
    areas = {
        name: float(value)
        for name, value in re.findall(r"(\w+) \((\d\.\d+)\)", found.figures["test"])
    }
    assert set(areas) == {"ant", "bee", "cow"} and areas["cow"] == 1
    assert found.metrics["test"]["auc"] == pytest.approx(np.mean(list(areas.values())), abs=1e-3)
    assert set(found.tables["test_points"]["curve"]) == {"roc", "pr"}


@pytest.mark.parametrize(
    ("features", "pictures", "says"),
    [
        (np.random.default_rng(0).random((6, 4, 5, 1)), 2, ""),
        (np.random.default_rng(0).random((6, 4, 5, 3)), 2, ""),
        (np.array(["1", "2", "3", "four <&>", "5", "6"], dtype=object), 0, "&lt;&amp;"),
        (TABLE, 0, "sex: m"),
        (np.ones((6, 2)), 0, "feature_1: 1.0"),
    ],
    ids=["grey", "colour", "text", "table", "array"],
)  # fmt: skip
def test_worst_examples_are_the_most_wrong_whatever_the_rows_are(
    make: Any, features: Any, pictures: int, says: str
) -> None:
    splits = held(features, keys=np.arange(10, 16))
    outputs = {"test": OUTPUTS}
    found = make("evaluator", "worst_examples", splits=splits, task=TASK, outputs=outputs, rows=2)
    table = found.tables["test"]
    assert table["row"].tolist() == [13, 12] or table["row"].tolist() == [13, 14]
    assert table["target"][0] == "ant" and table["predicted"][0] == "bee"
    assert pictures_of(found.figures["test"]) == pictures and says in found.figures["test"]


def test_slices_have_the_metrics_of_each_value(make: Any) -> None:
    splits = held(TABLE, columns={"city": np.array([1, 1, 1, 2, 2, 2])})
    offers = {"splits": splits, "task": TASK, "outputs": {"test": OUTPUTS}}
    found = make("evaluator", "slices", **offers, column="sex")
    assert found.tables["test"]["sex"] == ["f", "m", "(missing)"]
    assert found.tables["test"]["rows"] == [3, 2, 1]
    assert found.metrics["test"]["accuracy[sex=m]"] == 0.5
    assert (found.metrics["test"]["worst"], found.metrics["test"]["gap"]) == (0.5, 0.5)
    assert make("evaluator", "slices", **offers, column="city").tables["test"]["city"] == [
        "1",
        "2",
    ]
    quarters = make("evaluator", "slices", **offers, column="age", values=3).tables["test"]
    assert quarters["age"][0] == "0 to 1.25" and sum(quarters["rows"]) == 6
    with pytest.raises(DataError, match="no column 'sx' with a value a row: did you mean 'sex'"):
        make("evaluator", "slices", **offers, column="sx")


def test_a_column_that_decides_is_important_and_others_are_not(make: Any) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(200, 2))
    targets = (rows[:, 1] > 0).astype(int)
    splits = {"val": SplitRows(rows, targets, feature_names=("noise", "signal"))}

    def predict(features: Any) -> Any:
        return (features[:, 1:] > 0).astype(float)

    offers = {"predict": predict, "splits": splits, "task": Task.binary(), "seed": 0}
    found: Findings = make("evaluator", "permutation_importance", **offers)
    metrics = found.metrics["val"]
    assert metrics["importance[signal]"] > 0.3 and metrics["importance[noise]"] == 0
    with pytest.raises(DataError, match="more than columns=1 of permutation_importance"):
        make("evaluator", "permutation_importance", **offers, columns=1)
    splits["val"] = SplitRows(np.zeros((4, 2, 2)), np.zeros(4))
    with pytest.raises(DataError, match="have no columns"):
        make("evaluator", "permutation_importance", **offers)


@pytest.fixture(scope="module")
def network() -> tuple[Any, dict[str, SplitRows], Any]:
    """A convolution that finds upright and flat strokes, nested in another model; pictures.

    The upright stroke is always on the left, the flat one on the right; the brighter one counts.
    """
    import keras

    flat = np.random.default_rng(0).integers(0, 2, 20)
    pictures = np.zeros((20, 10, 10, 1), "float32")
    for row, is_flat in enumerate(flat):
        pictures[row, 1:9, 1] = 0.5 if is_flat else 1
        pictures[row, 5, 4:10] = 1 if is_flat else 0.5
    layer = keras.layers.Conv2D(2, 3, padding="same", activation="relu", name="maps")
    inner = keras.Sequential([keras.Input((10, 10, 1)), layer])
    given = keras.Input((10, 10, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(inner(given))
    model = keras.Model(given, keras.layers.Dense(2, "softmax", name="head")(pooled))
    upright = np.array([[-1, 1, -1]] * 3, "float32")
    kernel = np.stack([upright, upright.T], axis=-1)[:, :, None, :]
    layer.set_weights([kernel, np.zeros(2)])
    model.get_layer("head").set_weights([np.eye(2) * 3, np.zeros(2)])
    return model, {"val": SplitRows(pictures, flat)}, lambda x: np.asarray(model(x))


def test_gradcam_points_at_what_speaks_for_the_class(make: Any, network: Any) -> None:
    model, splits, predict = network
    offers = {"model": model, "predict": predict, "splits": splits, "seed": 0}
    task = Task.classification(2, ("upright", "flat"))
    found = make("evaluator", "gradcam", **offers, task=task)
    assert pictures_of(found.figures["val"]) == 16
    assert "what speaks for the prediction, maps, val" in found.figures["val"]
    assert "call" not in vars(model.layers[1].layers[-1])
    rights = []
    for data in re.findall(r"base64,([^\"]+)", found.figures["val"]):
        red, green, _ = np.moveaxis(pixels_of(base64.b64decode(data), 10).astype(int), -1, 0)
        heat = red - green
        rights.append(heat[:, 4:].sum() > heat[:, :4].sum())
    # The first 16 rows are drawn of 20, in their order.
    said = re.findall(r"taken for (\w+)", found.figures["val"])
    assert rights == [name == "flat" for name in said] and set(said) == {"upright", "flat"}
    with pytest.raises(DataError, match="the rows are none"):
        make("evaluator", "gradcam", **{**offers, "splits": held(TABLE)}, task=task)


@pytest.mark.parametrize("method", ["pca", "tsne"])
def test_an_embedding_is_a_layer_in_two_dimensions(make: Any, network: Any, method: str) -> None:
    model, splits, predict = network
    offers = {"model": model, "predict": predict, "splits": splits, "seed": 0}
    task = Task.classification(2)
    found = make("evaluator", "embedding", **offers, task=task, layer="maps", method=method)
    table = found.tables["val"]
    assert len(table["x"]) == 20 and np.isfinite(table["y"]).all()
    if method == "pca":  # two kinds of pictures are two points
        assert len(np.unique(np.round(table["x"], 4))) == 2
    with pytest.raises(Exception, match="no layer 'mapz': did you mean 'maps'"):
        make("evaluator", "embedding", **offers, task=task, layer="mapz")
