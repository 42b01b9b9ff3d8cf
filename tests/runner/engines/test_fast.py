"""Engine `fast` against the reference: the same losses, the same records, the same ends."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from runner.config.compose import compose
from runner.data.prepare import load, prepare
from runner.engines import find_engine
from runner.engines.fast.program import next_piece
from runner.journal.records import EpochEnd, Evaluation, RunEnd, RunStart
from runner.record.events import Event, Kept, Refused
from tests.conftest import Site
from tests.plugins.test_architecture_engines import LINES
from tests.runner.pairs import (
    Apart,
    apart,
    compared,
    events_of,
    in_a_process,
    job_from,
    job_of,
    resumed,
)
from tests.runner.spies import SPIES

ENGINES = ("keras", "fast")
RULE = 1e-6
"""The relative difference of losses, metrics and learning rates that the engines may have."""
NOISE = 1e-4
"""The same where a weight follows rounding alone; `deterministic=true` takes that away too."""

IRIS = ("dataset=iris", "epochs=3", "regularizer=[]")
SMALL = (*IRIS, "architecture.units=[6]")
IMAGES = ("dataset=digits", "limit_batches=3", "epochs=2", "regularizer=[]", "architecture=cnn")
SERIES = (
    "dataset=arrays",
    "dataset.path=series.npz",
    "epochs=2",
    "architecture=rnn",
    "batch_size=8",
)
VALUES = ("dataset=arrays", "dataset.path=values.npz", "epochs=2", "architecture=linear")
BINARY = ("dataset=breast_cancer", "limit_batches=3", "epochs=2", "architecture=linear")

# Several factors at once in the quick ones; one at a time in the slow ones.
QUICK: dict[str, Sequence[str]] = {
    "mlp, two penalties, label smoothing, muon, cosine": (
        *(*SMALL, "regularizer=[l1,elastic_net,label_smoothing]"),
        *("optimizer=muon", "schedule=cosine", "preprocessing=[minmax]"),
    ),
    "dropout, batch norm, max norm, momentum, warm-up, a last batch of one row": (
        *(*SMALL, "regularizer=[l2,dropout,batch_norm,max_norm]", "batch_size=89"),
        *("optimizer=sgd", "optimizer.momentum=0.9", "schedule=warmup"),
    ),
    "cnn": (*IMAGES, "architecture.blocks=[4]"),
    "lstm": (*SERIES, "regularizer=[]", "architecture.units=[4]"),
    "linear, stopped early, weights averaged": (
        *(*IRIS, "architecture=linear", "epochs=6", "regularizer=[early_stopping]"),
        *("regularizer.early_stopping.patience=1", "regularizer.early_stopping.min_delta=0.05"),
        *("optimizer.use_ema=true", "optimizer.ema_overwrite_frequency=2"),
        "optimizer.ema_momentum=0.5",
    ),
    "schedule_free_adamw": (*IRIS, "architecture=linear", "optimizer=schedule_free_adamw"),
    "two values, gradients accumulated": (
        *(*VALUES, "regularizer=[]", "optimizer.gradient_accumulation_steps=2"),
        "preprocessing=[standardize]",
    ),
    "mixed_float16, limited batches": (
        *(*SMALL, "precision=mixed_float16", "batch_size=16", "limit_batches=2"),
    ),
}
SLOW: dict[str, Sequence[str]] = {
    **{
        name: (*SMALL, f"optimizer={name}")
        for name in (
            *("adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lamb"),
            *("lion", "muon", "nadam", "rmsprop", "schedule_free_adamw", "sgd"),
        )
    },
    **{name: (*SMALL, f"schedule={name}") for name in ("cosine", "exponential", "step", "warmup")},
    "reduce_on_plateau": (
        *(*SMALL, "epochs=5", "schedule=reduce_on_plateau"),
        *("schedule.patience=1", "schedule.min_delta=0.05"),
    ),
    **{
        name: (*SMALL, f"regularizer=[{name}]")
        for name in (
            *("batch_norm", "dropout", "early_stopping", "elastic_net", "l1", "l2"),
            "label_smoothing",
        )
    },
    "max_norm": (*SMALL, "regularizer=[max_norm]", "regularizer.max_norm.limit=0.5"),
    "mixed_bfloat16": (*SMALL, "precision=mixed_bfloat16"),
    "mixed_float16": (*SMALL, "precision=mixed_float16"),
    "binary": (*BINARY, "regularizer=[]", "preprocessing=[standardize]"),
    "deep cnn": (*IMAGES, "architecture.blocks=[4,8]", "architecture.units=[8]"),
    "cnn with averages": (*IMAGES, "architecture.blocks=[4]", "architecture.pooling=average"),
    "cnn with batch norm": (*IMAGES, "architecture.blocks=[4]", "regularizer=[batch_norm]"),
    "cnn with dropout": (*IMAGES, "architecture.blocks=[4]", "regularizer=[dropout]"),
    "gru": (*SERIES, "regularizer=[]", "architecture.units=[4]", "architecture.cell=gru"),
    "two ways": (
        *(*SERIES, "regularizer=[dropout]", "architecture.units=[3,3]"),
        "architecture.bidirectional=true",
    ),
    "minmax": (*SMALL, "preprocessing=[minmax]"),
    "impute": (*SMALL, "preprocessing=[impute,standardize]"),
    "outliers": (*SMALL, "preprocessing=[clip,log,robust]"),
    "categories": (
        *(*SMALL, "preprocessing=[bucketize,cross,hash,one_hot,encode]"),
        *("preprocessing.cross.columns=[[0,1]]", "preprocessing.hash.columns=[2,3]"),
        "preprocessing.one_hot.columns=[1]",
    ),
    "codes": (
        *(*IRIS, "preprocessing=[bucketize,embed]", "architecture=embed"),
        *("architecture.vocabulary=3", "architecture.width=4"),
    ),
    "augmented": (*SMALL, "augmentation=[noise,mixup]"),
    "amsgrad": (*SMALL, "optimizer.amsgrad=true"),
    "weight decay": (*SMALL, "optimizer=adamw", "optimizer.weight_decay=0.1"),
    "clipnorm": (*SMALL, "optimizer.clipnorm=0.1"),
    "clipvalue": (*SMALL, "optimizer.clipvalue=0.01"),
    "global_clipnorm": (*SMALL, "optimizer.global_clipnorm=0.1"),
    "an average of weights": (*SMALL, "optimizer.use_ema=true"),
    "a loss scale": (*SMALL, "optimizer.loss_scale_factor=8"),
    "centered rmsprop": (*SMALL, "optimizer=rmsprop", "optimizer.centered=true"),
    "nesterov": (*SMALL, "optimizer=sgd", "optimizer.momentum=0.9", "optimizer.nesterov=true"),
    "mae": (*VALUES, "regularizer=[]", "loss=mae", "metrics=[mse,rmse]"),
    "huber": (*VALUES, "regularizer=[]", "loss=huber"),
    "log_cosh": (*VALUES, "regularizer=[l2]", "loss=log_cosh"),
    "cosine_similarity": (*VALUES, "regularizer=[]", "loss=cosine_similarity"),
    "focal": (*BINARY, "regularizer=[]", "loss=binary_focal_crossentropy", "metrics=[auc]"),
    "hinge": (*BINARY, "regularizer=[]", "loss=hinge", "metrics=[precision,recall]"),
    "one-hot": (*SMALL, "loss=categorical_crossentropy", "metrics=[f1_score,kl_divergence]"),
    "one batch": (*SMALL, "debug=overfit"),
    "no val": (*SMALL, "split.val=0", "metrics=[]"),
    "no val and no test": (*SMALL, "split.val=0", "split.test=0"),
    "the best by a metric": (*SMALL, "monitor=val_accuracy"),
    "another seed": (*SMALL, "seed=4294967295"),
}
FACTORS: Sequence[Sequence[str]] = (
    ("optimizer=adam", "optimizer=lion", "optimizer=nadam", "optimizer=lamb", "optimizer=adamax"),
    ("schedule=constant", "schedule=cosine", "schedule=warmup", "schedule=step"),
    ("regularizer=[l2]", "regularizer=[dropout]", "regularizer=[batch_norm,max_norm]"),
    ("preprocessing=[]", "preprocessing=[standardize]", "preprocessing=[minmax]"),
    ("batch_size=7", "batch_size=32", "batch_size=90"),
    ("optimizer.clipnorm=null", "optimizer.clipnorm=0.5", "optimizer.use_ema=true"),
    ("dataset=iris", "dataset=wine"),
)


def random_pairs(count: int) -> dict[str, Sequence[str]]:
    """Combinations of the factors, the same in every session."""
    draw = random.Random(4)
    drawn = [tuple(draw.choice(factor) for factor in FACTORS) for _ in range(count)]
    return {" ".join(words): ("epochs=2", "architecture.units=[5]", *words) for words in drawn}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the synthetic arrays lie."""
    folder = tmp_path_factory.mktemp("arrays")
    draw = np.random.Generator(np.random.Philox(key=[4, 0]))
    series = draw.normal(size=(50, 6, 3)).astype("float32")
    np.savez(folder / "series.npz", x=series, y=draw.integers(0, 3, 50))
    values = draw.normal(size=(90, 5)).astype("float32")
    np.savez(folder / "values.npz", x=values, y=values[:, :2] + draw.normal(size=(90, 2)))
    return folder


