"""Several heads: every engine trains them alike, and each is judged as a task of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import runner
import warehouse
from runner.commands.evaluation import evaluate
from runner.commands.prediction import predict
from runner.components.registry import load as load_plugins
from runner.config.compose import compose
from runner.data.prepare import load, prepare
from runner.engines import find_engine
from runner.errors import ModelError, RunnerError
from runner.journal.records import EpochEnd
from runner.model.build import assemble
from runner.record.events import Kept
from runner.sweep.earlier import model_of
from tests.conftest import Site
from tests.runner.engines.test_packed import alone, engine_of, jobs_of, trained
from tests.runner.pairs import apart, events_of, job_of, resumed

TOYS = '''
import numpy as np
from runner import Data, Task, architecture, augmentation, dataset

@dataset(identity=lambda: "pets")
def pets():
    """Age and kind of sixty pets."""
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 4)).astype("float32")
    kind = np.digitize(x[:, 0] + 0.3 * random.normal(size=60), [-0.5, 0.5])
    age = 400 + 120 * x[:, 1] + random.normal(size=60)
    tasks = {"age": Task.regression(), "kind": Task.classification(3, ("cat", "dog", "owl"))}
    return Data(x, {"age": age, "kind": kind}, tasks)

@architecture
def branches(input_shape, heads, *, fault: str = "none"):
    """Hidden layers for each head, of one trunk."""
    import keras
    x = keras.Input(input_shape)
    trunk = keras.layers.Dense(8, "relu")(x)
    outputs = {
        name: keras.layers.Dense(units, name=name)(keras.layers.Dense(4, "tanh")(trunk))
        for name, units in heads.items()
    }
    if fault == "missing":
        outputs.pop("kind")
    if fault == "misnamed":
        outputs["kinds"] = outputs.pop("kind")
    if fault == "width":
        outputs["kind"] = keras.layers.Dense(2)(trunk)
    if fault == "one":
        outputs = trunk
    if fault == "list":
        outputs = list(outputs.values())
    if fault == "softmax":
        outputs = keras.layers.Dense(sum(heads.values()), "softmax")(trunk)
    if fault == "own":
        class Own(keras.Model):
            def train_step(self, data):
                return super().train_step(data)
        return Own(x, outputs)
    return keras.Model(x, outputs)

@architecture
def coded(heads):
    """A model of its own code."""
    import keras
    class Coded(keras.Model):
        def __init__(self):
            super().__init__()
            self.tops = [keras.layers.Dense(units) for units in heads.values()]
        def call(self, x):
            return {name: top(x) for name, top in zip(heads, self.tops)}
    return Coded()

@augmentation
def mixing():
    return lambda features, targets: (features, targets)
'''
PETS = ("dataset=pets", "epochs=2", "batch_size=16")


@pytest.fixture(scope="module", autouse=True)
def toys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The plugin of this file."""
    site = Site(tmp_path_factory.mktemp("heads") / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site.folder))
        site.install(TOYS, "pets")
        load_plugins()
        yield
    site.forget("pets")


@pytest.mark.slow
def test_every_engine_trains_them_alike_and_their_losses_add_up() -> None:
    base = (*PETS, "architecture=branches", "regularizer=[label_smoothing]")
    jobs = jobs_of(
        (*base, "class_weight=balanced"), "heads.kind.weight=0.5", "heads.kind.weight=2"
    )
    packed, reference = trained(jobs), alone(jobs)
    for weight, one, other in zip((0.5, 2), packed, reference, strict=True):
        assert engine_of(one).startswith("packed (2 runs")
        by = apart((), other, one)
        assert by.numbers < 1e-4, by.where
        for epoch in (event for event in other if isinstance(event, EpochEnd)):
            val = epoch.metrics["val"]
            assert set(val) == {"age.loss", "age.mae", "kind.loss", "kind.accuracy"}
            total = val["age.loss"] + weight * val["kind.loss"]
            assert epoch.val_loss == pytest.approx(total, rel=1e-5)
            assert val["age.loss"] < 10  # in deviations; squares of the units are in thousands
    alike = job_of([*base, "class_weight=balanced", "heads.kind.weight=2"])
    assert apart((), reference[1], events_of(alike, "fast")).numbers < 1e-6


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Path]:
    """A finished run of an architecture that knows nothing of heads, and its results."""
    results = tmp_path_factory.mktemp("run") / "results"
    words = [*PETS, "architecture=mlp", "keep_predictions=test"]
    words += ["metrics=[accuracy]", "monitor=val_kind.acc", "heads.age.loss=huber"]
    return runner.run([*words, f"results={results}"]), results


