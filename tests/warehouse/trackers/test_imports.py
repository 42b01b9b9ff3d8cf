"""Runs of other trackers, from stores that the trackers themselves wrote."""

from __future__ import annotations

import contextlib
import math
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import warehouse
from runner.journal.file import Journal
from runner.journal.metric_names import split_of
from tests.warehouse.conftest import House
from tests.warehouse.trackers.conftest import unpack
from warehouse.place import Place
from warehouse.trackers import importing, mlflow
from warehouse.trackers.foreign import History, Point, Run
from warehouse.trackers.journal import records_of

CSV = "lr,units,val_loss,test acc,when\n0.1,[64],0.5,0.9,2026-01-01\n0.2,<b>'q',0.25,,2026-01-02\n"


def ask(house: House, query: str, *values: Any) -> list[tuple[Any, ...]]:
    with warehouse.connect(house.results) as con:
        return con.execute(query, list(values)).fetchall()


class Imported(House):
    """A results folder into which all the stores were imported, and what that said."""

    said: dict[str, str]

    def rows(self, query: str, name: str = "") -> list[tuple[Any, ...]]:
        """The rows of a query, in which $1 is the id of the run of that name."""
        if not name:
            return ask(self, query)
        ((run_id,),) = ask(self, "SELECT run_id FROM tags WHERE tag = $1", f"name={name}")
        return ask(self, query, run_id)


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    folder = tmp_path_factory.mktemp("imports")
    stores = unpack(folder / "stores")
    shutil.rmtree(stores / "mlruns")  # the same runs in another form: a test of its own
    (stores / "table.csv").write_text(CSV, "utf-8")
    house = Imported(folder / "results")
    house.said = {}
    for _ in range(2):
        for name, words in {
            "mlflow": [stores / "mlflow.db"],
            "wandb": [stores / "wandb"],
            "tensorboard": [stores / "tb", "--experiment", "tb"],
            "csv": [
                *(stores / "table.csv", "--params", "lr", "units"),
                *("--metrics", "val_loss", "test acc", "--started", "when"),
            ],
        }.items():
            done = house.command("import", name, *map(str, words))
            assert done.returncode == 0, done.stderr
            house.said[name] = house.said.get(name, "") + done.stdout + done.stderr
    yield house


def test_twice_is_once(imported: Imported) -> None:
    counts = dict(imported.rows("SELECT engine, count(*) FROM runs GROUP BY engine"))
    assert counts == {"mlflow": 7, "wandb": 2, "tensorboard": 3, "csv": 2}
    assert "imported 7 runs" in imported.said["mlflow"]
    for name, count in counts.items():
        assert (
            f"imported 0 runs from {imported.said[name].split(' from ')[1].split()[0]}"
            in (imported.said[name])
        )
        assert f"; {count} there before" in imported.said[name]


def test_runs_of_mlflow_have_their_state_times_and_group(imported: Imported) -> None:
    rows = imported.rows(
        "SELECT t.tag, r.status, r.experiment, r.epochs, r.best_epoch, r.monitor, "
        "r.ended_at >= r.started_at, r.started_at > '2026-11-01', r.imported_from LIKE 'sqlite:%' "
        "FROM runs AS r JOIN tags AS t ON t.run_id = r.run_id AND t.tag LIKE 'name=%' "
        "WHERE engine = 'mlflow' ORDER BY r.started_at"
    )
    experiment = "digits 'q' \"<b>x</b>/y"
    sure = (True, True, True)
    assert rows == [
        ("name=lr 0.1", "finished", experiment, 5, 3, "val_loss", *sure),
        ("name=child", "finished", experiment, 1, 3, "loss", *sure),
        ("name=lr 0.01", "finished", experiment, 5, 3, "val_loss", *sure),
        ("name=child", "finished", experiment, 1, 3, "loss", *sure),
        ("name=fails", "failed", experiment, 0, None, "val_loss", *sure),
        ("name=killed", "stopped", experiment, 0, None, "val_loss", *sure),
        ("name=goes on", "lost", experiment, 1, 1, "loss", *sure),
    ]
    children = imported.rows(
        "SELECT count(DISTINCT sweep_id), count(*) FROM runs "
        "WHERE engine = 'mlflow' AND sweep_id IS NOT NULL"
    )
    assert children == [(2, 2)]


