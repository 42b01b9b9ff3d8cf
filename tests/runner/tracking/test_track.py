"""`runner.track`: a script's own training is in the warehouse like any other run."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import runner
import warehouse
from runner.errors import ConfigError, RunnerError
from runner.journal import weights
from tests.runner.session import as_users_have_it


def rows(results: Path, query: str) -> list[tuple[object, ...]]:
    """The answer of the warehouse, after it has taken everything in."""
    warehouse.sync(results)
    with warehouse.connect(results) as connection:
        return connection.execute(query).fetchall()


def script(folder: Path, text: str) -> Path:
    """A user's script that tracks itself, with its results beside it."""
    file = folder / "train.py"
    file.write_text(f"import runner\n{text}")
    return file


def run_script(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(file), *words],
        cwd=file.parent,
        env=as_users_have_it({"PYTHONPATH": str(Path(runner.__file__).parents[1])}),
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_epochs_evaluations_and_params_are_rows_like_any_other(results: Path) -> None:
    params = {"net": {"units": [8, 4]}, "rate": np.float32(0.5), "seed": 7}
    with runner.track("mine", params, dataset="my data", results=results) as run:
        for epoch in range(1, 4):
            run.step(2.0)
            run.step(1.0)
            run.epoch(1 / epoch, [2.0, 0.5, 1.0][epoch - 1], accuracy=0.5, val_f1=epoch / 10)
        run.evaluation("test", auc=0.75)
    assert run.status == "finished" and (run.best, run.best_epoch) == (0.5, 2)
    [leader] = rows(results, "SELECT monitor, mode, best, best_epoch, epochs FROM leaderboard")
    assert leader == ("val_loss", "min", 0.5, 2, 3)
    found = rows(results, "SELECT name, value, number FROM params ORDER BY name")
    assert found == [
        ("dataset", "my data", None),
        ("net.units", "[8,4]", None),
        ("rate", "0.5", 0.5),
        ("seed", "7", 7.0),
    ]
    values = rows(results, "SELECT split, name, value FROM metrics WHERE epoch = 3 ORDER BY 1")
    assert values == [("train", "accuracy", 0.5), ("val", "f1", 0.3)]
    assert rows(results, "SELECT name, value FROM evaluations") == [("auc", 0.75)]
    assert rows(results, "SELECT count(*), sum(loss) FROM steps") == [(6, 9.0)]
    assert rows(results, "SELECT dataset, seed, status FROM runs") == [("my data", 7, "finished")]


def test_what_judges_a_run_is_what_its_first_epoch_has(results: Path) -> None:
    with runner.track("of scores", results=results) as run:
        run.epoch(val_f1=0.5)
        run.epoch(val_f1=0.7)
    assert rows(results, "SELECT monitor, mode, best FROM leaderboard") == [("val_f1", "max", 0.7)]


def test_files_are_stored_once_and_known_by_name(results: Path, tmp_path: Path) -> None:
    import pandas as pd

    note = tmp_path / "note.txt"
    note.write_text("hello")
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", "y"]})
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    with runner.track("files", results=results, max_artifact=10) as run:
        run.artifact(note)
        run.artifact(note, "again")
        run.table(frame, "rows")
        run.figure("<svg xmlns='http://www.w3.org/2000/svg'/>", 'a "b"/<c>')
        run.weights({"dense/kernel": array})
        note.write_text("longer than it may be")
        with pytest.warns(UserWarning, match="21 bytes, more than max_artifact=10"):
            run.artifact(note)
    found = rows(
        results, "SELECT kind, name, uri FROM artifacts WHERE kind <> 'source' ORDER BY kind, name"
    )
    assert [row[:2] for row in found] == [
        ("figure", 'a "b"/<c>'),
        ("file", "again"),
        ("file", "note.txt"),
        ("table", "rows"),
    ]
    assert found[1][2] == found[2][2]
    assert pd.read_parquet(results / str(found[3][2])).equals(frame)
    [(uri, sha256)] = rows(results, "SELECT uri, sha256 FROM weights")
    kept = weights.load(results, str(uri), str(sha256))
    assert np.array_equal(kept["dense/kernel"], array)


@pytest.mark.slow
def test_a_figure_that_fails_is_a_row_and_the_run_goes_on(results: Path) -> None:
    class Figure:
        def savefig(self, *args: object, **kwargs: object) -> None:
            raise ZeroDivisionError("no ink")

    with runner.track("figures", results=results) as run:
        with pytest.warns(UserWarning, match="no ink"):
            run.figure(Figure(), "sad")
        run.epoch(1.0)
    assert rows(results, "SELECT name FROM artifacts WHERE kind = 'failed figure'") == [("sad",)]
    assert rows(results, "SELECT status, epochs FROM runs") == [("finished", 1)]


@pytest.mark.many
@pytest.mark.parametrize(
    ("error", "status", "sentence"),
    [
        (ValueError("too hot"), "failed", "ValueError: too hot"),
        (KeyboardInterrupt(), "stopped", "stopped by the user after epoch 1"),
    ],
)
def test_a_script_that_breaks_off_says_how(
    results: Path, error: BaseException, status: str, sentence: str
) -> None:
    with pytest.raises(type(error)), runner.track("broken", results=results) as run:
        run.epoch(1.0)
        raise error
    assert rows(results, "SELECT status, epochs, error FROM runs") == [(status, 1, sentence)]


