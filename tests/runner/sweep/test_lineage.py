"""`run:<id>` in a param: the weights of an earlier run, from the command line to the warehouse."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import runner
import warehouse
from runner.commands.replay import replay
from runner.config.compose import compose
from runner.errors import ConfigError, ModelError
from runner.sweep.earlier import model_of, with_parents
from runner.sweep.plan import plan

IRIS = ("dataset=iris", "epochs=2", "regularizer=[]", "preprocessing=[standardize]")
ON_TOP = (*IRIS, "architecture=transfer", "architecture.backbone=run")


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any, Any]:
    """A results folder, a run in it, and a run on top of that one."""
    results = tmp_path_factory.mktemp("lineage") / "results"
    parent = runner.run([*IRIS, "architecture.units=[5]", f"results={results}"])
    weights = f"architecture.weights=run:{parent.run_id[-8:]}"
    child = runner.run([*ON_TOP, weights, "architecture.unfreeze_at=2", f"results={results}"])
    return results, parent, child


def planned(results: Path, *words: str) -> Any:
    config, experiment = compose([*words, f"results={results}"])
    return plan(with_parents(config, Path()), experiment, words)


def asked(results: Path, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(results) as con:
        return con.execute(query).fetchall()


@pytest.mark.slow
def test_the_warehouse_says_where_the_weights_came_from(house: tuple[Path, Any, Any]) -> None:
    results, parent, child = house
    assert child.status == "finished"
    assert asked(results, "FROM lineage") == [(child.run_id, 1, "weights", parent.run_id)]
    [row] = asked(results, "SELECT param, parent_id, weights_id, sha256 FROM parents")
    assert row[:2] == ("architecture.weights", parent.run_id)
    assert (
        row[2:]
        == asked(
            results,
            f"SELECT weights_id, sha256 FROM weights WHERE run_id = '{parent.run_id}' "
            "AND role = 'best'",
        ).pop()
    )
    [(value,)] = asked(
        results,
        f"SELECT value FROM params WHERE run_id = '{child.run_id}' "
        "AND name = 'architecture.weights'",
    )
    assert value == f"run:{parent.run_id}"


@pytest.mark.slow
def test_the_backbone_is_the_run_without_its_head_and_its_preprocessing(
    house: tuple[Path, Any, Any],
) -> None:
    import numpy as np

    results, parent, _ = house
    weights = f"architecture.weights=run:{parent.run_id}"
    frozen = runner.run([*ON_TOP, weights, f"results={results}"])
    models = [model_of(run.run_id, results) for run in (parent, frozen)]
    first, second = ({w.path: np.asarray(w) for w in model.weights} for model in models)
    np.testing.assert_array_equal(first["dense_1/kernel"], second["dense_1/kernel"])
    assert (first["head/kernel"] != second["head/kernel"]).any()


@pytest.mark.slow
def test_a_run_on_top_of_another_can_be_replayed(house: tuple[Path, Any, Any]) -> None:
    results, parent, child = house
    outcome, _ = replay(child.run_id, results)
    assert outcome.closing is not None and outcome.closing.equal
    back = asked(results, f"SELECT ancestor_id FROM lineage WHERE run_id = '{outcome.run_id}'")
    assert {run_id for (run_id,) in back} == {parent.run_id, child.run_id}


@pytest.mark.slow
def test_weights_count_by_what_they_are_not_by_how_they_are_named(
    house: tuple[Path, Any, Any], tmp_path: Path
) -> None:
    results, parent, child = house
    short, whole = (f"architecture.weights=run:{i}" for i in (parent.run_id[-8:], parent.run_id))
    one = planned(results, *ON_TOP, short)
    assert one.fingerprint == planned(results, *ON_TOP, whole).fingerprint
    other = planned(results, *ON_TOP, f"architecture.weights=run:{child.run_id}")
    assert one.fingerprint != other.fingerprint
    files = [tmp_path / name for name in ("a.safetensors", "b.safetensors", "c.safetensors")]
    [(uri,)] = asked(
        results,
        f"SELECT uri FROM weights WHERE run_id = '{parent.run_id}' AND role = 'best'",
    )
    for file in files[:2]:
        shutil.copy(results / uri, file)
    files[2].write_bytes(b"else")
    prints = [
        planned(results, *ON_TOP, f"architecture.weights={file}").fingerprint for file in files
    ]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.slow
def test_an_unknown_run_is_one_sentence_with_ids_that_are_near(
    house: tuple[Path, Any, Any],
) -> None:
    results, parent, _ = house
    tail = parent.run_id[-8:]
    wrong = tail[:-1] + ("0" if tail[-1] != "0" else "1")
    with pytest.raises(ConfigError, match=rf"architecture.weights=run:{wrong}.*near: .*{tail}"):
        runner.run([*ON_TOP, f"architecture.weights=run:{wrong}", f"results={results}"])


@pytest.mark.slow
def test_a_run_that_kept_no_weights_is_one_sentence(
    house: tuple[Path, Any, Any], train: Callable[..., Any], results: Path
) -> None:
    failed = train(*IRIS, "optimizer=sgd", "optimizer.learning_rate=1e30", "epochs=1")
    assert failed.status == "failed"
    with pytest.raises(ConfigError, match="before it kept any weights"):
        train(*ON_TOP, f"architecture.weights=run:{failed.run_id}")


@pytest.mark.slow
def test_a_backbone_for_other_examples_is_one_sentence(house: tuple[Path, Any, Any]) -> None:
    results, parent, _ = house
    weights = f"architecture.weights=run:{parent.run_id}"
    with pytest.raises(ModelError, match=r"examples of shape \(4,\), and these have .*\(13,\)"):
        runner.run([*ON_TOP, "dataset=wine", weights, f"results={results}"])
    with pytest.raises(ModelError, match=r"imagenet.*run takes the network|run takes the network"):
        runner.run([*ON_TOP, "architecture.weights=imagenet", f"results={results}"])


def test_a_component_that_takes_no_run_gets_the_text(train: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match=r"architecture\.activation=run:abc"):
        train("architecture.activation=run:abc")
