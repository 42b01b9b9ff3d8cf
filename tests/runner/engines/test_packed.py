"""Engine `packed` against the reference: each member of a pack as if it had run alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.config.compose import compose
from runner.config.config import flatten
from runner.data.prepare import load, prepare
from runner.engines import find_engine
from runner.engines.contract import Job
from runner.errors import JournalError, RunnerError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.model.build import build
from runner.record.events import Event, Kept, Refused
from tests.conftest import Site
from tests.runner.pairs import job_from, told

FIRST, LAST = 1e-5, 1e-3
"""The relative difference of numbers that a pack may have in the first epoch and the last."""
RANKED = 0.02
"""What one row more or less may make in metrics that go by ranks."""

IRIS = ("dataset=iris", "epochs=3", "batch_size=16", "architecture.units=[6]")
PLAIN = (*IRIS, "regularizer=[]")
RATES = ("seed=0", "optimizer.learning_rate=0.01", "optimizer.learning_rate=0.02")

Words = Sequence[str]
Told = list[list[Event]]


def jobs_of(base: Words, *members: str, **more: Any) -> list[Job]:
    """A job for each member: the base with that member's words, all on the same data."""
    configs = [compose([*base, "engine=packed", *words.split()])[0] for words in members]
    data = prepare(load(configs[0]), configs[0])
    jobs = []
    for number, config in enumerate(configs):
        job = job_from(config, data, **more)
        start = replace(job.start, run_id=f"run{number}", params=flatten(config))
        jobs.append(replace(job, start=start))
    return jobs


def trained(
    jobs: Sequence[Job], engine: str = "packed", fails: Mapping[str, int] | None = None
) -> Told:
    """What is told of each job.

    fails: run -> the epoch that its journal does not take any more.
    """
    events: dict[str, list[Event]] = {job.start.run_id: [] for job in jobs}

    def record(event: Event) -> None:
        if isinstance(event, EpochEnd) and event.epoch == (fails or {}).get(event.run_id):
            raise JournalError("the disk is full")
        events[event.run_id].append(event)

    chosen = find_engine(engine)
    with chosen.ready(jobs[0].config.settings):
        chosen.train(jobs, record)
    return list(events.values())


def alone(jobs: Sequence[Job]) -> Told:
    """The same jobs by the reference engine, each anew."""
    return trained([replace(job) for job in jobs], "keras")


def engine_of(events: Sequence[Event]) -> str:
    """What the engine said that it is, the reason in brackets."""
    [start] = [event for event in events if isinstance(event, RunStart)]
    return f"{start.engine} ({start.engine_reason})" if start.engine_reason else start.engine


def losses(events: Sequence[Event]) -> list[float]:
    return [event.loss for event in events if isinstance(event, EpochEnd)]


def statuses(runs: Told) -> list[str]:
    return [event.status for events in runs for event in events if isinstance(event, RunEnd)]


def check(members: Told, references: Told, first: float = FIRST, last: float = LAST) -> None:
    """Hold each member's numbers against those of its reference."""
    for number, (member, reference) in enumerate(zip(members, references, strict=True)):
        mine, theirs = list(told(member)), list(told(reference))
        assert [name for name, _ in mine] == [name for name, _ in theirs], number
        for (name, a), (_, b) in zip(mine, theirs, strict=True):
            if isinstance(a, float):
                rule = first if name.startswith("epoch 1,") else last
                ranked = name.startswith("evaluation") and not name.endswith(" loss")
                near = RANKED if ranked else 1e-7
                assert a == pytest.approx(b, rel=rule, abs=near), (number, name)
            elif not isinstance(a, np.ndarray):
                assert a == b, (number, name)


def check_packed(runs: Told, count: int) -> None:
    assert [engine_of(events) for events in runs] == [f"packed ({count} runs from run0)"] * count


# --- The same numbers ----------------------------------------------------------------------------

DIFFERENT = (
    "seed=0",
    "seed=1 optimizer.learning_rate=0.01",
    "regularizer.dropout.rate=0.5",
    "regularizer.l2.strength=0.1",
    "regularizer.label_smoothing.amount=0.3",
    "regularizer.early_stopping.patience=1 regularizer.early_stopping.min_delta=0.9 epochs=4",
    "epochs=5 seed=4294967295",
    "epochs=1",
)
BASE = (*IRIS, "regularizer=[l2,dropout,label_smoothing,early_stopping]")