@pytest.mark.slow
def test_each_head_is_evaluated_as_scikit_learn_does(run: tuple[Any, Path]) -> None:
    from sklearn.metrics import f1_score, mean_absolute_error, r2_score, roc_auc_score

    outcome, results = run
    found = outcome.evaluations["test"]
    with warehouse.connect(results) as connection:
        rows = connection.execute(
            "SELECT output, target, predicted, outputs FROM predictions ORDER BY output, row"
        ).fetchall()
        [(monitor, mode)] = connection.execute("SELECT monitor, mode FROM runs").fetchall()
        classes = {c for (c,) in connection.execute("SELECT class FROM class_scores").fetchall()}
        counted = connection.execute(
            "SELECT sum(rows) FROM confusion WHERE split = 'test' AND actual LIKE 'kind.%'"
        ).fetchone()
    assert (monitor, mode) == ("val_kind.accuracy", "max")
    assert classes == {"kind.cat", "kind.dog", "kind.owl"}
    ages = [(target, predicted) for output, target, predicted, _ in rows if output == "age"]
    kinds = [row[1:] for row in rows if row[0] == "kind"]
    assert len(ages) == len(kinds) == 12 and counted == (12,)
    target, predicted, outputs = (np.array(column) for column in zip(*kinds, strict=True))
    age, told = np.array(ages).T
    assert found["age.mae"] == pytest.approx(mean_absolute_error(age, told), rel=1e-5)
    assert found["age.r2"] == pytest.approx(r2_score(age, told), rel=1e-5)
    assert found["kind.accuracy"] == pytest.approx((target == predicted).mean())
    assert found["kind.f1_macro"] == pytest.approx(f1_score(target, predicted, average="macro"))
    area = roc_auc_score(target, outputs, multi_class="ovr")
    assert found["kind.roc_auc"] == pytest.approx(area, rel=1e-6)


@pytest.mark.slow
def test_the_restored_model_gives_each_head_by_name(run: tuple[Any, Path], tmp_path: Path) -> None:
    import duckdb

    outcome, results = run
    model = model_of(outcome.run_id, results)
    rows = np.random.default_rng(1).normal(size=(5, 4)).astype("float32")
    given = {name: np.asarray(value) for name, value in model(rows).items()}
    assert {name: value.shape for name, value in given.items()} == {"age": (5, 1), "kind": (5, 3)}
    assert given["age"].mean() > 100  # in the data's units
    np.save(tmp_path / "rows.npy", rows)
    file = tmp_path / "predicted.parquet"
    assert predict(outcome.run_id, str(tmp_path / "rows.npy"), file, results=results) == 5
    columns = "age_predicted, kind_predicted, kind_p_owl"
    told = duckdb.sql(f"SELECT {columns} FROM '{file}' ORDER BY row").fetchall()
    names = np.array(["cat", "dog", "owl"])[given["kind"].argmax(axis=1)]
    for (age, kind, owl), row in zip(told, range(5), strict=True):
        assert age == pytest.approx(given["age"][row, 0], rel=1e-5)
        assert (kind, owl) == (names[row], pytest.approx(given["kind"][row, 2], abs=1e-6))
    again = evaluate(outcome.run_id, splits=["test"], results=results).metrics["test"]
    same = {name: outcome.evaluations["test"][name] for name in again}
    assert again == pytest.approx(same, rel=1e-4)
    assert {"age.rmse", "kind.accuracy", "recall[kind.owl]"} <= set(again)


