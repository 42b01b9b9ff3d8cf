"""Evaluators, and what components leave behind for their run: in every engine, and later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pytest

import runner
import warehouse
from runner.commands.evaluation import evaluate
from runner.config.compose import compose
from runner.errors import ConfigError
from runner.sweep.batch import train_all
from runner.sweep.plan import plan
from runner.sweep.skip import skipped
from tests.conftest import Site
from warehouse.place import Place
from warehouse.verify import verify

PLUGIN = '''
from pathlib import Path
import numpy as np
from annotated_types import Gt
from typing import Annotated
from runner import *
from runner import callback, evaluator

SVG = "<svg xmlns='http://www.w3.org/2000/svg'/>"


@evaluator
def look(model, predict, splits, task, outputs, epoch, seed, *, every: int | None = None):
    """Note what is offered."""
    name = list(splits)[-1]
    held = splits[name]
    given = outputs[name]
    same = np.abs(np.asarray(model(held.features, training=False)) - given).max()
    metrics = {"accuracy": float((given.argmax(axis=1) == held.targets).mean()),
               "apart": float(same), "splits": len(splits), "epoch": epoch}
    rows = [{"row": int(n), "target": int(t)} for n, t in zip(held.keys, held.targets)]
    return Findings({name: metrics}, {"one": SVG, "two": SVG}, {"rows": rows}, {"me": __file__})


@evaluator
def broken():
    """Fail."""
    return 1 / 0


@evaluator
def sad():
    """Give a figure that cannot be drawn, and a file that is too large."""
    class Figure:
        def savefig(self, *_, **__):
            raise ValueError("no ink")
    big = Path(__file__).with_name("big.bin")
    big.write_bytes(bytes(5000))
    return Findings(figures={"drawn": Figure()}, files={"big": big})


@callback
def leaving(run):
    """Keep a table after every epoch."""
    import keras
    run.table({"x": [0]}, "made")

    class Leaving(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            run.table({"x": [epoch]}, "losses", epoch=epoch + 1)
    return Leaving()


@dataset(identity=lambda: "dots")
def dots(run):
    """Keep a figure."""
    x = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    run.figure(SVG, "dots")
    return Data(x, (x[:, 0] > 0).astype(int), Task.classification(2))
'''
WORDS = ("architecture=linear", "regularizer=[]", "batch_size=16", "epochs=4")


@pytest.fixture(scope="module")
def plugin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    site = Site(tmp_path_factory.mktemp("looking") / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(site.folder))
        site.install(PLUGIN, "looking")
        yield
    site.forget("looking")


def rows(results: Path, query: str) -> list[tuple[Any, ...]]:
    warehouse.sync(results)
    with warehouse.connect(results) as con:
        return con.execute(query).fetchall()


def words(results: Path, *more: str) -> list[str]:
    return ["dataset=dots", "callback=[]", *WORDS, *more, f"results={results}"]


@pytest.fixture(scope="module")
def looked(
    plugin: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], str]:
    """A run with all of them; its results, its outcome and what was said."""
    results = tmp_path_factory.mktemp("looked") / "results"
    chosen = ("evaluator=[look,broken,sad]", "evaluator.look.every=2", "callback=[leaving]")
    return results, runner.run(words(results, *chosen, "max_artifact=4500"))


@pytest.mark.slow
def test_what_evaluators_find_is_recorded_and_a_failure_harms_nothing(looked: Any) -> None:
    results, outcome = looked
    assert outcome.status == "finished" and outcome.evaluations["test"]["look.splits"] == 3
    calls = rows(
        results, "SELECT evaluator, epoch, training, error FROM evaluator_calls ORDER BY ALL"
    )
    best = outcome.best_epoch
    assert [call[:3] for call in calls] == sorted(
        [("broken", best, False), ("look", 2, True), ("look", 4, True), ("look", best, False),
         ("sad", best, False)]
    )  # fmt: skip
    [error] = [call[3] for call in calls if call[3]]
    assert error.startswith(
        "ZeroDivisionError: division by zero, in evaluator 'broken' (looking.py,"
    )
    [found] = rows(
        results,
        "SELECT a.value, b.value, c.value FROM evaluations a, evaluations b, evaluations c "
        "WHERE a.name = 'accuracy' AND b.name = 'look.accuracy' AND c.name = 'look.apart' "
        "AND (a.split, b.split, c.split) = ('test', 'test', 'test')",
    )
    assert found[0] == pytest.approx(found[1]) and found[2] < 1e-5
    epochs = rows(results, "SELECT epoch, split, name, value FROM metrics WHERE name ^@ 'look.'"
                           " AND name IN ('look.epoch', 'look.splits') ORDER BY ALL")  # fmt: skip
    assert epochs == [
        (epoch, "val", name, value)
        for epoch in (2, 4)
        for name, value in (("look.epoch", epoch), ("look.splits", 2))
    ]


@pytest.mark.slow
def test_things_are_stored_once_with_name_kind_and_epoch(looked: Any) -> None:
    results, _ = looked
    query = "SELECT DISTINCT kind, name, epoch FROM artifacts WHERE name IS NOT NULL ORDER BY ALL"
    found = {(kind, name): epoch for kind, name, epoch in rows(results, query)}
    assert set(found) == {
        ("figure", "look.one"), ("figure", "look.two"), ("table", "look.rows"),
        ("file", "look.me"), ("failed figure", "sad.drawn"), ("figure", "dots"),
        ("table", "losses"), ("table", "made"),
    }  # fmt: skip
    assert found["figure", "dots"] is None and found["table", "losses"] == 4
    [(count,)] = rows(results, "SELECT count(DISTINCT uri) FROM artifacts WHERE kind = 'figure'")
    assert count == 1
    query = "SELECT uri FROM artifacts WHERE name = 'look.rows' ORDER BY uri LIMIT 1"
    [(uri,)] = rows(results, query)
    assert duckdb.connect().read_parquet(str(results / uri)).columns == ["row", "target"]
    place = Place.of(results)
    with place.locked():
        assert verify(place) == []


@pytest.mark.slow
def test_a_thing_that_is_too_large_or_cannot_be_drawn_is_told_in_a_line(
    plugin: None, results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = runner.run(words(results, "evaluator=[sad]", "max_artifact=4500", "epochs=1"))
    assert outcome.status == "finished"
    said = capsys.readouterr().err
    assert "big.bin is not kept: it has 5,000 bytes, more than max_artifact=4,500" in said
    assert "the figure 'sad.drawn' failed: ValueError: no ink" in said


def trained(results: Path, *more: str) -> list[Any]:
    """Two runs that differ in their seed, trained together."""
    runs = [plan(*compose(words(results, *more, f"seed={s}")), [f"seed={s}"]) for s in (0, 1)]
    outcomes = train_all(runs)
    return [outcomes[run.run_id] for run in runs]


@pytest.mark.slow
def test_members_of_a_pack_are_looked_at_with_their_own_weights(
    plugin: None, results: Path
) -> None:
    outcomes = trained(results, "evaluator=[look]")
    engines = rows(results, "SELECT engine FROM runs")
    assert engines == [("packed",)] * 2
    for outcome in outcomes:
        test = outcome.evaluations["test"]
        assert (
            test["look.accuracy"] == pytest.approx(test["accuracy"]) and test["look.apart"] < 1e-5
        )
    assert len({outcome.evaluations["test"]["loss"] for outcome in outcomes}) == 2


@pytest.mark.parametrize(
    ("chosen", "reason"),
    [
        (("evaluator=[look]", "evaluator.look.every=3"), "evaluator.look.every=3 looks at the"),
        (("callback=[leaving]",), "callback 'leaving' leaves something behind for its run"),
    ],
)  # fmt: skip
@pytest.mark.slow
def test_what_looks_at_the_model_meanwhile_is_not_packed(
    plugin: None, results: Path, chosen: Sequence[str], reason: str
) -> None:
    trained(results, *chosen, "epochs=3")
    found = rows(results, "SELECT engine, engine_reason FROM runs")
    assert [engine for engine, _ in found] == ["fast"] * 2
    assert all(reason in why for _, why in found)


@pytest.mark.slow
def test_evaluators_change_no_run_and_an_earlier_run_is_looked_at_later(
    plugin: None, results: Path
) -> None:
    plain = runner.run(words(results))
    config, name = compose(words(results, "evaluator=[look,broken]", "skip=finished"))
    again = plan(config, name, [])
    skip = skipped([again], False, None)[again.run_id]
    command = f"python -m runner evaluate {plain.run_id[-8:]} evaluator=[broken,look]"
    assert skip.run_id == plain.run_id and skip.reason.endswith(command)
    later = evaluate(plain.run_id, ["evaluator=[look,broken]"], results=results)
    assert later.failed == ["broken"] and "look.two" in later.artifacts
    assert later.metrics["test"]["look.accuracy"] == pytest.approx(
        plain.evaluations["test"]["accuracy"]
    )
    found = rows(
        results, "SELECT count(*) FROM artifacts JOIN judgements USING (judgement_id, run_id)"
    )
    assert found == [(4,)]
    with pytest.raises(ConfigError, match="there is no evaluator 'lok'"):
        evaluate(plain.run_id, ["evaluator=[lok]"], results=results)
