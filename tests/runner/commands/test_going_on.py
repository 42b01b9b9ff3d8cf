"""A finished run goes on; what has changed since is named; a pack is repeated as one."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import pytest

import runner
import warehouse
from runner.commands.extend import extend
from runner.commands.replay import replay
from runner.config.compose import compose
from runner.errors import ConfigError
from runner.record.code import about_code
from runner.sweep.launching.jobs import JobConfig
from runner.sweep.sweep import SWEEP, Sweep
from tests.conftest import Site
from warehouse.__main__ import main

TINY = """
import numpy as np
from runner import Data, Task, architecture, dataset

@dataset
def tiny(*, rows: int = 64) -> Data:
    '''A few rows.'''
    features = np.random.default_rng(0).random((rows, 4), dtype="float32")
    return Data(features, np.arange(rows) % 2, Task.binary())

@architecture
def small(input_shape, outputs, *, units: int = 4):
    '''A few units.'''
    import keras

    return keras.Sequential(
        [keras.Input(input_shape), keras.layers.Dense(units, "relu"), keras.layers.Dense(outputs)]
    )
"""
WORDS = ("dataset=tiny", "architecture=small", "engine=fast", "batch_size=16")


@pytest.fixture
def tiny(site: Site, results: Path) -> Any:
    """Train on a few rows; the words are those of the run."""
    site.install(TINY)
    about_code.cache_clear()
    return lambda *words: runner.run([*WORDS, *words, f"results={results}"])


def facts(results: Path, columns: str) -> dict[str, tuple[Any, ...]]:
    with warehouse.connect(results) as con:
        rows = con.execute(f"SELECT run_id, {columns} FROM runs").fetchall()
    return {run_id: tuple(rest) for run_id, *rest in rows}


@pytest.mark.slow
def test_an_extended_run_is_the_longer_one_where_it_has_a_checkpoint(tiny, results, capsys):
    whole, short = tiny("epochs=5", "seed=3"), tiny("epochs=3", "seed=3", "checkpoint=2")
    again, _ = extend(short.run_id, ["epochs=5"], results)
    assert again.losses == whole.losses and again.evaluations == whole.evaluations
    # It is the same run, and a sweep need not train it once more.
    known = facts(results, "fingerprint, extended_from, extension, epochs")
    assert known[again.run_id] == (known[whole.run_id][0], short.run_id, "exact", 5)
    assert f"extending {short.run_id} after epoch 2 to 5\n" in capsys.readouterr().out

    # From weights alone it goes on, and is another run.
    more, _ = extend(whole.run_id, ["epochs=6", "max_seconds=900"], results)
    assert more.losses[:5] == whole.losses[: whole.best_epoch] + more.losses[whole.best_epoch : 5]
    assert (more.epochs, more.status) == (6, "finished")
    known = facts(results, "fingerprint, extension, config_hash, overrides")
    assert known[more.run_id][1].startswith("there is no checkpoint")
    assert known[more.run_id][2] is None
    assert known[more.run_id][3][-2:] == ["epochs=6", "max_seconds=900"]
    assert (
        "this is not exactly a run of 6 epochs: there is no checkpoint" in capsys.readouterr().out
    )

    for words, sentence in (
        (["epochs=5"], "is not more than the 5 that"),
        (["epochs=2.5"], "should be a valid integer"),
        (["checkpoint=1"], "give epochs=N"),
        (["epochs=9", "seed=4"], "seed=4 is not valid: a run goes on as it began"),
        (["epochs=9,10"], "one value each"),
        (["epochs"], "epochs is not valid: an override is key=value"),
    ):
        with pytest.raises(ConfigError, match=sentence):
            extend(whole.run_id, words, results)


@pytest.mark.slow
def test_what_cannot_go_on_says_why(tiny, results):
    stopped = tiny("epochs=4", "max_seconds=1e-9")
    assert (stopped.status, stopped.reason, stopped.epochs) == ("stopped", "own_max_seconds", 1)
    assert stopped.weights.is_file() and "val" in stopped.evaluations
    with pytest.raises(ConfigError, match=r"is stopped, not finished: `python -m runner resume"):
        extend(stopped.run_id, ["epochs=9"], results)
    early = tiny(
        "epochs=9",
        "regularizer=[early_stopping]",
        "regularizer.early_stopping.patience=1",
        "regularizer.early_stopping.min_delta=9",
    )
    assert early.status == "finished" and early.epochs < 9
    with pytest.raises(ConfigError, match="ended by itself after"):
        extend(early.run_id, ["epochs=20"], results)


@pytest.mark.slow
def test_what_a_schedule_was_told_is_no_longer_so(tiny, results, capsys):
    short = tiny("epochs=2", "checkpoint=2", "schedule=cosine")
    extend(short.run_id, ["epochs=3"], results)
    said = capsys.readouterr().out
    assert "schedule 'cosine' goes by how many epochs there are, and was told 2 before" in said


@pytest.mark.slow
def test_the_component_that_changed_is_named(tiny, results, site, capsys):
    then = tiny("epochs=1")
    about_code.cache_clear()  # as another process would have it
    site.install(TINY.replace("A few units", "Some units"), version="2.0")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        outcome, _ = replay(then.run_id, results)
    said = [str(one.message) for one in caught]
    assert "architecture 'small' was of toys 1.0 and is of toys 2.0 now" in said
    assert "the source of architecture 'small' has changed since" in said
    warehouse.sync(results)
    capsys.readouterr()
    main(["compare", then.run_id, outcome.run_id, "--format", "csv", "--results", str(results)])
    what = [line.split(",")[:2] for line in capsys.readouterr().out.splitlines()[1:]]
    assert ["source", "architecture small"] in what and ["source", "dataset tiny"] in what
    # What was installed is kept once for all runs.
    with warehouse.connect(results) as con:
        kept = con.execute("SELECT DISTINCT uri FROM artifacts WHERE kind = 'packages'").fetchall()
    assert len(kept) == 2  # toys 1.0, then 2.0
    assert what.index(["package", "toys"]) > what.index(["source", "architecture small"])
    main(["show", then.run_id, "--packages", "--results", str(results)])
    assert "toys==1.0\n" in capsys.readouterr().out


@pytest.mark.slow
def test_a_packed_run_is_replayed_with_its_pack(site, results, monkeypatch, capsys):
    site.install(TINY)
    monkeypatch.setenv(SWEEP, "pack")
    sweep = Sweep(["-m", f"results={results}"])
    words = [
        "engine=packed",
        "dataset=tiny",
        "architecture=small",
        "epochs=2",
        f"results={results}",
    ]
    jobs = [
        [*words, f"seed={seed}", f"optimizer.learning_rate={rate}"]
        for seed in (1, 2)
        for rate in (0.1, 0.01)
    ]
    sweep.train_batch(iter([JobConfig(j, *reversed(compose(j))) for j in jobs]), 4, Path())
    assert sweep.close() == 0
    ids = sorted(facts(results, "engine"))
    outcome, _ = replay(ids[2], results)
    assert outcome.closing.equal and outcome.closing.replay_of == ids[2]
    said = capsys.readouterr().out
    assert "was trained in a pack, which is trained again: 4 runs\n" in said
    assert "of the 4 runs of its pack 4 are equal, bit for bit\n" in said
    warehouse.sync(results)
    assert {row[1] for row in facts(results, "replay_of, engine").values()} == {"packed"}