@pytest.mark.slow
def test_losses_that_are_no_numbers_travel(results: Path) -> None:
    with runner.track("nan", results=results) as run:
        run.epoch(1.0)
        run.epoch(math.nan, math.inf)
    found = rows(results, "SELECT loss, val_loss FROM epochs ORDER BY epoch")
    assert found[0] == (1.0, None)
    assert math.isnan(found[1][0]) and found[1][1] == math.inf  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("use", "sentence"),
    [
        (lambda run: run.epoch("much"), "loss='much' is not valid: give one number"),
        (lambda run: run.epoch(1.0, f1=[1, 2]), r"f1=\[1, 2\] is not valid"),
        (lambda run: run.artifact("/no/such/file"), "the artifact /no/such/file cannot be read"),
        (lambda run: run.figure(3), "a int is no figure: give one of Matplotlib or Altair"),
        (lambda run: run.table(object()), "a object cannot be kept as a table"),
        (lambda run: run.weights(3), "a int holds no weights"),
        (lambda run: run.weights({}, role="worst"), "role='worst' is not valid"),
        (lambda run: [run.evaluation("test", a=1), run.evaluation("test", a=1)], "once a split"),
        (lambda run: [run.finish(), run.epoch(1.0)], "has ended: begin another"),
    ],
)
def test_bad_input_is_a_sentence(results: Path, use: object, sentence: str) -> None:
    run = runner.track("bad", results=results)
    with pytest.raises(RunnerError, match=sentence):
        use(run)  # type: ignore[operator]
    run.finish()


def test_bad_beginnings_are_sentences_too(results: Path) -> None:
    for arguments, sentence in [
        (("",), "experiment='' is not valid"),
        (("x", [1]), r"params=\[1\] is not valid: give a mapping"),
        (("x", {"url": "postgres://me:secret@host/db"}), "password"),
    ]:
        with pytest.raises(ConfigError, match=sentence):
            runner.track(*arguments, results=results)
    with pytest.raises(ConfigError, match="mode='up' is not valid: give 'min' or 'max'"):
        runner.track("x", mode="up", results=results)  # type: ignore[arg-type]


def test_a_forked_process_leaves_the_run_to_its_parent(results: Path) -> None:
    with runner.track("forks", results=results) as run:
        run.epoch(1.0)
        child = os.fork()
        if not child:
            try:
                run.epoch(2.0)
            except RunnerError:
                os._exit(7)
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        run.epoch(0.5)
    assert rows(results, "SELECT status, epochs FROM runs") == [("finished", 2)]


@pytest.mark.slow
def test_a_killed_script_loses_nothing_that_it_recorded(tmp_path: Path) -> None:
    text = """
import os, signal
run = runner.track("killed", {"a": 1})
for epoch in range(50):
    run.epoch(1.0 / (epoch + 1))
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = run_script(script(tmp_path, text))
    assert done.returncode == -signal.SIGKILL
    query = "SELECT status, count(*) FROM runs JOIN epochs USING (run_id) GROUP BY ALL"
    assert rows(tmp_path / "results", query) == [("lost", 50)]


@pytest.mark.slow
def test_a_script_that_never_ends_its_run_ends_it_and_needs_no_tensorflow(tmp_path: Path) -> None:
    text = """
import sys
run = runner.track("left open", {"rate": 0.1}, monitor="val_auc")
assert "tensorflow" not in sys.modules and "keras" not in sys.modules
run.epoch(0.5, val_auc=0.9)
if "fail" in sys.argv:
    raise ValueError("late")
"""
    file = script(tmp_path, text)
    assert run_script(file).returncode == 0
    assert run_script(file, "fail").returncode == 1
    query = """
    SELECT status, error, config ->> '$.arguments[0]', a.name
    FROM runs JOIN artifacts AS a USING (run_id) WHERE a.kind = 'source' ORDER BY status
    """
    assert rows(tmp_path / "results", query) == [
        ("failed", "ValueError: late", "fail", "train.py"),
        ("finished", None, None, "train.py"),
    ]


@pytest.mark.slow
def test_a_full_disk_stops_the_record_and_not_the_training(tmp_path: Path) -> None:
    text = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
run = runner.track("full", {})
run.epoch(1.0)
size = (run.results / "journals" / f"{run.run_id}.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, resource.RLIM_INFINITY))
run.epoch(0.5)
run.epoch(0.25)
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
run.epoch(0.125)
run.finish()
"""
    done = run_script(script(tmp_path, text))
    assert done.returncode == 0 and done.stderr.count("warning: run") == 1
    assert rows(tmp_path / "results", "SELECT loss FROM epochs ORDER BY epoch") == [
        (1.0,),
        (0.5,),
        (0.25,),
        (0.125,),
    ]


@pytest.mark.slow
def test_a_keras_script_is_recorded_by_one_callback(results: Path) -> None:
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, name="head")])
    model.compile("sgd", "mse", metrics=["mae"])
    features = np.random.default_rng(0).normal(size=(32, 2)).astype(np.float32)
    track = runner.TrackKeras("keras", {"units": 1}, results=results)
    history = model.fit(
        features, features[:, :1], validation_split=0.25, epochs=3, verbose=0, callbacks=[track]
    ).history
    found = rows(results, "SELECT loss, val_loss FROM epochs ORDER BY epoch")
    assert found == list(zip(history["loss"], history["val_loss"], strict=True))
    assert rows(results, "SELECT split FROM metrics WHERE epoch = 1 ORDER BY 1") == [
        ("train",),
        ("val",),
    ]
    values = dict(rows(results, "SELECT name, number FROM params"))
    assert values["units"] == 1.0 and values["optimizer.learning_rate"] == pytest.approx(0.01)
    assert rows(results, "SELECT status, epochs FROM runs") == [("finished", 3)]
    [(uri, sha256)] = rows(results, "SELECT uri, sha256 FROM weights WHERE role = 'best'")
    kept = weights.load(results, str(uri), str(sha256))
    assert {name.rpartition("/")[2] for name in kept} == {"kernel", "bias"}