@pytest.fixture(scope="module")
def references() -> Told:
    """The different members, each trained alone by Keras."""
    return alone(jobs_of(BASE, *DIFFERENT))


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Of each program that XLA was to compile, whether it could."""
    from runner.engines.packed.program import Program

    found: list[bool] = []
    settle = Program.settle

    def noted(self: Program) -> None:
        asked = self._compiling is not None
        settle(self)
        found.extend([self.is_compiled] * asked)

    monkeypatch.setattr(Program, "settle", noted)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.exhaustive
def test_members_that_differ_in_numbers_are_told_of_as_if_they_had_run_alone(
    references: Told, compilations: list[bool], compiled: bool
) -> None:
    xla = f"xla={'always' if compiled else 'never'}"
    found = trained(jobs_of((*BASE, xla), *DIFFERENT))
    assert compilations == [True] * compiled
    check_packed(found, len(DIFFERENT))
    assert [len(losses(events)) for events in found] == [3, 3, 3, 3, 3, 2, 5, 1]
    check(found, references)


@pytest.mark.slow
def test_a_free_row_is_given_to_the_next_in_the_queue(
    references: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.engines.packed import engine as packed

    monkeypatch.setattr(packed, "ROWS", 2)
    monkeypatch.setattr(packed, "LANES", 1)
    check(trained(jobs_of(BASE, *DIFFERENT)), references)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_packs_side_by_side_share_one_queue(
    references: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.engines.packed import engine as packed

    for name, value in {"LANES": 2, "LEAST_ROWS": 1, "ROWS": 2}.items():
        monkeypatch.setattr(packed, name, value)
    check(trained(jobs_of(BASE, *DIFFERENT)), references)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "call", "xla"),
    [
        *(("train", 4, "never"), ("train", 4, "always"), ("evaluate", 3, "never")),
        *(("evaluate", 5, "never"), ("outputs", 3, "never")),
    ],
)
@pytest.mark.exhaustive
def test_a_pack_too_large_for_memory_is_halved_and_says_so_once(
    references: Told,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    method: str,
    call: int,
    xla: str,
    compilations: list[bool],
) -> None:
    import tensorflow as tf

    from runner.engines.packed import engine as packed
    from runner.engines.packed.program import Program

    monkeypatch.setattr(packed, "LANES", 1)
    plain, rows = getattr(Program, method), []

    def full(self: Program, state: Any, *rest: Any) -> Any:
        rows.append(len(state.trainable[0]))
        # The first calls are those of the proof before the pack begins.
        if len(rows) == call:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")
        return plain(self, state, *rest)

    monkeypatch.setattr(Program, method, full)
    found = trained(jobs_of((*BASE, f"xla={xla}"), *DIFFERENT))
    assert compilations == [True] * (xla == "always")
    assert rows[call - 1] == 8
    assert rows[-1] == 4
    said = capsys.readouterr().err
    assert said.count("does not fit into memory") == 1
    assert "a pack of 8 runs does not fit into memory; going on with 4 at a time" in said
    check_packed(found, len(DIFFERENT))
    check(found, references)


@pytest.mark.slow
def test_through_the_python_door_the_warehouse_has_each_run_and_whom_it_was_packed_with(
    results: Path,
) -> None:
    import warehouse
    from runner.sweep.batch import train_all
    from runner.sweep.plan import Planner

    planner, runs = Planner(), []
    for seed in (0, 1):
        words = [*PLAIN, "engine=packed", f"seed={seed}", f"results={results}"]
        runs.append(planner.plan(*compose(words), words))
    train_all(runs)
    with warehouse.connect(results) as connection:
        rows = connection.execute(
            "SELECT seed, engine, engine_reason, status FROM runs ORDER BY seed"
        ).fetchall()
    pack = f"2 runs from {runs[0].run_id}"
    assert rows == [(seed, "packed", pack, "finished") for seed in (0, 1)]


OPTIMIZERS = (
    *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb"),
    *("lion", "muon", "nadam", "rmsprop", "schedule_free_adamw", "sgd"),
)
COMPONENTS: dict[str, Words] = {
    **{name: (*PLAIN, f"optimizer={name}") for name in OPTIMIZERS},
    **{
        name: (*PLAIN, f"schedule={name}")
        for name in ("constant", "cosine", "exponential", "step", "warmup")
    },
    "reduce_on_plateau": (
        *(*PLAIN, "epochs=4", "schedule=reduce_on_plateau"),
        *("schedule.patience=1", "schedule.min_delta=0.9"),
    ),
    **{
        name: (*IRIS, f"regularizer=[{name}]")
        for name in (
            *("batch_norm", "dropout", "early_stopping", "elastic_net", "l1", "l2"),
            *("label_smoothing", "max_norm"),
        )
    },
    "averaged weights": (*PLAIN, "optimizer.use_ema=true"),
    "weights put in place": (
        *(*PLAIN, "optimizer.use_ema=true", "optimizer.ema_overwrite_frequency=2"),
    ),
    "accumulated gradients": (*PLAIN, "optimizer.gradient_accumulation_steps=2"),
    "clipped": (*PLAIN, "optimizer.clipnorm=0.1"),
}
DECLINED = {"schedule_free_adamw", "weights put in place", "accumulated gradients"}
"""What may be trained one by one, as long as the reason is said."""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_where_training_amplifies_rounding_32_seeds_end_alike(compilations: list[bool]) -> None:
    """A rate so large that last bits grow: single runs part, their distribution does not."""
    base = ("dataset=iris", "regularizer=[]", "epochs=40", "batch_size=8", "xla=always")
    wild = (*base, "architecture.units=[16,16]", "optimizer.learning_rate=0.05")
    jobs = jobs_of(wild, *(f"seed={seed}" for seed in range(32)))
    found = trained(jobs)
    check_packed(found, 32)
    assert compilations == [True]
    together, one_by_one = (
        np.array([losses(events)[-1] for events in runs])
        for runs in (found, trained([replace(job) for job in jobs], "fast"))
    )
    apart = np.abs(together - one_by_one) / one_by_one
    assert apart.max() > LAST, "nothing is amplified here, so nothing is shown"
    spread = np.sqrt((together.var(ddof=1) + one_by_one.var(ddof=1)) / len(jobs))
    assert abs(together.mean() - one_by_one.mean()) < 2 * spread
    both = np.sort(np.concatenate([together, one_by_one]))
    steps = [np.searchsorted(np.sort(runs), both, "right") for runs in (together, one_by_one)]
    # Two samples of 32 from one distribution are less far apart than that in 99 of 100 cases
    # (Kolmogorov and Smirnov).
    assert np.abs(steps[0] - steps[1]).max() / len(jobs) < 1.63 * np.sqrt(2 / len(jobs))


@pytest.mark.slow
@pytest.mark.exhaustive
def test_what_xla_cannot_compile_is_packed_without_it(
    compilations: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    jobs = jobs_of((*PLAIN, "xla=always", "schedule=warmup"), "seed=0", "seed=1")
    found = trained(jobs)
    assert compilations == [False]
    assert "XLA cannot compile" in capsys.readouterr().err
    check_packed(found, 2)
    check(found, alone(jobs))


@pytest.mark.slow
@pytest.mark.parametrize("name", COMPONENTS)
def test_every_builtin_component_trains_in_a_pack_as_alone(name: str) -> None:
    jobs = jobs_of(COMPONENTS[name], "seed=0", "seed=1")
    found = trained(jobs)
    if name in DECLINED:
        assert all("packed" in engine_of(events) for events in found)
    else:
        check_packed(found, 2)
    # The bias before a batch normalization follows rounding, which shows in val.
    check(found, alone(jobs), first=LAST if name == "batch_norm" else FIRST)


def test_every_builtin_component_that_changes_training_is_compared() -> None:
    from runner.components.registry import load as load_components

    for kind in ("optimizer", "regularizer", "schedule"):
        for component in load_components().of_kind(kind):
            if component.distribution == "sweephouse":
                assert component.name in COMPONENTS, component.name


# --- What is declined ----------------------------------------------------------------------------

ODD = """
import numpy as np
from runner import Splits, Stream, Task, architecture, callback, dataset, regularizer

