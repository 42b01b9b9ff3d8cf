"""Built-in callbacks, and what the kind does to a run."""

from __future__ import annotations

import csv
import importlib.util

import pytest

from runner import ModelError
from runner.errors import PluginError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.model.build import build
from tests.runner.pairs import events_of, job_of

IRIS = ("dataset=iris", "epochs=3", "architecture.units=[4]", "regularizer=[]")
OFFERS = {"task": None, "epochs": 3, "monitor": "val_loss", "mode": "min"}


@pytest.mark.parametrize(
    ("name", "params", "made"),
    [
        ("csv_logger", {}, "CSVLogger"),
        ("terminate_on_nan", {}, "TerminateOnNaN"),
        (
            "keras",
            {"class_name": "ReduceLROnPlateau", "params": {"factor": 0.5}},
            "ReduceLROnPlateau",
        ),
    ],
)
def test_a_component_makes_the_callback_of_keras(make, tmp_path, monkeypatch, name, params, made):
    monkeypatch.chdir(tmp_path)
    assert type(make("callback", name, **OFFERS, **params)).__name__ == made


@pytest.mark.slow
def test_the_csv_logger_writes_what_the_run_records(tmp_path):
    path = tmp_path / "logs" / "0.csv"
    words = (
        *IRIS,
        "callback=[csv_logger]",
        f"callback.csv_logger.path={tmp_path}/logs/${{seed}}.csv",
    )
    events = events_of(job_of(words))
    with path.open() as file:
        rows = list(csv.DictReader(file))
    recorded = [e for e in events if isinstance(e, EpochEnd)]
    assert [float(row["val_loss"]) for row in rows] == [e.val_loss for e in recorded]
    assert isinstance(events[0], RunStart) and events[0].engine == "fast"
    # Another run begins the file anew, or goes on in it.
    events_of(job_of(words))
    assert len(path.read_text().splitlines()) == 4
    events_of(job_of((*words, "callback.csv_logger.append=true")))
    assert len(path.read_text().splitlines()) == 7


def test_where_a_callback_writes_is_no_part_of_the_fingerprint():
    from runner.config.fingerprint import fingerprint

    same = [
        fingerprint(job_of((*IRIS, "callback=[csv_logger]", *path)).config, "data")
        for path in ((), ("callback.csv_logger.path=elsewhere.csv",))
    ]
    assert same[0] == same[1]
    assert fingerprint(job_of(IRIS).config, "data") != same[0]


def test_terminate_on_nan_ends_a_run_within_its_epoch():
    words = (*IRIS, "callback=[terminate_on_nan]", "optimizer=sgd", "optimizer.learning_rate=1e30")
    events = events_of(job_of((*words, "loss=mse", "architecture.activation=linear")))
    start, end = events[0], events[-1]
    assert isinstance(start, RunStart) and isinstance(end, RunEnd)
    assert start.engine == "keras"
    assert start.engine_reason == "fast declines: the callback TerminateOnNaN acts on batches"
    assert (end.status, end.epochs) == ("failed", 1)


def test_keras_callbacks_come_by_name():
    words = (
        *(*IRIS, "callback=[keras]", "callback.keras.class_name=EarlyStopping"),
        "callback.keras.params={monitor:loss,patience:0,min_delta:100}",
    )
    end = events_of(job_of(words))[-1]
    assert isinstance(end, RunEnd)
    assert (end.status, end.epochs) == ("finished", 2)


@pytest.mark.parametrize(
    ("params", "sentence"),
    [
        ({"class_name": "EarlyStoping"}, "did you mean 'EarlyStopping'"),
        ({"class_name": "EarlyStopping", "params": {"patienc": 1}}, "unexpected.*'patienc'"),
        ({"class_name": "EarlyStopping", "params": {"restore": 1}}, "'restore'"),
    ],
)
def test_a_class_or_param_that_keras_lacks_is_one_sentence(make, params, sentence):
    with pytest.raises(ModelError, match=sentence):
        make("callback", "keras", **OFFERS, **params)


def test_tensorboard_without_its_package_is_one_sentence(make, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match="pip install tensorboard"):
        make("callback", "tensorboard", **OFFERS)


def test_tensorboard_writes_its_events(make, tmp_path):
    pytest.importorskip("tensorboard")
    events_of(job_of((*IRIS, "callback=[tensorboard]", f"callback.tensorboard.path={tmp_path}")))
    assert list(tmp_path.rglob("events.out.tfevents.*"))


def test_a_callback_that_is_none_is_one_sentence(site):
    site.install("""
    from runner import callback

    @callback
    def odd(monitor):
        "Not a callback."
        return monitor
    """)
    job = job_of((*IRIS, "callback=[odd]"))
    with pytest.raises(PluginError, match="callback 'odd' returned str, not a Keras callback"):
        build(job.config, job.data)
