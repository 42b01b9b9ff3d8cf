"""The command line as users meet it: exit codes, one sentence, progress, sweeps, folders."""

from __future__ import annotations

import fcntl
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

import warehouse
from tests.conftest import Site
from tests.runner.session import Done, session

FINISHED = r"^finished +(\S+)"
"""The line of a run of a sweep, with its short id."""
QUICK = ("dataset=iris", "epochs=1", "limit_batches=1")
PLUGIN = """
from runner import Data, Task, architecture, dataset
import numpy as np

@architecture
def broken(outputs):
    '''Raises while it is built.'''
    raise RuntimeError("no such layer")

@dataset
def mislabelled():
    '''Says that it has three classes and has four.'''
    return Data(np.ones((40, 4)), np.arange(40) % 4, Task.classification(3))
"""

# --- Mistakes: one sentence, exit code 2, nothing trained ----------------------------------------

ARRAYS = ("dataset=arrays",)
MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    # What is wrong: the words, and a pattern of the sentence.
    "unknown component": (("architecture=mpl",), r"'mpl'.*did you mean 'mlp'"),
    "unknown one of several": (("regularizer=[nosuch]",), r"'nosuch'.*available: .*dropout"),
    "unknown param": (("optimizer.rate=1",), r"'rate'.*learning_rate"),
    "wrong type": (("epochs=many",), r"epochs=many.*Integer"),
    "no epochs": (("epochs=0",), r"epochs=0.*greater than 0"),
    "negative epochs": (("epochs=-3",), r"epochs=-3.*greater than 0"),
    "no batch": (("batch_size=0",), r"batch_size=0.*greater than 0"),
    "batch larger than data": (
        ("dataset=iris", "batch_size=91"),
        r"=91 is larger.* 90 rows",
    ),
    "negative rate": (("optimizer.learning_rate=-1",), r"learning_rate=-1.*greater than 0"),
    "rate that is no number": (("optimizer.learning_rate=nan",), r"learning_rate=nan.*finite"),
    "shares above one": (("split.val=0.6", "split.test=0.5"), r"0\.6.*0\.5.*less than 1"),
    "label outside the classes": (("dataset=mislabelled",), r"'mislabelled'.* label 3.* 0 to 2"),
    "NaN": ((*ARRAYS, "dataset.path=nan.npz"), r"1 missing values.*preprocessing=\[impute\]"),
    "empty file": ((*ARRAYS, "dataset.path=empty.npz"), r"empty\.npz is empty"),
    "no npz": ((*ARRAYS, "dataset.path=text.npz"), r"text\.npz is not an \.npz file"),
    "missing file": ((*ARRAYS, "dataset.path=nosuch.npz"), r"nosuch\.npz does not exist"),
    "rows that differ": ((*ARRAYS, "dataset.path=rows.npz"), r"30 rows and 29 rows"),
    "loss of another task": (("dataset=diabetes", "loss=binary_crossentropy"), r"task is regress"),
    "input rank": (("dataset=iris", "architecture=cnn"), r"takes images.*\(4,\)"),
    "input rank of rnn": (("dataset=iris", "architecture=rnn"), r"takes series.*\(4,\)"),
    "monitor": (("dataset=iris", "monitor=val_auc"), r"'val_auc'.*val_accuracy"),
    "engine": (("engine=nosuch",), r"'nosuch'.*keras"),
    "device": (("device=gpu:77",), r"device=gpu:77.*available: auto, cpu"),
    "results that are a file": (
        ("results=text.npz",),
        r"text\.npz is a file, not a results folder",
    ),
    "preset": (("experiment=nosuch",), r"'nosuch'.*mnist_cnn"),
    "config name": (("-cn", "nosuch"), r"'nosuch'.*--config-name"),
    "config folder": (("--config-dir", "nosuch"), r"nosuch.*not found"),
    "command": (("train",), r"'train' is neither a command nor an override"),
    "grammar": (("epochs=[",), r"epochs=\[.*key=value"),
    "unknown run": (("restore", "zzzz", "--to", "m.keras"), r"no run 'zzzz'"),
    "ambiguous run": (("restore", "01", "--to", "m.keras", "--results", "results"), r"'01'"),
    "a sweep over nothing": (
        ("-m", "experiment=glob(nosuch*)"),
        r"glob\(nosuch\*\) gives no value",
    ),
    "a sweep's component": (("-m", "dataset=iris,nosuch"), r"'nosuch'.*iris"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the user stands: data files, a config folder of their own, odd results folders."""
    folder = tmp_path_factory.mktemp("user")
    random = np.random.Generator(np.random.Philox(key=[1, 1]))
    x, y = random.normal(size=(30, 4)).astype("float32"), np.arange(30) % 3
    np.savez(folder / "rows.npz", x=x, y=y[:29])
    x[3, 2] = np.nan
    np.savez(folder / "nan.npz", x=x, y=y)
    (folder / "empty.npz").touch()
    (folder / "text.npz").write_text("hello", encoding="utf-8")
    (folder / "mine" / "experiment").mkdir(parents=True)
    (folder / "mine" / "experiment" / "flowers.yaml").write_text(
        "# @package _global_\ndefaults:\n  - override /dataset: iris\nepochs: 1\nseed: 5\n",
        encoding="utf-8",
    )
    (folder / "mine" / "whole.yaml").write_text(
        "defaults:\n  - config\n  - _self_\nepochs: 1\nlimit_batches: 1\nseed: 6\n",
        encoding="utf-8",
    )
    (folder / "a_folder" / "warehouse.duckdb").mkdir(parents=True)
    (folder / "no_database").mkdir()
    (folder / "no_database" / "warehouse.duckdb").write_text("hello" * 999, encoding="utf-8")
    (folder / "held").mkdir()
    return folder


WORKS: dict[str, tuple[str, ...]] = {
    "plain": ("dataset=iris", "epochs=3", "seed=1"),
    "as an option of Hydra": ("--config-dir", "mine", "experiment=flowers", "limit_batches=1"),
    "own config": ("--config-dir", "mine", "-cn", "whole"),
    "added key": ("+note=hello", "seed=2", *QUICK),
    "deleted group": ("~schedule", "seed=3", *QUICK),
    "another folder": ("hydra.job.chdir=true", "seed=4", *QUICK),
    "choice": ("-m", "optimizer=adam,sgd", "results=swept", *QUICK),
    "range": ("results=swept", "--multirun", "seed=range(10,12)", *QUICK),
    "glob": ("-m", "experiment=glob(breast*)", "results=swept", "epochs=1", "limit_batches=1"),
    "lists": ("-m", "regularizer=[l1],[l1,dropout]", "results=swept", *QUICK),
    "held": ("results=held", *QUICK),
    "a folder for a database": ("results=a_folder", *QUICK),
    "no database": ("results=no_database", *QUICK),
    "summary": ("debug=summary", "dataset=iris", "results=nowhere"),
    "component that raises": ("architecture=broken", "results=broken", *QUICK),
    "sweep with a failure": ("-m", "architecture=mlp,broken", "results=broken", *QUICK),
    "sweep with a mistake": ("-m", "batch_size=8,1000", "results=broken", *QUICK),
}
# Determinism holds for the rest of the process.
LAST = {
    "deterministic": ("deterministic=true", "results=twice", "dataset=wine", "epochs=2"),
    "deterministic again": ("deterministic=true", "results=twice", "dataset=wine", "epochs=2"),
}


@pytest.fixture(scope="module")
def said(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Done]:
    """What every command line came to; they run in one process, one after the other."""
    site = Site(tmp_path_factory.mktemp("site"))
    site.install(PLUGIN)
    mistakes = {name: words for name, (words, _) in MISTAKES.items()}
    # The mistakes lie between, where a run that they leave behind would be seen.
    order = WORKS | mistakes | LAST
    with (folder / "held" / "warehouse.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = session([*order.values()], folder, {"PYTHONPATH": python_path(site)})
    return dict(zip(order, done, strict=True))


def python_path(site: Site) -> str:
    """PYTHONPATH with the site folder before what it holds already."""
    return os.pathsep.join(p for p in (str(site.folder), os.environ.get("PYTHONPATH")) if p)


@pytest.fixture
def rows(folder: Path) -> Callable[[str, str], list[tuple[Any, ...]]]:
    """Asks the warehouse of one of the results folders."""

    def rows(results: str, query: str) -> list[tuple[Any, ...]]:
        with warehouse.connect(folder / results) as connection:
            return connection.execute(query).fetchall()

    return rows


Said = Mapping[str, Done]
Rows = Callable[[str, str], list[tuple[Any, ...]]]


@pytest.mark.parametrize("what", MISTAKES)
def test_a_mistake_is_one_sentence_and_exit_code_2(what: str, said: Said) -> None:
    done, pattern = said[what], MISTAKES[what][1]
    assert done.code == 2, done.out + done.err
    assert len(done.err.splitlines()) == 1, done.err
    assert done.err.startswith("error: ")
    assert re.search(pattern, done.err), done.err
    assert "epoch" not in done.out


def test_no_mistake_leaves_a_run_behind(said: Said, folder: Path, rows: Rows) -> None:
    assert len(said) == len(WORKS | MISTAKES | LAST)
    assert rows("results", "SELECT count(*) FROM runs") == [(6,)]
    assert rows("results", "SELECT DISTINCT status FROM runs") == [("finished",)]
    assert list((folder / "results" / "journals").glob("*.jsonl")) == []


# --- A run ---------------------------------------------------------------------------------------


def test_a_run_prints_its_epochs_and_a_closing_summary(
    said: Said, folder: Path, rows: Rows
) -> None:
    done = said["plain"]
    assert (done.code, done.err) == (0, "")
    for epoch in (1, 2, 3):
        line = rf"^epoch {epoch}/3  loss \d+\.\d{{4}}  val_loss \d+\.\d{{4}}"
        assert re.search(line, done.out, re.M)
    closing = done.out.partition("\n\n")[2]
    [run_id] = re.findall(r"^run +(\S+)  finished after 3 epochs", closing, re.M)
    assert re.search(r"^best +epoch \d, val_loss \d", closing, re.M)
    assert re.search(r"^test +.*\baccuracy \d", closing, re.M)
    [weights] = re.findall(r"^weights +(\S+)$", closing, re.M)
    assert Path(weights).is_relative_to(folder / "results" / "weights")
    assert Path(weights).is_file()
    [query] = re.findall(r'^ask SQL +python -m warehouse sql "(.+)"$', closing, re.M)
    assert [row[0] for row in rows("results", query.replace("*", "run_id"))] == [run_id]
    assert f"python -m warehouse show {run_id[-8:]}" in closing


def test_hydra_keeps_its_records_where_its_users_expect_them(said: Said, folder: Path) -> None:
    runs = list((folder / "outputs").glob("*/*/.hydra/overrides.yaml"))
    assert runs
    assert list((folder / "multirun").glob("*/*/multirun.yaml"))
    # The packed launcher has the jobs' own records in the warehouse alone.
    assert list((folder / "multirun").glob("*/*/*/.hydra")) == []
    # Two commands of one second share a folder of Hydra's: which of them it tells of is chance.
    typed = [set(done.words) for done in said.values()]
    kept = {file: yaml.safe_load(file.read_text(encoding="utf-8")) for file in runs}
    assert any(kept.values())
    for file, overrides in kept.items():
        assert any(words.issuperset(overrides) for words in typed), overrides
        assert {f.name for f in file.parent.iterdir()} == {
            "config.yaml",
            "hydra.yaml",
            "overrides.yaml",
        }


@pytest.mark.parametrize(
    ("what", "seed", "experiment"),
    [
        ("as an option of Hydra", 5, "flowers"),
        ("own config", 6, "default"),
        ("added key", 2, "default"),
        ("deleted group", 3, "default"),
    ],
)
def test_what_hydra_users_expect_works(
    what: str, seed: int, experiment: str, said: Said, rows: Rows
) -> None:
    assert (said[what].code, said[what].err) == (0, "")
    found = rows("results", f"SELECT experiment, status FROM runs WHERE seed = {seed}")
    assert found == [(experiment, "finished")]


def test_an_added_key_is_a_param_of_the_run(said: Said, rows: Rows) -> None:
    assert said["added key"].code == 0
    assert rows("results", "SELECT value FROM params WHERE name = 'note'") == [("hello",)]


def test_a_summary_prints_the_model_and_trains_nothing(said: Said, folder: Path) -> None:
    done = said["summary"]
    assert done.code == 0
    assert "Total params" in done.out
    assert not (folder / "nowhere" / "journals").exists()


def test_determinism_gives_the_same_losses_to_the_last_bit(said: Said, rows: Rows) -> None:
    assert said["deterministic"].code == said["deterministic again"].code == 0
    losses = "SELECT list((loss, val_loss) ORDER BY epoch) FROM epochs GROUP BY run_id"
    one, other = rows("twice", losses)
    assert one == other


# --- Sweeps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("what", "param", "values"),
    [
        ("choice", "optimizer", ["adam", "sgd"]),
        ("range", "seed", ["10", "11"]),
        ("glob", "dataset", ["breast_cancer"]),
        ("lists", "regularizer", ["[dropout,l1]", "[l1]"]),
    ],
)
def test_a_sweep_trains_every_combination(
    what: str, param: str, values: list[str], said: Said, rows: Rows
) -> None:
    done = said[what]
    assert (done.code, done.err) == (0, "")
    ids = re.findall(FINISHED, done.out, re.M)
    assert len(ids) == len(values)
    listed = ", ".join(f"'{run_id}'" for run_id in ids)
    found = rows(
        "swept",
        f"SELECT value FROM params WHERE name = '{param}' "
        f"AND right(run_id, 8) IN ({listed}) ORDER BY value",
    )
    assert [value for (value,) in found] == values
    sweeps = rows(
        "swept", f"SELECT DISTINCT sweep_id FROM runs WHERE right(run_id, 8) IN ({listed})"
    )
    assert len(sweeps) == 1
    assert sweeps[0][0] is not None


def test_every_sweep_has_an_id_of_its_own(said: Said, rows: Rows) -> None:
    assert rows("swept", "SELECT count(DISTINCT sweep_id) FROM runs") == [(4,)]
    assert rows("results", "SELECT DISTINCT sweep_id FROM runs") == [(None,)]


# --- Failures ------------------------------------------------------------------------------------


def test_a_component_that_raises_is_a_failed_run_with_its_traceback(
    said: Said, rows: Rows
) -> None:
    done = said["component that raises"]
    assert done.code == 1
    assert "RuntimeError: no such layer" in done.err
    assert "in broken" in done.err
    found = rows(
        "broken",
        "SELECT status, runs.error, traceback FROM runs JOIN failures USING (run_id) "
        "WHERE sweep_id IS NULL",
    )
    assert len(found) == 1
    assert found[0][:2] == ("failed", "RuntimeError: no such layer")
    assert "in broken" in found[0][2]


def test_one_failure_leaves_the_rest_of_a_sweep_alone(said: Said, rows: Rows) -> None:
    done = said["sweep with a failure"]
    assert done.code == 1
    assert len(re.findall(FINISHED, done.out, re.M)) == 1
    assert "no such layer" in done.err


def test_one_mistake_leaves_the_rest_of_a_sweep_alone(said: Said) -> None:
    done = said["sweep with a mistake"]
    assert done.code == 1
    assert len(re.findall(FINISHED, done.out, re.M)) == 1
    assert "batch_size=1000 is larger" in done.err


@pytest.mark.parametrize("what", ["held", "a folder for a database", "no database"])
def test_a_warehouse_that_cannot_be_had_does_not_stop_a_run(
    what: str, said: Said, folder: Path
) -> None:
    done = said[what]
    assert done.code == 0, done.err
    assert "finished after 1 epoch" in done.out
    results = folder / done.words[0].partition("=")[2]
    assert str(results) in done.out.partition("ask SQL")[2] + done.err
    [waiting] = (results / "journals").glob("*.done.jsonl")
    last = json.loads(waiting.read_text(encoding="utf-8").splitlines()[-1])
    assert (last["record"], last["status"]) == ("run_end", "finished")


def test_a_journal_that_waited_is_taken_in_later(said: Said, folder: Path, rows: Rows) -> None:
    assert said["held"].code == 0
    assert warehouse.sync(folder / "held").reason is None
    assert rows("held", "SELECT status FROM runs") == [("finished",)]