BUILT = []

def _callback(hook, act):
    import keras
    kind = type("Watcher", (keras.callbacks.Callback,), {hook: act})
    return kind()

@dataset
def flowing():
    '''Rows that come in blocks.'''
    rows = np.arange(40, dtype="float32")[:, None], np.arange(40) % 2
    def read(generator):
        yield rows
    return Splits(Stream(40, rows, read), rows, rows, Task.classification(2))

@callback
def per_batch():
    '''Counts batches.'''
    return _callback("on_train_batch_end", lambda self, batch, logs=None: None)

@callback
def unknown():
    '''Looks at the end of every epoch.'''
    return _callback("on_epoch_end", lambda self, epoch, logs=None: None)

@regularizer
def trip(recipe, *, epoch: int = 2):
    '''Raises when an epoch begins.'''
    import keras
    def rate(number, present):
        if number + 1 == epoch:
            raise OSError("tripped over a cable")
        return present
    recipe.callbacks.append(keras.callbacks.LearningRateScheduler(rate))
    return recipe

@regularizer
def picky(recipe, *, limit: float = 0.5):
    '''Takes no limit above one.'''
    from runner import ModelError
    if limit > 1:
        raise ModelError(f"regularizer.picky.limit={limit}: at most 1")
    return recipe

@architecture
def own_step(input_shape, outputs):
    '''A training step of its own.'''
    import keras
    class OwnStep(keras.Model):
        def train_step(self, data):
            return super().train_step(data)
    inputs = keras.Input(input_shape)
    return OwnStep(inputs, keras.layers.Dense(outputs, activation="softmax")(inputs))