def test_every_value_of_mlflow_is_there_at_its_step(imported: Imported) -> None:
    rows = imported.rows(
        "SELECT epoch, split, name, value FROM curves WHERE run_id = $1 ORDER BY ALL", "lr 0.1"
    )
    at: dict[tuple[str, str], list[float]] = {}
    for _, split, name, value in rows:
        at.setdefault((split, name), []).append(value)
    assert at["train", "loss"] == [1.0, 0.5, 1 / 3, 0.25, 0.125]  # the last one of two
    assert at["val", "loss"][:3] == [1.1, 0.6, 0.5]
    assert math.isnan(at["val", "loss"][3])
    assert at["val", "acc"] == [0.0, 0.1, 0.2, 0.30000000000000004, 0.4]
    assert [row for row in rows if row[2] == "grew"] == [(3, "train", "grew", math.inf)]
    assert not [row for row in rows if row[2].startswith("system")]
    evaluations = "SELECT split, name, value FROM evaluations WHERE run_id = $1"
    assert imported.rows(evaluations, "lr 0.1") == [("test", "accuracy", 0.75)]


def test_params_tags_notes_and_files_of_mlflow(imported: Imported) -> None:
    params = "SELECT name, value, number FROM params WHERE run_id = $1 ORDER BY name"
    assert imported.rows(params, "lr 0.1") == [
        ("a/b", 'it\'s "q"', None),
        ("l" * 240, "x" * 300, None),
        ("lr", "0.1", 0.1),
        ("units", "[64, 32]", None),
    ]
    tags = imported.rows("SELECT tag FROM tags WHERE run_id = $1 ORDER BY tag", "lr 0.1")
    assert tags == [("html=<b>&amp;</b>",), ("name=lr 0.1",), ("team=blue/green",)]
    assert imported.rows("SELECT note FROM notes WHERE run_id = $1", "lr 0.1") == [
        ("first <i>try</i>",)
    ]
    ((path, address),) = imported.rows(
        "SELECT path, address FROM files_elsewhere WHERE run_id = $1", "lr 0.1"
    )
    assert path == ""
    assert address.endswith("/artifacts")  # where it lay is gone


@pytest.mark.slow
@pytest.mark.exhaustive
def test_the_file_store_says_what_the_database_says(stores: Path, house: House) -> None:
    done = house.command("import", "mlflow", str(stores))
    assert "give that file" in done.stderr
    (stores / "mlflow.db").rename(stores / "other.db")
    for source in (stores, stores / "other.db"):
        assert house.command("import", "mlflow", str(source)).returncode == 0
    for query in (
        "SELECT epoch, split, name, value FROM curves SEMI JOIN chosen USING (run_id)",
        "SELECT name, value, number FROM params SEMI JOIN chosen USING (run_id)",
        "SELECT tag FROM tags SEMI JOIN chosen USING (run_id)",
        "SELECT status, epochs, best_epoch, monitor, error FROM chosen",
    ):
        files, database = (
            ask(
                house,
                f"WITH chosen AS (FROM runs WHERE imported_from LIKE '{kind}:%') "
                f"SELECT ALL COLUMNS(*)::VARCHAR FROM ({query}) ORDER BY ALL",
            )
            for kind in ("file", "sqlite")
        )
        assert files == database
        assert files


@pytest.mark.slow
def test_a_rebuild_keeps_what_was_imported(stores: Path, house: House) -> None:
    house.command("import", "wandb", str(stores / "wandb"))
    query = "SELECT run_id, epoch, split, name, value::VARCHAR FROM curves ORDER BY ALL"
    before = ask(house, query), ask(house, "FROM tags ORDER BY ALL")
    assert house.command("rebuild").returncode == 0
    assert before == (ask(house, query), ask(house, "FROM tags ORDER BY ALL"))
    assert house.command("verify").returncode == 0
    assert "2 there before" in house.command("import", "wandb", str(stores / "wandb")).stdout


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_run_that_changed_at_its_source_is_replaced(stores: Path, house: House) -> None:
    source = stores / "mlflow.db"
    house.command("import", "mlflow", str(source))
    with contextlib.closing(sqlite3.connect(source)) as con, con:
        con.execute(
            "UPDATE runs SET status = 'FINISHED', end_time = start_time + 5000 "
            "WHERE name = 'goes on'"
        )
        con.execute(
            "INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan) "
            "SELECT 'loss', 0.5, start_time + 3000, run_uuid, 1, 0 FROM runs "
            "WHERE name = 'goes on'"
        )
        # One that had ended, too, and without more to say.
        con.execute("UPDATE params SET value = '8' WHERE value = '9'")
    done = house.command("import", "mlflow", str(source))
    assert "imported 2 runs" in done.stdout
    assert "2 of them again, since changed there; 5 there before" in done.stdout
    assert ask(
        house,
        "SELECT r.status, r.epochs, r.seconds, list(c.value ORDER BY epoch) FROM runs AS r "
        "JOIN tags AS t ON t.run_id = r.run_id AND t.tag = 'name=goes on' "
        "JOIN curves AS c ON c.run_id = r.run_id GROUP BY ALL",
    ) == [("finished", 2, 5.0, [2.0, 0.5])]
    assert ask(house, "SELECT value FROM params WHERE value IN ('8', '9')") == [("8",)]
    assert ask(house, "SELECT count(*), count(DISTINCT run_id) FROM runs") == [(7, 7)]
    assert house.command("verify").returncode == 0


