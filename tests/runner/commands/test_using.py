"""Using what was trained: exported, asked about new rows, judged on other data."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

import runner
import warehouse
from runner.commands.evaluation import evaluate
from runner.commands.export import export
from runner.commands.prediction import predict
from runner.config.compose import compose
from runner.data.prepare import load
from runner.errors import ConfigError, DataError, WarehouseError
from runner.sweep.earlier import model_of
from tests import servers
from tests.conftest import Site

COLUMNS = [f"x{i}" for i in range(4)]


class Shop:
    """A trained run on iris, its rows as files, and its model."""

    def __init__(self, folder: Path) -> None:
        self.results = folder / "results"
        self.folder = folder
        config, _ = compose(["dataset=iris"])
        data: Any = load(config)
        self.features, self.targets = data.features, data.targets
        self.names = data.task.names
        self.run_id = runner.run(
            [
                "dataset=iris",
                "preprocessing=[standardize]",
                "epochs=3",
                f"results={self.results}",
            ]
        ).run_id
        self.csv = folder / "iris.csv"
        with self.csv.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["id", *COLUMNS])
            for number, row in enumerate(self.features):
                writer.writerow([f"flower {number}", *row])
        self.model = model_of(self.run_id, self.results)
        self.outputs = np.asarray(self.model(self.features))

    def predict(self, source: Path | str, to: str = "said.parquet", **more: Any) -> list[Any]:
        """The rows of the file that `predict` writes."""
        file = self.folder / to
        predict(self.run_id, str(source), file, results=self.results, **more)
        return duckdb.sql(f"FROM '{file}' ORDER BY row").fetchall()


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return Shop(tmp_path_factory.mktemp("shop"))


def same(said: list[Any], shop: Shop, first: int = 2) -> bool:
    """Whether the probabilities of each row are the model's."""
    return np.allclose([row[first:] for row in said], shop.outputs, atol=1e-6)


# Export


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.slow
def test_keras_files_give_the_model_back(shop: Shop, tmp_path: Path, name: str) -> None:
    import keras

    export(shop.run_id, tmp_path / name, results=shop.results)
    model = keras.models.load_model(tmp_path / name, compile=False)
    assert np.asarray(model(shop.features)) == pytest.approx(shop.outputs)


def test_a_folder_is_a_saved_model(shop: Shop, tmp_path: Path) -> None:
    import tensorflow as tf

    export(shop.run_id, tmp_path / "saved", results=shop.results)
    loaded = tf.saved_model.load(str(tmp_path / "saved"))
    served = loaded.serve(shop.features)
    assert np.asarray(served) == pytest.approx(shop.outputs, abs=1e-6)


@pytest.mark.filterwarnings("ignore:.*tf.lite.Interpreter is deprecated")
def test_tflite_says_the_same(shop: Shop, tmp_path: Path) -> None:
    import tensorflow as tf

    export(shop.run_id, tmp_path / "model.tflite", results=shop.results)
    interpreter = tf.lite.Interpreter(str(tmp_path / "model.tflite"))
    interpreter.allocate_tensors()
    [given], [said] = interpreter.get_input_details(), interpreter.get_output_details()
    for row, expected in zip(shop.features[::50], shop.outputs[::50], strict=True):
        interpreter.set_tensor(given["index"], row[None])
        interpreter.invoke()
        assert interpreter.get_tensor(said["index"])[0] == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_recurrent_layers_go_into_tflite_too(
    site: Site, train: Callable[..., Any], results: Path, tmp_path: Path
) -> None:
    site.install(
        """
        from runner import architecture

        @architecture
        def steps(input_shape, outputs):
            '''A recurrent layer.'''
            import keras
            layers = keras.layers
            return keras.Sequential([
                keras.Input(input_shape),
                layers.Reshape((2, 2)),
                layers.LSTM(2),
                layers.Dense(outputs),
            ])
        """
    )
    run_id = train("dataset=iris", "architecture=steps", "regularizer=[]", "epochs=1").run_id
    export(run_id, tmp_path / "model.tflite", results=results)
    assert (tmp_path / "model.tflite").read_bytes()[4:8] == b"TFL3"