@architecture
def counted(input_shape, outputs, *, rate: float = 0.1, units: int = 5):
    '''Counts how often it is built.'''
    import keras
    BUILT.append(rate)
    return keras.Sequential([
        keras.Input(input_shape),
        keras.layers.Dense(units, activation="tanh"),
        keras.layers.Dropout(rate),
        keras.layers.Dense(outputs, activation="softmax"),
    ])

@architecture
def own_draw(input_shape, outputs):
    '''First weights that NumPy draws.'''
    import keras
    BUILT.append(0)
    draw = np.random.normal(size=(*input_shape, outputs)).astype("float32")
    model = keras.Sequential([
        keras.Input(input_shape), keras.layers.Dense(outputs, activation="softmax"),
    ])
    model.layers[0].kernel.assign(draw)
    return model

@architecture
def clumsy(input_shape, outputs):
    '''Fails where it is told how many rows a batch has, as packs are.'''
    import keras
    class Clumsy(keras.layers.Layer):
        def call(self, x):
            if x.shape[0] == 16:
                raise ValueError("sixteen")
            return x
    return keras.Sequential([
        keras.Input(input_shape), Clumsy(), keras.layers.Dense(outputs, activation="softmax"),
    ])

@architecture
def printing(input_shape, outputs):
    '''An op that runs in Python.'''
    import keras
    import tensorflow as tf
    class Printing(keras.layers.Layer):
        def call(self, x):
            y = tf.py_function(lambda v: v * 1.0, [x], tf.float32)
            return tf.ensure_shape(y, x.shape)
    return keras.Sequential([
        keras.Input(input_shape), keras.layers.Dense(outputs), Printing(),
        keras.layers.Activation("softmax"),
    ])