@pytest.mark.slow
def test_an_import_that_was_killed_is_made_whole(stores: Path, house: House) -> None:
    with mlflow.runs_of(str(stores / "mlflow.db")) as runs:
        first = next(iter(runs))
        records = list(records_of(first))
    with Journal(house.journals, first.run_id) as journal:
        for record in records[:3]:
            journal.append(record)
    assert "imported 7 runs" in house.command("import", "mlflow", str(stores / "mlflow.db")).stdout
    query = "SELECT status, epochs FROM runs WHERE run_id = $1"
    assert ask(house, query, first.run_id) == [("finished", 5)]


def test_runs_of_wandb(imported: Imported) -> None:
    rows = imported.rows(
        "SELECT status, error, experiment, epochs, best_epoch, monitor, seconds > 0, host <> '' "
        "FROM runs WHERE engine = 'wandb' ORDER BY started_at"
    )
    failed = "failed with exit code 1, as W&B says"
    assert rows == [
        ("finished", None, "digits <b>x", 5, 5, "val_loss", True, True),
        ("failed", failed, "digits <b>x", 5, 5, "val_loss", True, True),
    ]
    curves = imported.rows(
        "SELECT split, name, list(value ORDER BY epoch)::VARCHAR FROM curves WHERE run_id = $1 "
        "GROUP BY ALL ORDER BY ALL",
        "lr/0.1",
    )
    assert curves == [
        ("train", "loss", "[1.0, 0.5, 0.3333333333333333, 0.25, 0.2]"),
        ("train", "nested.a", "[0.0, 1.0, 2.0, 3.0, 4.0]"),
        ("train", "score", "[0.0, 0.1, 0.2, 0.30000000000000004, 0.4]"),
        ("val", "loss", "[1.1, 0.55, 0.3666666666666667, nan, 0.22000000000000003]"),
    ]
    assert imported.rows(
        "SELECT name, value FROM params WHERE run_id = $1 ORDER BY name", "lr/0.1"
    ) == [
        *(("lr", "0.1"), ("model.act", "relu"), ("model.units", "[64,32]")),
        ("note", 'it\'s "q"'),
    ]
    assert imported.rows("SELECT tag FROM tags WHERE run_id = $1 ORDER BY tag", "lr/0.1") == [
        *(("a/b",), ("base",), ("name=lr/0.1",)),
    ]
    query = "SELECT mode FROM run_metrics WHERE run_id = $1 AND name = 'score'"
    assert imported.rows(query, "lr/0.1") == [("max",)]  # as `define_metric` says
    query = "SELECT split, name, value FROM evaluations WHERE run_id = $1"
    assert imported.rows(query, "lr/0.1") == [("test", "accuracy", 0.75)]


def test_runs_of_tensorboard(imported: Imported) -> None:
    assert imported.rows(
        "SELECT epochs, monitor, status, list(value ORDER BY epoch) FROM runs JOIN curves "
        "USING (run_id) WHERE run_id = $1 AND split = 'val' AND name = 'loss' GROUP BY ALL",
        "old",
    ) == [(3, "val_loss", "finished", [1.0, 0.5, 0.0])]
    own = imported.rows(
        "SELECT split, name, list(epoch ORDER BY epoch), list(round(value, 4) ORDER BY epoch)"
        "::VARCHAR FROM curves WHERE run_id = $1 GROUP BY ALL ORDER BY ALL",
        "own",
    )
    steps = [1, 101, 201]
    assert own == [
        ("train", "loss", steps, "[1.0, 0.0099, 0.005]"),
        ("train", "never", steps, "[nan, nan, nan]"),
        ("val", "loss", steps, "[2.0, 0.0198, 0.01]"),
    ]
    ((config,),) = imported.rows("SELECT config FROM runs WHERE run_id = $1", "own")
    assert "lr: 0.1 <b>" in config