@pytest.fixture
def there(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, as the working directory."""
    monkeypatch.chdir(folder)
    return folder


# --- The same numbers ----------------------------------------------------------------------------


def check(found: Apart) -> None:
    assert found.engine == "fast"
    if any("batch_norm" in word for word in found.words):
        # A bias in front of a batch normalization has no gradient but rounding, of which
        # optimizers that divide by its size make whole steps; they show in val and test.
        assert found.numbers <= NOISE, found
        return
    assert found.numbers <= RULE, found
    # Weights are what the losses are made of; rounding that the losses hide shows there.
    assert found.weights <= 10 * RULE, found


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_losses_metrics_and_evaluations_equal_the_references(there: Path, name: str) -> None:
    check(compared(QUICK[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_every_other_component_equals_the_reference_too(there: Path, name: str) -> None:
    check(compared(SLOW[name]))


@pytest.mark.slow
@pytest.mark.parametrize("name", random_pairs(12))
def test_combinations_equal_the_reference_too(name: str) -> None:
    check(compared(random_pairs(12)[name]))


def with_every_word(lines: Iterable[Sequence[str]]) -> list[Sequence[str]]:
    """Those of the lines that say something that none before them says."""
    seen: set[str] = set()
    chosen = []
    for line in lines:
        pairs = [word.split("=") for word in line]
        words = {f"{key}={one}" for key, value in pairs for one in value.strip("[]").split(",")}
        if words - seen:
            chosen.append(line)
        seen |= words
    return chosen


@pytest.mark.exhaustive
@pytest.mark.slow
def test_under_deterministic_every_bit_of_every_record_is_the_same(folder: Path) -> None:
    # All bits being equal, several factors at once prove as much as each alone.
    every = with_every_word((QUICK | random_pairs(12) | SLOW).values())
    lines = [[*words, "deterministic=true"] for words in every]
    found = in_a_process(lines, folder)
    assert len(found) == len(lines)
    assert [one for one in found if one.where or one.engine != "fast"] == []


@pytest.mark.slow
@pytest.mark.exhaustive
def test_under_deterministic_a_convolution_with_batch_norm_is_the_same_to_the_last_bit(
    folder: Path,
) -> None:
    words = SLOW["cnn with batch norm"], QUICK["lstm"]
    found = in_a_process([[*line, "deterministic=true"] for line in words], folder)
    assert [one.where for one in found] == ["", ""]


def test_every_builtin_component_that_changes_training_is_compared() -> None:
    from runner.components.registry import load as load_components

    said = " ".join(word for words in (QUICK | SLOW | LINES).values() for word in words)
    # Defaults are in every line; the last two are compared in tests/plugins/test_transfer.py.
    others = {"adam", "mlp", "constant", "keras_app", "transfer"}
    for kind in ("architecture", "optimizer", "regularizer", "schedule"):
        for component in load_components().of_kind(kind):
            if component.distribution == "sweephouse" and component.name not in others:
                assert component.name in said, component.name


# --- On from a checkpoint ------------------------------------------------------------------------

STATEFUL = (
    *("dataset=iris", "epochs=5", "architecture.units=[6]", "schedule=reduce_on_plateau"),
    *("schedule.patience=1", "schedule.min_delta=0.05", "optimizer.use_ema=true"),
    *("regularizer=[dropout,batch_norm,early_stopping]",),
)


@pytest.mark.many
@pytest.mark.parametrize(
    ("first", "then"),
    [
        ("fast", "fast"),
        ("keras", "fast"),
        pytest.param("fast", "keras", marks=pytest.mark.slow),
    ],
)
def test_a_resumed_run_ends_as_if_it_had_not_been_interrupted(first: str, then: str) -> None:
    whole = events_of(job_of([*STATEFUL, "checkpoint=2"]), "keras")
    again = resumed(STATEFUL, first, then, epoch=2)
    # What was kept before the interruption is not kept again.
    whole = [e for e in whole if not (isinstance(e, Kept) and e.role == "checkpoint")]
    again = [e for e in again if not (isinstance(e, Kept) and e.role == "checkpoint")]
    found = apart(STATEFUL, whole, again)
    assert (found.numbers, found.weights) == pytest.approx((0, 0), abs=RULE), found.where


# --- The contract, for each engine ---------------------------------------------------------------

ODD = (
    SPIES
    + """
from runner import architecture

@loss
def fails(task):
    '''Cannot be computed.'''
    def failing(y_true, y_pred):
        raise ValueError("no loss today")
    return failing

@regularizer
def explode(recipe, *, epoch: int = 2):
    '''Makes the weights infinite when an epoch begins.'''
    import keras
    def spoil(number, logs):
        if number + 1 == epoch:
            for weight in recipe.model.trainable_weights:
                weight.assign(weight * float("inf"))
    recipe.callbacks.append(keras.callbacks.LambdaCallback(on_epoch_begin=spoil))
    return recipe

@regularizer
def per_batch(recipe):
    '''A callback that counts batches.'''
    import keras
    class Counter(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            SEEN.append(batch)
    recipe.callbacks.append(Counter())
    return recipe

@architecture
def own_loop(input_shape, outputs):
    '''A model that brings its own fit.'''
    import keras
    class OwnLoop(keras.Model):
        def fit(self, *args, **kwargs):
            SEEN.append("own")
            return super().fit(*args, **kwargs)
    inputs = keras.Input(input_shape)
    return OwnLoop(inputs, keras.layers.Dense(outputs, activation="softmax")(inputs))

@architecture
def own_step(input_shape, outputs):
    '''A model with a training step of its own, which still is a program.'''
    import keras
    class OwnStep(keras.Model):
        def train_step(self, data):
            logs = super().train_step(data)
            return logs
    inputs = keras.Input(input_shape)
    return OwnStep(inputs, keras.layers.Dense(outputs, activation="softmax")(inputs))

@architecture
def eager(input_shape, outputs):
    '''A model that asks to be run eagerly.'''
    import keras
    class Eager(keras.Model):
        def compile(self, **words):
            super().compile(**words | {"run_eagerly": True})
    inputs = keras.Input(input_shape)
    return Eager(inputs, keras.layers.Dense(outputs, activation="softmax")(inputs))
"""
)


@pytest.fixture
def odd(site: Site) -> Any:
    """The module of odd components, its notes empty."""
    site.install(ODD)
    import toys  # type: ignore[import-not-found]

    toys.SEEN.clear()
    return toys


Train = Callable[..., list[Event]]


@pytest.fixture(params=ENGINES)
def train(request: pytest.FixtureRequest) -> Train:
    """Train a command line with the engine; all that it tells."""

    def train(*words: str, **more: Any) -> list[Event]:
        return events_of(job_of(words, **more), request.param)

    return train


def kinds(events: Sequence[Event]) -> list[str]:
    """What was told, in short: `epoch 1`, `best`, `val`, `finished`."""
    words = []
    for event in events:
        match event:
            case RunStart():
                words.append("start")
            case EpochEnd():
                words.append(f"epoch {event.epoch}")
            case Kept():
                words.append(f"{event.role} {event.epoch}")
            case Evaluation():
                words.append(event.split)
            case RunEnd():
                words.append(event.status)
    return words


def test_records_come_in_this_order(train: Train) -> None:
    told = kinds(train(*SMALL, "checkpoint=2"))
    best = told[5]
    assert told == [
        *("start", "epoch 1", "epoch 2", "checkpoint 2", "epoch 3", best, "val", "test"),
        "finished",
    ]
    assert best.startswith("best ")


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_run_as_failed(odd: Any, train: Train) -> None:
    events = train(*SMALL, "regularizer=[explode]")
    assert kinds(events) == ["start", "epoch 1", "epoch 2", "best 1", "failed"]
    end = events[-1]
    assert isinstance(end, RunEnd)
    assert (end.epochs, end.best_epoch) == (2, 1)
    assert "epoch 2" in str(end.error)


@pytest.mark.many
@pytest.mark.parametrize(
    ("hook", "told"),
    [
        ("on_epoch_begin", ["start", "epoch 1", "failed"]),
        ("on_epoch_end", ["start", "epoch 1", "epoch 2", "failed"]),
    ],
)
def test_a_callback_that_raises_fails_its_run_with_its_traceback(
    odd: Any, train: Train, hook: str, told: list[str]
) -> None:
    events = train(*SMALL, "regularizer=[trip]", f"regularizer.trip.hook={hook}")
    assert kinds(events) == told
    end = events[-1]
    assert isinstance(end, RunEnd)
    assert end.error == "OSError: tripped over a cable"
    assert "in fall" in str(end.traceback)


def test_a_loss_that_raises_fails_its_run(odd: Any, train: Train) -> None:
    events = train(*SMALL, "loss=fails", "metrics=[]")
    assert kinds(events) == ["start", "failed"]
    end = events[-1]
    assert isinstance(end, RunEnd)
    assert "no loss today" in str(end.error)


@pytest.mark.parametrize("engine", ENGINES)
def test_a_stop_that_was_asked_for_ends_the_run_after_the_epoch(engine: str) -> None:
    events: list[Event] = []
    job = job_of([*SMALL, "epochs=5"], stop=lambda: "epoch 2" in kinds(events))
    chosen = find_engine(engine)
    with chosen.ready(job.config.settings):
        chosen.train([job], events.append)
    assert [word for word in kinds(events) if not word.startswith("best")] == [
        *("start", "epoch 1", "epoch 2", "val", "test", "stopped")
    ]
    end = events[-1]
    assert isinstance(end, RunEnd)
    assert end.error == "stopped by the user after epoch 2"


@pytest.mark.slow
def test_one_jobs_failure_is_its_own(odd: Any) -> None:
    from runner.engines import find_engine

    for engine in ENGINES:
        bad, good = job_of([*SMALL, "regularizer=[trip]"]), job_of(SMALL)
        events: list[Event] = []
        chosen = find_engine(engine)
        with chosen.ready(good.config.settings):
            chosen.train([bad, good], events.append)
        ends = [event.status for event in events if isinstance(event, RunEnd)]
        assert ends == ["failed", "finished"]


@pytest.mark.slow
def test_both_engines_see_the_same_rows_in_the_same_order(odd: Any) -> None:
    words = ("dataset=numbered", "loss=spy", "metrics=[]", "architecture=linear", "batch_size=4")
    seen = []
    for engine in ENGINES:
        odd.SEEN.clear()
        events_of(job_of([*words, "epochs=2", "regularizer=[]", "split.test=0"]), engine)
        # `fast` first shows the loss a single row, eagerly, so that metrics make their variables.
        seen.append([batch for batch in odd.SEEN if len(batch) > 1])
    assert seen[0] == seen[1]
    # 18 rows to train on and 4 to validate, twice, and val once more at the end.
    assert [len(batch) for batch in seen[1]] == [4, 4, 4, 4, 2, 4] * 2 + [4]


# --- What fast leaves to fit ---------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "reason", "note"),
    [
        (["regularizer=[per_batch]"], "the callback Counter acts on batches", 0),
        (["architecture=own_loop"], "OwnLoop has a training loop of its own", "own"),
        (["architecture=eager"], "the model runs eagerly", None),
    ],
)
def test_what_cannot_be_one_program_is_trained_by_fit_and_says_why(
    odd: Any, words: list[str], reason: str, note: Any
) -> None:
    events = events_of(job_of(["dataset=iris", "epochs=2", "regularizer=[]", *words]), "fast")
    start = events[0]
    assert isinstance(start, RunStart)
    assert (start.engine, start.engine_reason) == ("keras", f"fast declines: {reason}")
    assert kinds(events)[-1] == "finished"
    if note is not None:
        assert note in odd.SEEN


def test_a_strict_run_is_refused_where_its_engine_declines_it(odd: Any) -> None:
    words = ["dataset=iris", "epochs=2", "regularizer=[]", "architecture=eager", "strict=true"]
    [event] = events_of(job_of(words), "fast")
    assert isinstance(event, Refused)
    assert "engine fast declines the run: the model runs eagerly" in str(event.error)


def test_a_job_lets_go_of_its_model_when_it_has_ended(odd: Any) -> None:
    job = job_of(["dataset=iris", "epochs=1", "regularizer=[]", "limit_batches=1"])
    events_of(job, "fast")
    assert "recipe" not in vars(job)


@pytest.mark.slow
def test_the_reason_reaches_the_warehouse(odd: Any, results: Path) -> None:
    import runner
    import warehouse

    runner.run([*SMALL, "epochs=1", "regularizer=[per_batch]", f"results={results}"])
    with warehouse.connect(results) as connection:
        found = connection.execute("SELECT engine, engine_reason FROM runs").fetchall()
    assert found == [("keras", "fast declines: the callback Counter acts on batches")]


@pytest.mark.slow
def test_a_training_step_of_the_models_own_is_part_of_the_program(odd: Any) -> None:
    check(compared(["dataset=iris", "epochs=2", "regularizer=[]", "architecture=own_step"]))


@pytest.mark.slow
def test_slots_that_begin_as_copies_of_weights_are_copied_once(odd: Any) -> None:
    words = ["dataset=iris", "epochs=3", "regularizer=[]", "optimizer=schedule_free_adamw"]
    eager = events_of(job_of([*words, "architecture=eager"]), "fast")
    program = events_of(job_of([*words, "architecture=own_step"]), "fast")
    losses = [[e.loss for e in told if isinstance(e, EpochEnd)] for told in (eager, program)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)


# --- Pieces --------------------------------------------------------------------------------------


def test_pieces_take_about_a_second() -> None:
    assert next_piece(100, 0.02) == 50
    assert next_piece(100, 0.005) == 200
    # Not far from the last one: the first run of a program is no measure of the next.
    assert next_piece(100, 0.0) == 800
    assert next_piece(1, 60.0) == 1


@pytest.mark.slow
def test_an_epoch_in_pieces_is_the_same_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    from runner.engines.fast import program

    config, _ = compose([*SMALL, "batch_size=8", "regularizer=[dropout]"])
    data = prepare(load(config), config)
    whole = events_of(job_from(config, data), "fast")
    monkeypatch.setattr(program, "FIRST_PIECE", 1)
    monkeypatch.setattr(program, "PIECE_SECONDS", 0.0)
    pieces = events_of(job_from(config, data), "fast")
    assert apart(SMALL, whole, pieces).where == ""