"""


@pytest.fixture
def odd(site: Site) -> Any:
    """The module of odd components, its notes empty."""
    site.install(ODD)
    import toys  # type: ignore[import-not-found]

    toys.BUILT.clear()
    return toys


LINES: dict[str, tuple[Words, str]] = {
    "per batch": (
        ["dataset=iris", "callback=[per_batch]"],
        "the callback Watcher acts on batches",
    ),
    "unknown": (
        ["dataset=iris", "callback=[unknown]"],
        "the callback Watcher may look at the model",
    ),
    "own step": (["dataset=iris", "architecture=own_step"], "OwnStep has a train_step of its own"),
    "in Python": (
        ["dataset=iris", "architecture=printing"],
        "the op EagerPyFunc has side effects or runs outside of TensorFlow",
    ),
    "a stream": (["dataset=flowing"], "its data are a stream"),
    "half": (["dataset=iris", "precision=mixed_float16"], "mixed_float16 scales its loss"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", LINES)
def test_what_is_declined_says_why_and_is_trained_all_the_same(odd: Any, name: str) -> None:
    words, reason = LINES[name]
    base = ("epochs=1", "limit_batches=2", "regularizer=[]")
    jobs = jobs_of([*base, *words], "seed=0", "seed=1")
    found = trained(jobs)
    for events in found:
        assert reason in engine_of(events)
        assert "packed declines" in engine_of(events) or "fast declines" in engine_of(events)
    assert statuses(found) == ["finished"] * 2


@pytest.mark.slow
def test_a_single_run_of_its_shape_is_trained_by_fast() -> None:
    jobs = jobs_of(("dataset=iris", "epochs=1", "regularizer=[]"), "architecture.units=[5]")
    [events] = trained(jobs)
    assert engine_of(events) == "fast (packed declines: no other run has its shape)"
    assert statuses([events]) == ["finished"]


@pytest.mark.slow
def test_convolutions_train_as_alone_with_or_without_a_pack() -> None:
    base = ("dataset=digits", "epochs=1", "limit_batches=1", "regularizer=[]", "architecture=cnn")
    jobs = jobs_of([*base, "architecture.blocks=[2]"], "seed=0", "seed=1")
    found = trained(jobs)
    assert all("packed" in engine_of(events) for events in found)
    check(found, alone(jobs))


def test_a_strict_run_is_refused_where_packs_decline_it() -> None:
    words = ("dataset=iris", "epochs=1", "regularizer=[]", "strict=true")
    [[event]] = trained(jobs_of(words, "architecture.units=[5]"))
    assert isinstance(event, Refused)
    assert str(event.error) == (
        "engine packed declines the run: no other run has its shape; without strict=true "
        "another trains it"
    )


@pytest.mark.slow
def test_a_decline_that_is_an_exception_fails_a_strict_run_and_every_test(
    odd: Any, surprises: list[Exception]
) -> None:
    base = ("dataset=iris", "epochs=1", "regularizer=[]", "architecture=clumsy", "batch_size=16")
    found = trained(jobs_of(base, "seed=0", "seed=1"))
    reason = "ValueError: Exception encountered when calling Clumsy.call()."
    assert [engine_of(events) for events in found] == [f"fast (packed declines: {reason})"] * 2
    assert statuses(found) == ["finished"] * 2
    assert ["sixteen" in str(error) for error in surprises] == [True]
    found = trained(jobs_of((*base, "strict=true"), "seed=0", "seed=1"))
    assert statuses(found) == ["failed"] * 2
    for events in found:
        end = events[-1]
        assert isinstance(end, RunEnd)
        assert (engine_of(events), end.error) == ("packed", reason)
        assert end.traceback is not None and "in call" in end.traceback
    assert len(surprises) == 2
    surprises.clear()


@pytest.mark.slow
def test_runs_of_several_shapes_make_several_packs() -> None:
    members = [f"seed={seed} architecture.units=[{units}]" for units in (3, 4) for seed in (0, 1)]
    found = trained(jobs_of(("dataset=iris", "epochs=1", "regularizer=[]"), *members))
    assert [engine_of(events) for events in found] == [
        *["packed (2 runs from run0)"] * 2,
        *["packed (2 runs from run2)"] * 2,
    ]


@pytest.mark.slow
@pytest.mark.exhaustive
def test_runs_of_other_batches_are_no_members_of_a_pack() -> None:
    members = ("seed=0", "batch_size=8", "seed=1", "limit_batches=2", "limit_batches=3")
    jobs = jobs_of((*PLAIN, "epochs=1"), *members)
    found = trained(jobs)
    check_packed([found[0], found[2]], 2)
    for number in (1, 3, 4):
        assert engine_of(found[number]) == "fast (packed declines: no other run has its shape)"
    check(found, alone(jobs))


# --- One member's trouble ------------------------------------------------------------------------


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_its_run_alone() -> None:
    jobs = jobs_of((*PLAIN, "optimizer=sgd"), *RATES, "optimizer.learning_rate=1e38")
    found = trained(jobs)
    assert statuses(found) == [*["finished"] * 3, "failed"]
    check_packed(found, 4)
    check(found[:3], alone(jobs[:3]))


@pytest.mark.slow
def test_a_callback_that_raises_fails_its_run_alone(odd: Any) -> None:
    base = (*IRIS, "regularizer=[trip]")
    jobs = jobs_of(base, "regularizer.trip.epoch=9", "regularizer.trip.epoch=2")
    # A scheduler's function may hold anything, so it is asked for as it was built.
    found = trained(jobs)
    assert statuses(found) == ["finished", "failed"]
    end = found[1][-1]
    assert isinstance(end, RunEnd)
    assert end.error == "OSError: tripped over a cable"
    check(found[:1], alone(jobs[:1]))


@pytest.mark.slow
def test_a_journal_that_takes_no_more_ends_its_run_alone() -> None:
    jobs = jobs_of(PLAIN, *RATES)
    found = trained(jobs, fails={"run1": 2})
    assert [len(losses(events)) for events in found] == [3, 1, 3]
    assert statuses(found) == ["finished"] * 2
    check([found[0], found[2]], alone([jobs[0], jobs[2]]))


@pytest.mark.slow
def test_a_member_that_cannot_be_built_is_refused_alone(odd: Any) -> None:
    base = (*IRIS, "regularizer=[picky]")
    limits = (0.1, 0.5, 2.0, 0.7)
    found = trained(jobs_of(base, *(f"regularizer.picky.limit={limit}" for limit in limits)))
    [refused] = found.pop(2)
    assert isinstance(refused, Refused)
    assert str(refused.error) == "regularizer.picky.limit=2.0: at most 1"
    assert statuses(found) == ["finished"] * 3


def test_a_member_that_was_stopped_before_it_began_is_left_out() -> None:
    jobs = jobs_of(PLAIN, *RATES, stop=lambda: True)
    assert trained(jobs) == [[], [], []]


# --- Members that are not built ------------------------------------------------------------------


@pytest.mark.slow
def test_a_member_that_was_not_built_begins_with_the_same_bits(
    odd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.engines.packed.start import Start, start_of
    from runner.engines.packed.template import Template

    starts: list[Start] = []
    values = Template.values

    def noted(self: Template, start: Start) -> list[Any]:
        starts.append(start)
        return values(self, start)

    monkeypatch.setattr(Template, "values", noted)
    base = ("dataset=iris", "epochs=1", "limit_batches=1", "regularizer=[]")
    rates = [f"seed={i} architecture.rate={0.1 + i / 20}" for i in range(12)]
    jobs = jobs_of([*base, "architecture=counted"], *rates)
    found = trained(jobs)
    check_packed(found, 12)
    assert len(odd.BUILT) == 2  # the least and the greatest
    assert len(starts) == 12
    for job, start in zip(jobs, starts, strict=True):
        built = start_of(build(job.config, job.data))
        assert start.structure == built.structure
        assert start.numbers == built.numbers
        for group in ("trainable", "other", "slots"):
            for one, other in zip(getattr(start, group), getattr(built, group), strict=True):
                assert one.dtype == other.dtype
                assert np.array_equal(one, other)


@pytest.mark.slow
def test_weights_that_no_initializer_drew_are_had_by_building_each_member(odd: Any) -> None:
    base = ("dataset=iris", "epochs=1", "regularizer=[]", "architecture=own_draw")
    jobs = jobs_of(base, *(f"seed={seed}" for seed in range(5)))
    found = trained(jobs)
    check_packed(found, 5)
    assert len(odd.BUILT) == 5
    check(found, alone(jobs))


def shape(*words: str) -> Any:
    from runner.engines.structure.symbols import shape_of

    config, _ = compose([*IRIS, *words])
    return shape_of(build(config, prepare(load(config), config)))


def test_recipes_that_differ_in_seeds_and_rates_have_one_structure() -> None:
    one = shape("regularizer=[dropout,label_smoothing]")
    other = shape(
        *("regularizer=[dropout,label_smoothing]", "seed=5", "optimizer.learning_rate=0.5"),
        *("regularizer.dropout.rate=0.4", "regularizer.label_smoothing.amount=0.2"),
    )
    assert one.structure == other.structure
    differ = {a: other.numbers[path] for path, a in one.numbers.items()}
    assert {0.2: 0.4, 0.1: 0.2}.items() <= differ.items()


@pytest.mark.slow
def test_recipes_that_compute_something_else_have_structures_of_their_own() -> None:
    lines = (
        ("regularizer=[]",),
        ("regularizer=[]", "architecture.units=[7]"),
        ("regularizer=[]", "architecture.activation=tanh"),
        ("regularizer=[]", "optimizer=sgd"),
        ("regularizer=[]", "optimizer.amsgrad=true"),
        ("regularizer=[l2]",),
        ("regularizer=[dropout]",),
        ("regularizer=[]", "metrics=[]"),
    )
    assert len({shape(*words).structure for words in lines}) == len(lines)


def test_numbers_in_closures_and_local_classes_are_found() -> None:
    import keras

    from runner.components.types import Recipe
    from runner.engines.structure.symbols import bound, shape_of

    def recipe(factor: float, power: float) -> Recipe:
        def scaled(y_true: Any, y_pred: Any) -> Any:
            return factor * keras.ops.mean((y_true - y_pred) ** 2)

        class Powered(keras.layers.Layer):  # type: ignore[misc]
            def call(self, x: Any) -> Any:
                return x**power

        model = keras.Sequential([keras.Input((2,)), Powered(), keras.layers.Dense(1)])
        optimizer = keras.optimizers.SGD(0.5)
        model.compile(optimizer, scaled)
        return Recipe(model=model, loss=scaled, optimizer=optimizer, metrics=[])

    one, other = shape_of(recipe(2.0, 3.0)), shape_of(recipe(4.0, 5.0))
    assert one.structure == other.structure
    assert {2.0, 3.0} <= set(one.numbers.values())
    assert {4.0, 5.0} <= set(other.numbers.values())
    [path] = [path for path, value in one.numbers.items() if value == 2.0]
    [place] = one.places[path]
    with bound(one.places, {path: 9.0}):
        assert place.owner.cell_contents == 9.0
    assert place.owner.cell_contents == 2.0


POWERS = """
from typing import Annotated
from runner import ShapeFree, architecture, loss