def test_what_keras_writes_is_one_run_with_two_splits(imported: Imported) -> None:
    name = "fit <b>'q'"
    fit = imported.rows(
        "SELECT epochs, count(DISTINCT (split, c.name)), min(epoch), max(epoch) FROM runs "
        "JOIN curves AS c USING (run_id) WHERE run_id = $1 AND split IN ('train', 'val') "
        "AND c.name IN ('loss', 'accuracy') GROUP BY ALL",
        name,
    )
    assert fit == [(3, 4, 1, 3)]
    rates = imported.rows("SELECT learning_rate FROM epochs WHERE run_id = $1", name)
    assert rates == [(pytest.approx(0.001),)] * 3
    assert imported.rows(
        "SELECT name, value FROM params WHERE run_id = $1 ORDER BY name", name
    ) == [("flag", "false"), ("lr", "0.0"), ("opt", "ad'am")]
    said = "left out, since their steps are batches and not epochs: train/batch_"
    assert said in imported.said["tensorboard"]


def test_a_row_of_a_table_is_a_run(imported: Imported) -> None:
    assert imported.rows(
        "SELECT l.experiment, l.rank, l.best, l.started_at::DATE::VARCHAR, p.value "
        "FROM leaderboard AS l JOIN params AS p ON p.run_id = l.run_id AND p.name = 'units' "
        "JOIN runs AS r ON r.run_id = l.run_id WHERE engine = 'csv' ORDER BY l.best"
    ) == [
        ("table", 1, 0.25, "2026-01-02", "<b>'q'"),
        ("table", 2, 0.5, "2026-01-01", "[64]"),
    ]
    query = "SELECT split, name, value FROM evaluations JOIN runs USING (run_id) "
    assert imported.rows(query + "WHERE engine = 'csv'") == [("test", "acc", 0.9)]


@pytest.mark.slow
def test_the_rows_of_a_run_are_its_epochs(tmp_path: Path, house: House) -> None:
    file = tmp_path / "history.csv"
    file.write_text("id;step;lr;loss\na;0;0.1;3\nb;0;0.2;1\na;1;0.1;2\nb;1;0.2;nan\n", "utf-8")
    words = ["import", "csv", str(file), "--run", "id", "--epoch", "step", "--params", "lr"]
    assert house.command(*words, "--metrics", "loss").returncode == 0
    with file.open("a", encoding="utf-8") as grown:
        grown.write("a;2;0.1;1\n")
    said = house.command(*words, "--metrics", "loss").stdout
    assert "imported 1 run from" in said
    assert "1 there before" in said
    query = "SELECT list(loss ORDER BY epoch)::VARCHAR FROM epochs GROUP BY run_id ORDER BY ALL"
    assert ask(house, query) == [("[1.0, nan]",), ("[3.0, 2.0, 1.0]",)]


@pytest.mark.slow
def test_losses_of_every_batch_are_steps_inside_of_epochs(house: House) -> None:
    points = [Point(step, "loss", float(step), step / 10) for step in range(1, 21)]
    points += [Point(step, "eval/loss", step / 10, step / 10) for step in (10, 20)]
    run = Run(
        tracker="mlflow",
        identity=["x"],
        address="nowhere",
        experiment="e",
        name=None,
        status="finished",
        started=0.0,
        ended=None,
        histories={"loss": History(20, 1, 20), "eval/loss": History(2, 10, 20)},
        points=lambda: iter(sorted(points)),
    )
    importing.take_in(Place.of(house.results), [run])
    assert ask(house, "SELECT epoch, loss, val_loss, seconds FROM epochs") == [
        (10, 10.0, 1.0, 1.0),
        (20, 20.0, 2.0, 1.0),
    ]
    steps = ask(
        house,
        "SELECT epoch, count(*), min(step), max(step), sum(loss) FROM steps "
        "GROUP BY epoch ORDER BY epoch",
    )
    assert steps == [(10, 9, 1, 9, 45.0), (20, 9, 1, 9, 135.0)]


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("loss", ("train", "loss")),
        ("Loss/train", ("train", "loss")),
        ("val_loss", ("val", "loss")),
        ("eval/acc", ("val", "acc")),
        ("validation_auc", ("val", "auc")),
        ("test_f1", ("test", "f1")),
        ("evaluated", ("train", "evaluated")),
        ("val", ("train", "val")),
        ("training_score", ("train", "score")),
    ],
)
def test_names_tell_their_split(name: str, meant: tuple[str, str]) -> None:
    assert split_of(name) == meant