def test_safetensors_and_csv_are_the_stored_tensors(shop: Shop, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    export(shop.run_id, tmp_path / "w.safetensors", results=shop.results)
    stored = load_file(tmp_path / "w.safetensors")
    export(shop.run_id, tmp_path / "csv", "csv", results=shop.results)
    with (tmp_path / "csv" / "tensors.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    assert {row["tensor"] for row in listed} == set(stored)
    for row in listed:
        table = np.loadtxt(tmp_path / "csv" / row["file"], delimiter=",", ndmin=1)
        shape = [int(size) for size in row["shape"].split("x") if size]
        assert (table.reshape(shape).astype(row["dtype"]) == stored[row["tensor"]]).all()


@pytest.mark.parametrize(
    ("to", "form", "sentence"),
    [
        ("model.pt", None, r"the ending \.pt names no format"),
        ("model.keras", "h5", r"end it in \.h5"),
        ("full/old.csv/m.h5", None, "there is no folder"),
        (".", None, "it is there already"),
        ("full", "csv", "it is there already"),
    ],
)
def test_a_place_that_will_not_do_is_refused(
    shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, to: str, form: Any, sentence: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "old.csv").touch()
    with pytest.raises(ConfigError, match=sentence):
        export(shop.run_id, Path(to), form, results=shop.results)


# Predict


def test_rows_of_a_csv_are_predicted_in_their_order_with_their_keys(shop: Shop) -> None:
    said = shop.predict(shop.csv, columns=COLUMNS, keep=["id"])
    assert [row[:2] for row in said[:2]] == [(0, "flower 0"), (1, "flower 1")]
    assert [row[2] for row in said] == [shop.names[i] for i in shop.outputs.argmax(axis=1)]
    assert same(said, shop, first=4)


@pytest.mark.parametrize("ending", ["parquet", "json", "duckdb", "sqlite"])
def test_every_kind_of_source_says_the_same(shop: Shop, tmp_path: Path, ending: str) -> None:
    file, query = tmp_path / f"rows.{ending}", None
    select = f"SELECT {', '.join(COLUMNS)} FROM '{shop.csv}'"
    if ending == "duckdb":
        with duckdb.connect(str(file)) as con:
            con.execute(f"CREATE TABLE flowers AS {select}; CREATE TABLE other (a INTEGER)")
        query = "FROM flowers"
    elif ending == "sqlite":
        pytest.importorskip("duckdb_extension_sqlite")
        import sqlite3

        with sqlite3.connect(file) as lite:
            lite.execute("CREATE TABLE flowers (x0 REAL, x1 REAL, x2 REAL, x3 REAL)")
            rows = shop.features.tolist()
            lite.executemany("INSERT INTO flowers VALUES (?, ?, ?, ?)", rows)
        lite.close()
    else:
        duckdb.execute(f"COPY ({select}) TO '{file}'")
    assert same(shop.predict(file, "said.csv", query=query), shop, first=3)


@pytest.mark.slow
@pytest.mark.parametrize("server", ["postgres", "mariadb"])
def test_rows_of_a_server_are_predicted(
    shop: Shop, server: str, request: pytest.FixtureRequest
) -> None:
    uri = request.getfixturevalue(server)
    with servers.writing(uri) as con:
        con.execute(
            f"CREATE TABLE server.flowers AS SELECT row_number() OVER () AS id, "
            f"{', '.join(COLUMNS)} FROM '{shop.csv}'"
        )
    query = f"SELECT {', '.join(COLUMNS)} FROM flowers ORDER BY id"
    assert same(shop.predict(uri, query=query), shop, first=3)


def test_rows_of_numpy_files_are_predicted(shop: Shop, tmp_path: Path) -> None:
    np.save(tmp_path / "rows.npy", shop.features)
    np.savez(tmp_path / "rows.npz", flowers=shop.features)
    assert same(shop.predict(tmp_path / "rows.npy"), shop, first=3)
    assert same(shop.predict(tmp_path / "rows.npz", "said.json"), shop, first=3)
    np.save(tmp_path / "wide.npy", shop.features.repeat(2, axis=1))
    with pytest.raises(DataError, match=r"rows of shape \(8,\) and the model takes \(4,\)"):
        shop.predict(tmp_path / "wide.npy")


def test_a_query_chooses_rows_and_blocks_make_no_difference(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.data.sources.rows.BLOCK", 7)
    query = "SELECT * EXCLUDE (id) FROM source WHERE x0 > 5"
    said = shop.predict(shop.csv, query=query)
    chosen = shop.outputs[shop.features[:, 0] > 5]
    assert [row[0] for row in said] == list(range(len(chosen)))
    assert np.allclose([row[3:] for row in said], chosen, atol=1e-6)


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        ({}, "takes 4 numbers a row and the source has 5 columns"),
        ({"columns": ["x0", "x1", "x2", "x_3"]}, r"a column .*'x_3' \(did you mean 'x3'\?\)"),
        ({"columns": ["x0", "x1"]}, "takes 4 numbers a row, and 2 columns are named"),
        ({"columns": [*COLUMNS[:3], "id"]}, "no number .*flower 0"),
        ({"query": "DELETE FROM source"}, "exactly one SELECT"),
        ({"query": "FROM nowhere"}, "'nowhere', which .* does not have: available: source"),
        ({"query": "FROM source WHERE false"}, "has no rows"),
        ({"source": "gone.csv"}, r"--source gone\.csv does not exist: give the path of"),
        ({"source": "rows.xlsx"}, r"give the path of a \.npy, \.npz, \.parquet, \.csv"),
        ({"source": "postgres://me:hush@host/db"}, "holds a password"),
        ({"to": "said.txt"}, r"end it in \.parquet"),
    ],
)
def test_what_cannot_be_predicted_is_one_sentence(
    shop: Shop, more: dict[str, Any], sentence: str
) -> None:
    with pytest.raises((ConfigError, DataError), match=sentence) as told:
        shop.predict(**{"source": shop.csv} | more)
    assert "hush" not in str(told.value) and "\n" not in str(told.value)


@pytest.mark.slow
def test_the_names_of_a_runs_own_columns_choose_them(tmp_path: Path, shop: Shop) -> None:
    """The order in the new file is of no account."""
    train = tmp_path / "train.csv"
    duckdb.execute(
        f"COPY (SELECT * EXCLUDE (id), row_number() OVER () % 2 AS even FROM '{shop.csv}') "
        f"TO '{train}'"
    )
    results = tmp_path / "results"
    run_id = runner.run(
        [
            "dataset=sql",
            f"dataset.source={train}",
            "dataset.label=even",
            "dataset.task=binary",
            "epochs=1",
            f"results={results}",
        ]
    ).run_id
    new = tmp_path / "new.csv"
    duckdb.execute(f"COPY (SELECT x3, id, x1, x0, x2 FROM '{shop.csv}') TO '{new}'")
    predict(run_id, str(new), tmp_path / "said.parquet", results=results)
    said = duckdb.sql(f"SELECT p_1 FROM '{tmp_path}/said.parquet' ORDER BY row").fetchall()
    expected = np.asarray(model_of(run_id, results)(shop.features))
    assert np.allclose(said, expected, atol=1e-6)
    duckdb.execute(
        f"COPY (SELECT x3, x1, x0, x_2 FROM (SELECT *, x2 AS x_2 FROM '{shop.csv}')) TO '{new}'"
    )
    with pytest.raises(DataError, match=r"'x2' \(did you mean 'x_2'\?\)"):
        predict(run_id, str(new), tmp_path / "said.parquet", results=results)


def test_missing_values_that_nothing_fills_are_counted(shop: Shop, tmp_path: Path) -> None:
    duckdb.execute(
        f"COPY (SELECT CASE WHEN id <> 'flower 3' THEN x0 END AS x0, x1, x2, x3 "
        f"FROM '{shop.csv}') TO '{tmp_path}/gap.csv'"
    )
    with pytest.warns(UserWarning, match="1 of 150 rows gave outputs that are no numbers"):
        shop.predict(tmp_path / "gap.csv")


# Evaluate


def test_a_run_judged_again_on_its_own_data_reaches_what_it_reached(shop: Shop) -> None:
    said = evaluate(shop.run_id, results=shop.results)
    with warehouse.connect(shop.results) as con:
        own = dict(
            con.execute(
                "SELECT name, value FROM evaluations WHERE run_id = ? AND split = 'test' "
                "AND judgement_id IS NULL AND name <> 'loss'",
                [shop.run_id],
            ).fetchall()
        )
    assert said.metrics["test"] == pytest.approx(own, abs=1e-6)


@pytest.mark.slow
def test_other_data_are_judged_and_recorded_with_their_source(shop: Shop, tmp_path: Path) -> None:
    results = tmp_path / "results"
    shutil.copytree(shop.results, results)
    every = evaluate(shop.run_id, ["split.seed=5"], ["all", "test"], results)
    assert every.rows == {"all": 150, "test": 30}
    right = (shop.outputs.argmax(axis=1) == shop.targets).mean()
    assert every.metrics["all"]["accuracy"] == pytest.approx(right)
    with warehouse.connect(results) as con:
        found = con.execute(
            "SELECT j.source, e.split, e.value, j.data->>'$.all' FROM judgements AS j "
            "JOIN evaluations AS e USING (judgement_id) WHERE e.name = 'accuracy' "
            "AND j.source = 'split.seed=5' ORDER BY e.split"
        ).fetchall()
        counted = con.execute(
            "SELECT sum(c.rows) FROM confusion AS c JOIN judgements AS j USING (judgement_id) "
            "WHERE j.source = 'split.seed=5' AND c.split = 'all'"
        ).fetchall()
    assert [(row[0], row[1], row[3]) for row in found] == [
        ("split.seed=5", "all", "150"),
        ("split.seed=5", "test", "150"),
    ]
    assert found[0][2] == pytest.approx(right)
    assert counted == [(150,)]


FLOWERS = """
import numpy as np
from runner import Data, Splits, Task, dataset

@dataset
def flowers(*, names: list[str], keep: int = 150):
    '''Iris, its classes in another order.'''
    from sklearn.datasets import load_iris
    bunch = load_iris()
    order = [names.index(name) for name in bunch.target_names if name in names]
    rows = bunch.target < len(order)
    targets = np.array(order)[bunch.target[rows]][:keep]
    features = bunch.data.astype("float32")[rows][:keep]
    return Data(features, targets, Task.classification(len(names), tuple(names)))
"""


def test_classes_are_matched_by_name(shop: Shop, site: Site) -> None:
    site.install(FLOWERS)
    swapped = ["dataset=flowers", "dataset.names=[virginica,setosa,versicolor]"]
    said = evaluate(shop.run_id, swapped, ["all"], shop.results)
    right = (shop.outputs.argmax(axis=1) == shop.targets).mean()
    assert said.metrics["all"]["accuracy"] == pytest.approx(right)
    with pytest.raises(DataError, match=r"the class 'virginca', which the run does not know"):
        evaluate(
            shop.run_id,
            ["dataset=flowers", "dataset.names=[virginca,setosa,versicolor]"],
            ["all"],
            shop.results,
        )


@pytest.mark.parametrize(
    ("overrides", "sentence"),
    [
        (["epochs=3"], "only dataset, dataset.<param>, split.<key>, evaluator and "),
        (["split.seed=1,2"], "one value each"),
        (["split.seeed=1"], "seeed"),
        (["dataset=irs"], "did you mean 'iris'"),
        (["dataset=wine"], r"shape \(13,\), and the model takes \(4,\)|class 'class_0'"),
        (["dataset=diabetes"], "trained for classification .* data are regression"),
        (["split.val=0", "split.test=0"], "no val and no test part: --split all"),
    ],
)
def test_data_that_the_run_cannot_be_judged_on_are_refused(
    shop: Shop, overrides: list[str], sentence: str
) -> None:
    before = sorted((shop.results / "journals").rglob("*"))
    with pytest.raises((ConfigError, DataError), match=sentence):
        evaluate(shop.run_id, overrides, results=shop.results)
    assert sorted((shop.results / "journals").rglob("*")) == before


@pytest.mark.slow
def test_a_run_that_kept_no_weights_can_do_none_of_it(
    site: Site, train: Callable[..., Any], results: Path, tmp_path: Path, shop: Shop
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
    run_id = train("dataset=iris", "architecture=broken").run_id
    for use in (
        lambda: export(run_id, tmp_path / "m.h5", results=results),
        lambda: predict(run_id, str(shop.csv), tmp_path / "said.csv", results=results),
        lambda: evaluate(run_id, results=results),
    ):
        with pytest.raises(WarehouseError, match="has no weights"):
            use()