Number = Annotated[int, ShapeFree()]

@loss
def marked(task, *, power: Number = 2, count: Number = 1):
    '''The mean of a power of the error, from a whole number that is only computed with.'''
    import keras
    def powered(y_true, y_pred):
        error = keras.ops.abs(keras.ops.one_hot(keras.ops.squeeze(y_true), 3) - y_pred)
        return sum(keras.ops.mean(error**power) for _ in range(count))
    return powered

@architecture
def powers(input_shape, outputs, *, power: Number = 2):
    '''A layer that raises its inputs to a power.'''
    import keras

    class Power(keras.layers.Layer):
        def __init__(self, power, **words):
            super().__init__(**words)
            self.power = power
        def call(self, x):
            return x**self.power
        def get_config(self):
            return super().get_config() | {"power": self.power}

    return keras.Sequential([keras.Input(input_shape), Power(power), keras.layers.Dense(outputs)])

@loss
def unmarked(task, *, power: int = 2):
    '''The same from a whole number of which nothing is known.'''
    return marked(task, power=power, count=1)
"""


@pytest.mark.many
@pytest.mark.parametrize("annotation", ["float", "bool", "int | None", "list[int]"])
def test_only_whole_numbers_are_marked_so(site: Site, annotation: str) -> None:
    marked = f"Annotated[{annotation}, ShapeFree()]"
    site.install(POWERS.replace("Annotated[int, ShapeFree()]", marked))
    said = "ShapeFree marks an int"
    with pytest.warns(UserWarning, match=said), pytest.raises(RunnerError, match=said):
        compose([*PLAIN, "loss=marked"])


@pytest.mark.slow
def test_a_marked_whole_number_is_whole_in_what_is_kept(site: Site) -> None:
    site.install(POWERS)
    base = ("dataset=iris", "epochs=2", "regularizer=[]", "architecture=powers")
    jobs = jobs_of(base, "architecture.power=2", "architecture.power=3")
    found = trained(jobs)
    check_packed(found, 2)
    graphs, expected = (
        [e.graph for events in runs for e in events if isinstance(e, Kept)]
        for runs in (found, alone(jobs))
    )
    assert graphs == expected
    assert '"power": 3' in str(graphs[1])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "together"),
    [
        (("loss=marked", "loss.power=2", "loss.power=3"), True),
        (("loss=unmarked", "loss.power=2", "loss.power=3"), False),
        (("loss=marked", "loss.count=1", "loss.count=2"), False),
    ],
    ids=["marked", "not marked", "marked and a shape after all"],
)
def test_a_whole_number_is_an_input_where_its_author_says_so(
    site: Site, words: Words, together: bool
) -> None:
    site.install(POWERS)
    jobs = jobs_of((*PLAIN, words[0]), *words[1:])
    found = trained(jobs)
    if together:
        check_packed(found, 2)
    else:
        assert engine_of(found[1]).startswith("fast (packed declines: no other run has its shape")
    check(found, alone(jobs))


# --- Programs that engine fast shares ------------------------------------------------------------


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows with every program that engine `fast` traces; it has none at first."""
    from runner.engines.fast import program
    from runner.engines.fast.engine import SHARED

    counted: list[int] = []
    traced = program._traced

    def counting(*arguments: Any) -> Any:
        counted.append(1)
        return traced(*arguments)

    monkeypatch.setattr(program, "_traced", counting)
    SHARED.forget()
    return counted


