"""Every private name of Keras and TensorFlow, taken away in turn: no run fails for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest

from runner.backend import keras_private, onednn_private, tensorflow_private
from runner.backend import seeds as randomness
from runner.backend.names import Unsupported
from runner.commands.table import run_command
from runner.engines.contract import Job
from runner.engines.packed.engine import SHARED
from runner.journal.records import EpochEnd
from tests.conftest import Site
from tests.runner.engines.test_packed import engine_of, jobs_of, losses, statuses, trained
from tests.runner.pairs import events_of, job_of

TABLES = {
    "keras": keras_private.NAMES,
    "tensorflow": tensorflow_private.NAMES,
    "onednn": onednn_private.NAMES,
}
USED = [(table, key) for table, names in TABLES.items() for key in names.places]
# Those of oneDNN are asked for all together, before any is used.
TRAINED = [(t, key) for t, key in USED if t != "onednn" or key in ("conv2d", "record")]
DONE_WITHOUT = {"direction", "flatten_layers", "own_trainable", "initialize"}
"""Names of Keras without which packs are made all the same."""
WORDS = ("dataset=iris", "epochs=1", "limit_batches=2", "regularizer=[]", "architecture=linear")


@pytest.fixture(scope="module")
def jobs() -> Sequence[Job]:
    return jobs_of(WORDS, "seed=0", "seed=1")


@pytest.fixture
def taken(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A library that calls one of them otherwise; what it is called in the sentence."""
    table, key = request.param
    names = TABLES[table]
    monkeypatch.setitem(names.places, key, f"{names.places[key]}_of_old")
    onednn_private.available.cache_clear()
    randomness._warn.cache_clear()
    SHARED.forget()  # else a pack borrows what was traced while the name was there
    yield f"{names.name(key)}"
    onednn_private.available.cache_clear()


@pytest.mark.many
@pytest.mark.parametrize("taken", TRAINED, indirect=True, ids="-".join)
@pytest.mark.slow
def test_no_run_fails_where_a_name_is_gone(
    taken: str, jobs: Sequence[Job], request: pytest.FixtureRequest
) -> None:
    table, key = request.node.callspec.params["taken"]
    found = trained([replace(job) for job in jobs])
    found += [events_of(replace(jobs[0]), engine) for engine in ("fast", "keras")]
    assert statuses(found) == ["finished"] * 4
    for events in found[:2]:
        if table == "onednn" or (table == "keras" and key in DONE_WITHOUT):
            assert engine_of(events).startswith("packed (2 runs")
        else:
            assert engine_of(events).startswith("fast (packed declines: ")
            assert taken in engine_of(events) and "known from" in engine_of(events)
    first = losses(found[3])
    assert [losses(found[0]), losses(found[2])] == [pytest.approx(first, rel=1e-5)] * 2


@pytest.mark.parametrize(
    "taken", [pair for pair in USED if pair[0] == "onednn"], indirect=True, ids="-".join
)
def test_kernels_are_tensorflows_own_where_a_name_is_gone(taken: str) -> None:
    import tensorflow as tf

    if tf.config.list_logical_devices("GPU"):
        pytest.skip("there is a GPU")
    assert taken in (onednn_private.why_not() or "")
    filters = tf.ones((3, 3, 16, 32))
    with onednn_private.quick_kernels():
        traced = tf.function(lambda x: tf.nn.conv2d(x, filters, 1, "SAME"))
        program = traced.get_concrete_function(tf.zeros((3, 14, 14, 16)))
    kinds = tensorflow_private.op_types(program.graph)
    assert not any(kind.startswith(onednn_private.PREFIX) for kind in kinds)


UNFREEZES = """
from runner import architecture

@architecture
def thawing(input_shape, outputs):
    '''A frozen layer that is trained from the second epoch on.'''
    import keras
    layer = keras.layers.Dense(4, activation="tanh")
    layer.trainable = False
    model = keras.Sequential([keras.Input(input_shape), layer, keras.layers.Dense(outputs)])
    class Thaw(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            layer.trainable = epoch >= 1
    return model, [Thaw()]
"""


@pytest.mark.slow
@pytest.mark.parametrize("taken", [("keras", "flatten_layers")], indirect=True, ids="-".join)
def test_frozen_layers_are_thawed_all_the_same(taken: str, site: Site) -> None:
    site.install(UNFREEZES)
    words = (*WORDS, "epochs=3", "architecture=thawing")
    one, other = (events_of(job_of(words), engine) for engine in ("keras", "fast"))
    assert statuses([one, other]) == ["finished"] * 2
    assert losses(one) == pytest.approx(losses(other), rel=1e-5)
    assert len([event for event in one if isinstance(event, EpochEnd)]) == 3


def test_what_is_not_there_is_said_with_both_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    names = tensorflow_private.NAMES
    monkeypatch.setitem(names.places, "wrap", "tensorflow.no_such_module:wrap")
    with pytest.raises(
        Unsupported, match=r"^tensorflow 2\.\S+ has no module tensorflow.no_such_mo"
    ):
        names["wrap"]
    monkeypatch.setitem(names.places, "wrap", "tensorflow:Graph.wrapped_by")
    with pytest.raises(Unsupported, match=r"has no Graph.wrapped_by, known from tensorflow 2.21$"):
        names["wrap"]


@pytest.mark.parametrize("taken", [("keras", "loss_tracker")], indirect=True, ids="-".join)
def test_the_doctor_names_what_is_gone_and_what_mends_it(
    taken: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.commands import doctor

    monkeypatch.setitem(doctor.PACKAGES, "images", ("no_pillow", "decoding of images", "images"))
    assert run_command(["doctor"]) == 0
    said = capsys.readouterr().out
    count = len(TABLES["keras"].places)
    assert f"keras_private: {count - 1} of {count} found" in said
    assert "has no Sequential._loss_tracker_of_old" in said
    assert "pip install 'keras~=3.15.0'" in said
    assert "packed          declines or is slower, and fast trains in its place: keras" in said
    assert "missing: decoding of images needs no_pillow: pip install 'sweephouse[images]'" in said


def test_the_doctor_of_a_whole_installation_finds_every_name(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert run_command(["doctor"]) == 0
    said = capsys.readouterr().out
    for name, table in TABLES.items():
        count = len(table.places)
        assert f"{name}_private: {count} of {count} found" in said
    for word in ("postgres", "GPU", "oneDNN", "images", "packed          ok"):
        assert word in said
