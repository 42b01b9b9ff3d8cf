"""Runs for other trackers: read back by our own reader, and by theirs where it is installed."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from typing import Any

import duckdb
import pytest

from runner.journal.records import EpochEnd, Steps
from tests.warehouse.conftest import House, ending, records
from tests.warehouse.trackers.test_imports import ask
from warehouse.trackers.event_files import read_events

ODD = {'a/b "c" <b>': "it's", "l" * 300: "x" * 300, "optimizer.learning_rate": 0.001}
LOSSES = "SELECT epoch, split, name, value::FLOAT::VARCHAR FROM curves WHERE NOT isnan(value)"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> House:
    """One run that ended with odd names, one that failed and diverged, one that was deleted."""
    house = House(tmp_path_factory.mktemp("told") / "results")
    run = "01a00000-0000-7000-8000-00000000000a"
    first = records(run, 3, params=ODD, experiment="e <b>'q'/x")
    last = first.pop()
    house.write([*first, Steps(run, 3, [10, 20], [0.5, 0.4]), last, *ending(run)])
    bad = "01a00000-0000-7000-8000-00000000000b"
    broken = EpochEnd(bad, 2, math.nan, math.inf, 0.001, 0.5)
    house.write([*records(bad, 1), broken, *ending(bad, 2, status="failed", error="it diverged")])
    gone = house.run(1)
    house.command("sync")
    assert house.command("delete", gone).returncode == 0
    assert house.command("tag", run, "good", "team=a/b").returncode == 0
    assert house.command("note", run, "a <i>note</i>").returncode == 0
    return house


@pytest.mark.parametrize("form", ["parquet", "csv"])
@pytest.mark.many
def test_tables_are_files(form: str, told: House, tmp_path: Path) -> None:
    target = tmp_path / "it's [new]" / "out"
    done = told.command("export", form, str(target))
    assert done.returncode == 0, done.stderr
    assert f"exported 2 runs to {target}: runs.{form} (2), params.{form} (5)" in done.stdout
    for table in ("runs", "params", "epochs", "metrics", "evaluations"):
        with duckdb.connect() as con:
            file = con.read_parquet if form == "parquet" else con.read_csv
            written = file(str(target / f"{table}.{form}").replace("[", "[[]", 1))
            count = written.aggregate("count(*)").fetchall()
        query = f"SELECT count(*) FROM {table} ANTI JOIN deleted USING (run_id)"
        assert count == ask(told, query), table
    again = told.command("export", form, str(target))
    assert again.returncode == 2
    assert "is not empty: give a folder that is new or empty" in again.stderr


@pytest.mark.slow
def test_event_files_say_what_the_warehouse_says(told: House, tmp_path: Path) -> None:
    target = tmp_path / "tb"
    assert told.command("export", "tensorboard", str(target)).returncode == 0
    back = House(tmp_path / "back")
    assert back.command("import", "tensorboard", str(target)).returncode == 0
    steps = " AND name <> 'batch_loss'"
    assert ask(
        back, f"{LOSSES}{steps} AND name <> 'learning_rate' AND name NOT LIKE 'kept%' ORDER BY ALL"
    ) == ask(told, f"{LOSSES} ORDER BY ALL")
    query = "SELECT name, value FROM params ORDER BY ALL"
    assert {name for name, _ in ask(back, query)} == {*ODD, "architecture.name"}
    assert ask(back, "SELECT number FROM params WHERE name = 'optimizer.learning_rate'") == [
        (0.001,),
        (0.001,),
    ]
    assert ask(back, "SELECT status FROM runs ORDER BY ALL") == [("failed",), ("finished",)]
    assert ask(back, "SELECT name, value::FLOAT FROM evaluations ORDER BY ALL LIMIT 2") == [
        ("accuracy", pytest.approx(0.9)),
        ("accuracy", pytest.approx(0.9)),
    ]
    moments = {
        round(event.wall_time - 1793527200, 3)  # when the runs of `records` start
        for file in target.rglob("*00000a")
        if file.is_file()
        for event in read_events(file)
    }
    assert moments == {0.0, 0.5, 1.0, 1.5, 9.0}


def test_losses_of_batches_have_a_step_of_their_own(told: House, tmp_path: Path) -> None:
    told.command("export", "tensorboard", str(tmp_path / "tb"))
    points = [
        (value.tag, event.step, round(value.simple_value, 3))
        for file in (tmp_path / "tb").rglob("*00000a")
        if file.is_file()
        for event in read_events(file)
        for value in event.summary.value
        if value.tag == "batch_loss"
    ]
    assert points == [("batch_loss", 50, 0.5), ("batch_loss", 60, 0.4)]


@pytest.mark.slow
def test_what_was_imported_is_exported_under_its_own_names(stores: Path, tmp_path: Path) -> None:
    house, back = House(tmp_path / "results"), House(tmp_path / "back")
    house.command("import", "wandb", str(stores / "wandb"))
    (run_id,) = ask(house, "SELECT run_id FROM tags WHERE tag = 'name=lr/0.1'")[0]
    house.command("export", "tensorboard", str(tmp_path / "tb"), run_id)
    (file,) = (file for file in (tmp_path / "tb").rglob("*") if file.is_file())
    points = {
        (value.tag, event.step)
        for event in read_events(file)
        for value in event.summary.value
        if not value.tag.startswith("_")
    }
    assert {("train/loss", 0), ("val/loss", 4), ("nested.a", 3), ("test/accuracy", 4)} <= points
    back.command("import", "tensorboard", str(tmp_path / "tb"))
    assert ask(back, f"{LOSSES} ORDER BY ALL") == ask(
        house, f"{LOSSES} AND run_id = $1 ORDER BY ALL", run_id
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["csv", "here", "nope"], "there is no run 'nope'"),
        (["csv", "here", "--best", "0"], "--best 0 must lie between"),
        (["csv", "file"], "file is a file; give a folder that is new or empty"),
        (["tensorboard", "file/below"], "cannot be made (Not a directory)"),
        (["mlflow", "nowhere/x.db"], "there is no folder"),
    ],
)
def test_a_wrong_target_is_one_sentence(
    words: list[str],
    said: str,
    told: House,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    done = told.command("export", *words)
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


def test_nothing_is_written_among_the_results(told: House) -> None:
    done = told.command("export", "parquet", str(told.journals / "x"))
    assert done.returncode == 2
    assert "the results in" in done.stderr


def test_without_runs_there_is_nothing_to_export(house: House, tmp_path: Path) -> None:
    done = house.command("export", "csv", str(tmp_path / "out"))
    assert done.returncode == 2
    assert "there is no run in" in done.stderr
    assert not (tmp_path / "out").exists()


# --- With their own readers ----------------------------------------------------------------------

HAS_MLFLOW = importlib.util.find_spec("mlflow") is not None
HAS_TENSORBOARD = importlib.util.find_spec("tensorboard") is not None


@pytest.mark.skipif(HAS_MLFLOW, reason="mlflow is installed")
def test_without_mlflow_it_says_what_to_install(told: House, tmp_path: Path) -> None:
    for words in (
        ["export", "mlflow", str(tmp_path / "m.db")],
        ["import", "mlflow", "http://me:secret@127.0.0.1:1"],
    ):
        done = told.command(*words)
        assert done.returncode == 2
        assert "needs the package mlflow: pip install mlflow" in done.stderr
        assert "secret" not in done.stderr


@pytest.mark.skipif(not HAS_MLFLOW, reason="mlflow is not installed")
def test_mlflow_shows_what_the_warehouse_says(told: House, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    for said in ("exported 2 runs", "exported 0 runs"):
        done = told.command("export", "mlflow", str(tmp_path / "m.db"))
        assert said in done.stdout, done.stderr
    client: Any = MlflowClient(f"sqlite:///{tmp_path / 'm.db'}")
    (experiment,) = (e for e in client.search_experiments() if e.name == "e <b>'q'/x")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.status == "FINISHED"
    assert (run.info.start_time, run.info.end_time) == (1793527200000, 1793527209000)
    assert run.data.params["optimizer.learning_rate"] == "0.001"
    assert run.data.params["a/b _c_ _b_"] == "it's"
    assert run.data.params["l" * 250] == "x" * 300
    assert run.data.tags["team"] == "a/b"
    assert run.data.tags["mlflow.note.content"] == "a <i>note</i>"
    history = client.get_metric_history(run.info.run_id, "val_loss")
    query = "SELECT epoch, val_loss FROM epochs WHERE ends_with(run_id, '0a') ORDER BY epoch"
    assert [(point.step, point.value) for point in history] == ask(told, query)
    assert [point.timestamp for point in history] == [1793527200500, 1793527201000, 1793527201500]
    assert run.data.metrics["test_accuracy"] == 0.9
    # Taken back in, they are the runs that they were.
    done = told.command("import", "mlflow", str(tmp_path / "m.db"))
    assert "imported 0 runs" in done.stdout


@pytest.mark.skipif(not HAS_TENSORBOARD, reason="tensorboard is not installed")
def test_tensorboard_shows_what_the_warehouse_says(told: House, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_multiplexer import (
        EventMultiplexer,
    )

    told.command("export", "tensorboard", str(tmp_path / "tb"))
    shown: Any = EventMultiplexer().AddRunsFromDirectory(str(tmp_path / "tb"))
    shown.Reload()
    (run,) = (name for name in shown.Runs() if name.endswith("00000a"))
    query = (
        "SELECT epoch, val_loss::FLOAT FROM epochs WHERE ends_with(run_id, '0a') ORDER BY epoch"
    )
    assert [(e.step, e.value) for e in shown.Scalars(run, "val_loss")] == ask(told, query)
    assert "_hparams_/session_start_info" in shown.GetAccumulator(run).PluginTagToContent(
        "hparams"
    )