@pytest.mark.slow
def test_runs_of_one_structure_share_a_program_in_fast(traces: list[int]) -> None:
    base = (*IRIS, "regularizer=[dropout]", "architecture.units=[4]")
    members = (
        *("seed=0", "seed=1", "optimizer.learning_rate=0.01 regularizer.dropout.rate=0.4"),
        *("optimizer.learning_rate=0.02 regularizer.dropout.rate=0.3", "seed=0"),
    )
    jobs = jobs_of(base, *members)
    grown, found = [], []
    for job in jobs:
        found += trained([replace(job)], "fast")
        grown.append(len(traces))
    # Training and evaluation; once more where the rates become inputs.
    assert grown == [2, 2, 4, 4, 4]
    check(found, alone(jobs), last=FIRST)


@pytest.mark.slow
def test_equal_numbers_give_equal_bits(traces: list[int]) -> None:
    jobs = jobs_of(PLAIN, "seed=0", "seed=1", "seed=0")
    found = [trained([replace(job)], "fast")[0] for job in jobs]
    assert len(traces) == 2
    assert losses(found[0]) == losses(found[2])
    assert losses(found[0]) != losses(found[1])


@pytest.mark.slow
def test_another_structure_is_a_program_of_its_own(traces: list[int]) -> None:
    for words in ("seed=0", "architecture.units=[7]", "architecture.activation=tanh"):
        trained(jobs_of(PLAIN, words), "fast")
    assert len(traces) == 6


@pytest.mark.slow
def test_under_deterministic_other_numbers_share_nothing(traces: list[int]) -> None:
    # Asked of the cache alone: op determinism, once on, stays on in this process.
    import contextlib

    from runner.engines.fast.shared import SharedPrograms

    shared, made = SharedPrograms(), []

    class Nothing:
        def trace(self) -> None:
            """Nothing to trace."""

    def make(recipe: Any, bind: Any) -> Any:
        made.append(bind)
        return Nothing()

    for words in ("seed=0", "seed=1", "regularizer.dropout.rate=0.4"):
        [job] = jobs_of((*IRIS, "regularizer=[dropout]", "deterministic=true"), words)
        with shared.borrow(job, make):
            pass
    # The second borrowed the first one's; the third has its own, with its numbers as constants.
    assert len(made) == 2
    assert made[1] is contextlib.nullcontext