@pytest.mark.slow
def test_a_resumed_run_goes_on_bit_for_bit() -> None:
    words = (*PETS, "architecture=coded", "regularizer=[]")
    told = events_of(job_of([*words, "checkpoint=1"])), resumed(words, "fast", "fast", 1)
    # What was kept before the interruption is not kept again.
    whole, again = (
        [e for e in one if not (isinstance(e, Kept) and e.role == "checkpoint")] for one in told
    )
    by = apart(words, whole, again)
    assert (by.numbers, by.weights) == (0.0, 0.0), by.where


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["architecture.fault=missing"], "gives no outputs for the head 'kind', only for age"),
        (["architecture.fault=misnamed"], "for 'kinds', which is no head of the data: did you"),
        (["architecture.fault=width"], "of shape (2,) for the head 'kind', a classification that"),
        (["architecture.fault=one"], "need a dict of outputs by these names, or (4,) in all"),
        (["architecture.fault=list"], "gives 2 outputs for an input of shape (4,); the heads"),
        (["architecture.fault=softmax"], "an activation of its own, over the outputs of the"),
        (["architecture.fault=own"], "let Keras' own train several heads"),
        (["loss=poisson"], "the head 'kind': loss=poisson is for a regression task"),
        (["heads.kinds.weight=2"], "heads.kinds is no head of the data: did you mean 'kind'?"),
        (["class_weight={age: balanced}"], "class_weight.age needs a task with classes"),
        (["class_weight={kind: 2}"], "'kind' is a head, give balanced or {class:factor}"),
        (["augmentation=[mixing]"], "augmentations of several heads change features alone"),
        (["metrics=[f1_score]", "monitor=val_f1_score"], "no metric 'val_f1_score' (monitor)"),
        (["dataset=iris", "heads.kind.weight=2"], "needs data with several heads: these have one"),
    ],
)
@pytest.mark.many
def test_what_does_not_fit_is_one_sentence(words: Sequence[str], sentence: str) -> None:
    given = [*PETS, "architecture=branches", "regularizer=[]", *words]
    if "dataset=iris" in words:
        given = [*words, "architecture=linear"]
    with pytest.raises(RunnerError) as raised:
        config, _ = compose(given)
        data = prepare(load(config), config)
        with find_engine("keras").ready(config.settings):
            assemble(config, data)
    assert sentence in str(raised.value)


def test_metrics_are_of_the_heads_that_they_fit() -> None:
    config, _ = compose([*PETS, "metrics=[f1_score,r2_score]", "architecture=linear"])
    recipe = assemble(config, prepare(load(config), config))
    names = [metric.name for metric in recipe.metrics]
    assert names == ["kind.f1_score", "age.r2_score", "age.loss", "kind.loss"]
    config, _ = compose([*PETS, "metrics=[binary_accuracy]", "architecture=linear"])
    with pytest.raises(ModelError, match=r"binary_accuracy\] is for a"):
        assemble(config, prepare(load(config), config))


@pytest.mark.parametrize("memory_rows", [1000, 10])
def test_columns_of_a_table_are_heads_where_the_label_is_a_dict(
    memory_rows: int, tmp_path: Path
) -> None:
    file = tmp_path / "pets.csv"
    lines = [f"{i % 7},{i % 5},{30 + i * 0.5},{('cat', 'dog')[i % 2]}" for i in range(60)]
    file.write_text("\n".join(["w,h,age,kind", *lines]))
    label = "dataset.label={age: regression, kind: auto}"
    config, _ = compose(
        ["dataset=csv", f"dataset.path={file}", label, f"dataset.memory_rows={memory_rows}"]
    )
    prepared = prepare(load(config), config)
    task = prepared.splits.task
    assert {name: head.kind for name, head in task.heads.items()} == {
        "age": "regression",
        "kind": "binary",
    }
    assert task.heads["kind"].names == ("cat", "dog") and prepared.input_shape == (2,)
    assert runner.Task.recorded(task.record()) == task