# --- Bad input -----------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_store_that_is_locked_is_said_to_be(
    stores: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow, "BUSY_SECONDS", 0.1)
    with contextlib.closing(sqlite3.connect(stores / "mlflow.db")) as con:
        con.execute("BEGIN EXCLUSIVE")
        done = house.command("import", "mlflow", str(stores / "mlflow.db"))
    assert done.returncode == 2
    assert "is locked by another program" in done.stderr
    assert "imported 7" in house.command("import", "mlflow", str(stores / "mlflow.db")).stdout


@pytest.mark.slow
def test_two_imports_at_once_take_turns(
    stores: Path, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importing, "PATIENCE", 0.1)
    house.command("import", "csv", *a_table(stores, "--metrics", "lr")[1:])
    with Place.of(house.results).locked(name="import.lock"):
        done = house.command("import", "wandb", str(stores / "wandb"))
        assert done.returncode == 2
        assert "another import into" in done.stderr
    assert "imported 2" in house.command("import", "wandb", str(stores / "wandb")).stdout


def drop_column(stores: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(stores / "mlflow.db")) as con, con:
        con.execute("ALTER TABLE metrics RENAME COLUMN is_nan TO is_none")
    return ["mlflow", str(stores / "mlflow.db")]


def break_pages(stores: Path) -> list[str]:
    file = stores / "mlflow.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    file.write_bytes(content)
    return ["mlflow", str(file)]


def no_sqlite(stores: Path) -> list[str]:
    (stores / "x.db").write_text("hello")
    return ["mlflow", str(stores / "x.db")]


def break_metrics(stores: Path) -> list[str]:
    file = next((stores / "mlruns").rglob("metrics/loss"))
    file.write_text("17 x 1\n" + file.read_text())
    return ["mlflow", str(stores / "mlruns")]


def newer_wandb(stores: Path) -> list[str]:
    file = next((stores / "wandb").rglob("*.wandb"))
    file.write_bytes(file.read_bytes()[:6] + b"\x07" + file.read_bytes()[7:])
    return ["wandb", str(stores / "wandb")]


def no_events(stores: Path) -> list[str]:
    next((stores / "tb").rglob("*.tfevents.*")).write_bytes(b"hello" * 10)
    return ["tensorboard", str(stores / "tb")]


def a_table(stores: Path, *words: str) -> list[str]:
    (stores / "t.csv").write_text(CSV, "utf-8")
    return ["csv", str(stores / "t.csv"), *words]


@pytest.mark.many
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (drop_column, "its table metrics has no is_nan; `mlflow db upgrade`"),
        (break_pages, "mlflow.db is broken"),
        (no_sqlite, "is no file of SQLite"),
        (lambda _: ["mlflow", "nowhere"], "there is no MLflow store nowhere: give its file"),
        (lambda stores: ["mlflow", str(stores / "tb")], "is no file store of MLflow's"),
        (break_metrics, "line 1 is '17 x 1', not a moment, a value and a step"),
        (lambda stores: ["wandb", str(stores / "tb")], "there is no offline run of W&B in"),
        (newer_wandb, "is of a version of W&B's files that is not known here"),
        (no_events, "it is no event file, or broken"),
        (lambda stores: ["tensorboard", str(stores / "wandb")], "there is no event file below"),
        (lambda s: a_table(s, "--metrics", "loss"), "has no column 'loss': did you mean"),
        (lambda s: a_table(s, "--metrics", "units"), "row 1: units is '[64]', not a number"),
        (lambda s: a_table(s, "--metrics", "lr", "--params", "lr"), "'lr' is named twice"),
        (lambda s: a_table(s, "--metrics", "lr", "--epoch", "lr"), "--epoch needs --run"),
    ],
)
def test_bad_input_is_one_sentence(words: Any, said: str, stores: Path, house: House) -> None:
    done = house.command("import", *words(stores))
    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_file_in_the_writing_is_taken_as_far_as_it_goes(stores: Path, house: House) -> None:
    for pattern in ("wandb/**/*.wandb", "tb/own/*"):
        file = next(stores.glob(pattern))
        file.write_bytes(file.read_bytes()[:-20])
    done = house.command("import", "tensorboard", str(stores / "tb"))
    assert "imported 3 runs" in done.stdout
    assert "it breaks off; the" in done.stderr
    done = house.command("import", "wandb", str(stores / "wandb"))
    assert "imported 2 runs" in done.stdout
    assert "it breaks off; what comes before that is taken in" in done.stderr
    query = "SELECT count(*) FROM runs WHERE engine = 'wandb' AND status = 'lost' AND epochs = 5"
    assert ask(house, query) == [(1,)]
