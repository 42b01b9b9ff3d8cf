"""The kinds of component: one spec each, its docstring the contract, its arguments the offer.

A component takes any subset of its kind's arguments, by name, before `*`; what stands after `*`
are its own params, which the config supplies. Below them are the events of which a plugin may be
told.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pluggy

from runner.components.search_types import Curve, History, Params, Space, Suggestion
from runner.components.types import (
    Data,
    Findings,
    Input,
    Keeper,
    Recipe,
    SplitPlan,
    SplitRows,
    Splits,
    Summary,
    Task,
    Trained,
    Transform,
)

if TYPE_CHECKING:
    from pathlib import Path

    import keras
    import numpy as np

    from runner.components.types import Features
    from runner.journal.records import EpochEnd, RunEnd, RunStart

PROJECT = "runner"
_spec = pluggy.HookspecMarker(PROJECT)


@dataclass(frozen=True)
class Kind:
    """One kind of component, as its spec states it."""

    name: str
    key: str
    """Its key in the config: `metrics` for the kind metric, else the name."""
    many: bool
    """Whether a config holds several of them: `regularizer=[l2,dropout]`."""
    ordered: bool
    """Whether the order in which several are named matters."""
    offers: tuple[str, ...]
    contract: str


KINDS: dict[str, Kind] = {}
"""The kinds that a run's config is composed from."""
SEARCH_KINDS: dict[str, Kind] = {}
"""Those that choose which runs there are and which of them go on: no part of a run's config."""


def kind_named(name: str) -> Kind:
    """The kind, of a run or of a search."""
    return (KINDS | SEARCH_KINDS)[name]


def _kind(
    *,
    key: str = "",
    many: bool = False,
    ordered: bool = False,
    kinds: dict[str, Kind] = KINDS,
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make a function below both a pluggy spec and an entry of `kinds`."""

    def mark(spec: Callable[..., Any]) -> Callable[..., Any]:
        name = spec.__name__
        offers = tuple(inspect.signature(spec).parameters)
        contract = inspect.cleandoc(spec.__doc__ or "")
        kinds[name] = Kind(name, key or name, many, ordered, offers, contract)
        return _spec(spec)

    return mark


@_kind()
def dataset(split: SplitPlan, trained: Trained | None, run: Keeper) -> Data | Splits:
    """Give the data and say what the task is.

    split: the `split` part of the config, for a source that divides itself: shares, seed, `by`,
        `folds`; `split.assign(keys)` gives each row of a block its part by its content.
    trained: None in training; else the run whose model is evaluated on these rows: its task, and
        what its dataset gave as `reading=`, so that a table is read as it was read then.
    run: keeps figures, tables and files with every run that trains on the data: a Keeper.

    Returns Data(features, targets, task): features an array of shape (rows, ...), or a dict of
    such arrays for a model with several inputs; targets of shape (rows,) or (rows, values), or as
    the task says where it has places, Task.segmentation say; the runner splits it as the config
    says. Several things to tell of a row: targets={"age": ..., "kind": ...} and a dict of tasks by
    the same names, a head for each. Columns of text (missing text is "") are for the preprocessing
    to encode. `columns=` gives what `split.by` may name beside the features, `weights=` how much
    each row counts in training, `vocabulary=` which inputs are codes, `part=` which part each row
    is of where the source says it (val is drawn from train where it has none).

    A source with parts of its own returns Splits(train, val, test, task), each part a pair
    (features, targets), or a Stream(rows, sample, read) where it is too large for memory; if it
    takes `split` it divides by all of it. Classification targets are integers 0 .. classes-1.
    """
    raise NotImplementedError


@_kind()
def architecture(
    input_shape: tuple[int, ...] | None,
    inputs: Mapping[str, Input],
    outputs: int,
    heads: Mapping[str, int],
    task: Task,
    seed: int,
) -> keras.Model | tuple[keras.Model, list[keras.callbacks.Callback]]:
    """Make the network.

    input_shape: the shape of one example, without the batch axis; None where the data have
        several inputs, with which an architecture that takes this alone is refused.
    inputs: what the model is given, by name: an Input with `shape`, `dtype` and, for codes (for
        an embedding), `vocabulary`. Data of one array have the one input "features".
    outputs: how many units the head has (classes, labels or values; 1 for a binary task); of
        several heads or of places, all of them together.
    heads: the units of each head by its name, where the data have several; else empty.
    task: the dataset's task; `task.per` says what has outputs of its own, and
        `task.output_shape` is their shape, (height, width, classes) for a segmentation.
    seed: the run's seed; Keras' own random state is set from it already.

    Returns a new, uncompiled Keras model that maps a batch of shape (batch, *input_shape) to
    (batch, outputs), or (batch, *task.output_shape). Its last layer is linear: the runner puts
    softmax or sigmoid on top as the task asks, and reshapes flat outputs of all tasks but those
    of pixels. A model that ends in an activation of its own keeps it. With several inputs the
    model has one for each, called as it is: keras.Input(shape, dtype=dtype, name=name).

    Of several heads it gives a dict of linear outputs by the names in `heads`, {"age": (batch, 1),
    "kind": (batch, 3)}, or (batch, outputs), of which each head gets its columns, in the order of
    `heads`: one that knows nothing of heads will do.

    Or (model, callbacks), for Keras callbacks that belong to the model. One may make frozen layers
    trainable, or trainable ones frozen, when an epoch begins: every engine follows, and the
    optimizer has state for the weights of all layers from the start.

    A model may bring a train_step, test_step, compute_loss or compute_metrics of its own: they
    train and evaluate it. There its outputs are as its own code gives them; the compiled loss and
    metrics put the head on top first. A train_step gives logs with one called loss. `compile`
    takes Keras' names; further optimizers are attributes of the model, and go into checkpoints.
    """
    raise NotImplementedError


@_kind()
def optimizer(epochs: int, steps_per_epoch: int) -> keras.optimizers.Optimizer:
    """Make the optimizer.

    epochs, steps_per_epoch: how long the run may last, in epochs and in batches an epoch.

    A param named `learning_rate` is what schedules act upon: its value arrives as a number or as
    a Keras LearningRateSchedule.

    Returns a new Keras optimizer, built in or a subclass of your own.
    """
    raise NotImplementedError


@_kind()
def schedule(
    learning_rate: float, epochs: int, steps_per_epoch: int, monitor: str, mode: str
) -> float | keras.optimizers.schedules.LearningRateSchedule | keras.callbacks.Callback:
    """Turn the optimizer's learning rate into one that changes.

    learning_rate: the base, `optimizer.learning_rate` of the config.
    epochs, steps_per_epoch: how long the run may last, in epochs and in batches an epoch.
    monitor, mode: the metric that judges the run, and "min" or "max".

    Returns a number, a Keras LearningRateSchedule (of the step), or a Keras callback.
    """
    raise NotImplementedError


@_kind(many=True)
def regularizer(
    recipe: Recipe,
    task: Task,
    monitor: str,
    mode: str,
    seed: int,
    epochs: int,
    steps_per_epoch: int,
) -> Recipe:
    """Apply one regularization to whatever is about to be compiled.

    recipe: model, loss, optimizer, metrics and callbacks of the run; it may be changed in place.
        Of several heads, `recipe.loss` is a dict of losses by head.
    task: the dataset's task; of several heads, of kind "heads", with `task.heads` by name.
    monitor, mode: the metric that judges the run, and "min" or "max".
    seed: the run's seed.
    epochs, steps_per_epoch: how long the run may last, in epochs and in batches an epoch.

    Returns the recipe. It must work on any functional or sequential model; raise ModelError
    with one clear sentence where it cannot. `@regularizer(stage="structure")` says that it
    changes the layers: those are applied first, penalties after them, whatever the order in
    the config.
    """
    raise NotImplementedError


@_kind(many=True, ordered=True)
def preprocessing(
    features: Features,
    targets: np.ndarray[Any, Any],
    task: Task,
    vocabulary: Mapping[str, int],
) -> Callable[[Any], Any] | Transform:
    """Fit a transformation of the features on the training split.

    features, targets: the training split's arrays, read-only, as the components before it left
        them (of a stream: its sample). Features of several inputs are a dict of arrays by name;
        in it text is of dtype object or str, whole numbers are integers, anything else is
        floating. Targets of several heads are a dict of arrays by head.
    task: the dataset's task.
    vocabulary: the inputs that are codes, no numbers, with how many codes there are.

    Returns a function from a batch of features (a tensor of shape (batch, ...), or a dict of
    them by name where features are a dict) to the transformed batch: a tensor, or a dict of
    tensors whose names are the model's inputs. An array of shape (rows,) is a tensor of shape
    (batch,). The function is made of Keras layers or keras.ops only, so that it can become the
    first part of the saved model. It must not look at anything but the training split.

    What comes out in the end is given to the model as float32, integers too, unless they are
    codes. A component that makes codes says so and returns Transform(function, vocabulary), where
    vocabulary maps the input's name ("features" where there is one tensor) to the number of
    codes. Text that is still text after the last component is refused.
    """
    raise NotImplementedError


@_kind(many=True, ordered=True)
def augmentation(
    task: Task, input_shape: tuple[int, ...], inputs: Mapping[str, Input], seed: int
) -> Callable[..., Any]:
    """Change training batches at random, before the model learns from them.

    task: the dataset's task.
    input_shape: the shape of one example as the model takes it, without the batch axis; an
        augmentation that takes it cannot be used with data of several inputs.
    inputs: what the model is given, by name, as architectures are told it.
    seed: the run's seed; every epoch's random numbers follow from it and the epoch.

    Returns a Keras layer without weights, called with training=True on the one array of features,
    or a function that takes by name any of: features, a tensor of shape (batch, *input_shape), or
    a dict of tensors by name where there are several inputs; targets, float32, as the dataset
    gives them but one-hot for a classification; generator, a keras.random.SeedGenerator to draw
    from. The function returns the features, or (features, targets) if it takes targets; shapes
    and types stay; of several heads no function may take targets. Both run inside of a compiled
    program: Keras layers and keras.ops only. Val,
    test and the saved model never see it; metrics of training count mixed targets as the nearest
    label. Raise ModelError with one clear sentence where the examples do not fit.
    """
    raise NotImplementedError


@_kind(many=True)
def callback(
    task: Task,
    epochs: int,
    monitor: str,
    mode: str,
    run: Keeper,
    run_id: str,
    seed: int,
    results: Path,
    data: Splits,
) -> keras.callbacks.Callback:
    """Make a Keras callback: whatever no other kind is for.

    task: the dataset's task.
    epochs: how many epochs the run may last.
    monitor, mode: the metric that judges the run, and "min" or "max".
    run: keeps figures, tables and files with the run, whenever it is called: a Keeper. A run whose
        callback takes it is not packed.
    run_id: the run's id; a resumed or replayed run has one of its own.
    seed: the run's seed.
    results: the results folder; what a callback writes there lies best in a folder of its own.
    data: train, val and test as the model takes them, read-only.

    Returns a Keras callback. One that acts on batches has engine `keras` train the run. What it
    keeps as numbers, text or flags in its attributes goes into checkpoints and comes back when
    the run is resumed, after its `on_train_begin`.

    Numbers that it puts into the logs in `on_epoch_end`, or of val in `on_test_end`, are metrics
    of the run: they are recorded, and `monitor` may name one. What the runner measured itself is
    recorded as measured. The weights in the model when val is evaluated count for the epoch and
    may be kept; what a callback puts there afterwards is trained on, or lost when training is
    over.
    """
    raise NotImplementedError


@_kind()
def loss(task: Task, summary: Summary) -> keras.losses.Loss | Callable[[Any, Any], Any]:
    """Make the loss.

    task: the dataset's task; of several heads, that of one: it is called for each.
    summary: what the training split's targets are: rows of each class, or mean and deviation.

    Returns a Keras loss, or a function of (y_true, y_pred). The model's outputs are
    probabilities for a classification and plain values for a regression.
    """
    raise NotImplementedError


@_kind(key="metrics", many=True)
def metric(task: Task, summary: Summary) -> keras.metrics.Metric | Callable[[Any, Any], Any]:
    """Make a metric that is computed every epoch and at the evaluation.

    task: the dataset's task; of several heads, that of one: it is called for each, and a
        ModelError leaves the head out. In the logs its name is kind.accuracy, say.
    summary: what the training split's targets are: rows of each class, or mean and deviation.

    Returns a new Keras metric, a function of (y_true, y_pred), or a list of them; each gives one
    number, and is not called loss or val_ something. The model's outputs are probabilities for a
    classification and plain values for a regression.

    `@metric(mode="max")` says that more of it is better, `mode="min"` that less is; best epochs
    follow from that. Most of Keras' own metrics say so themselves. Of a metric of which nobody
    does, the name decides, and a line says which way before anything trains.
    """
    raise NotImplementedError


@_kind(many=True)
def evaluator(
    model: keras.Model,
    predict: Callable[[Features], np.ndarray[Any, Any]],
    splits: Mapping[str, SplitRows],
    task: Task,
    outputs: Mapping[str, np.ndarray[Any, Any]],
    epoch: int,
    seed: int,
) -> Findings:
    """Look at a trained model, and leave behind what was found: metrics, figures, tables, files.

    model: the trained Keras model with the weights that are kept, those of the best epoch. It
        takes rows as the dataset gave them: the preprocessing is part of it.
    predict: what the model says of such rows, features to (rows, outputs), in pieces.
    splits: train, and val and test where there are such: SplitRows with `features` and `targets`,
        the values of a column by `column(name)`. Of a Stream, its first 100,000 rows.
    task: the dataset's task.
    outputs: what the model says of a split, computed when it is asked for: (rows, outputs),
        probabilities for a classification and plain values for a regression.
    epoch: the epoch that the weights are of, counted from 1.
    seed: the run's seed.

    Returns Findings(metrics, figures, tables, files). Metrics become evaluations called
    `my_evaluator.name`, the rest artifacts of that name. It is called when training is over; one
    with a param `every: int | None = None` that is not None also after every so many epochs, with
    the weights that the epoch was evaluated with, and without the split test: its metrics are then
    metrics of the epoch. Such a run is not packed.

    Where it raises, the run goes on: the error is told in a line and kept in `evaluator_calls`.
    Evaluators change no run, and are no part of its fingerprint. A run that was stopped or pruned
    is not looked at; `python -m runner evaluate RUN evaluator=[my_evaluator]` does that later.
    """
    raise NotImplementedError


@_kind(key="search.sampler", kinds=SEARCH_KINDS)
def sampler(
    space: Space, history: History, pending: Sequence[Params], n: int, seed: int, objectives: int
) -> Sequence[Suggestion | Params]:
    """Suggest the configurations that a search tries next.

    space: what is varied; `space.active(params)` are the dimensions that count for a choice.
    history: the search's own trials, in order, and trials of other tasks.
    pending: configurations that are suggested and not tried yet.
    n: how many to suggest; they will train together, so that those that agree in all structural
        dimensions are trained as one program.
    seed: of the search. Draw from `numpy.random.default_rng([seed, len(history.trials), ...])`.
    objectives: how many values a trial has. A sampler that does not take it serves searches for
        one only.

    Returns up to n of Suggestion(params), or of plain params; fewer, or none, where nothing is
    left to try. It remembers nothing: equal arguments, equal suggestions, so that a search that
    was stopped goes on as if it had not been. Values: less is better, infinity the worst.
    """
    raise NotImplementedError


@_kind(key="search.pruner", kinds=SEARCH_KINDS)
def pruner(
    curve: Curve,
    epoch: int,
    epochs: int,
    others: Sequence[Curve],
    past: Sequence[Curve],
    number: int,
    show: Callable[[float], str],
) -> bool | str:
    """Say whether a run is hopeless, after each of its epochs but the last.

    curve: what the run monitors, up to now; less is better.
    epoch, epochs: how many epochs are over, and how many there may be.
    others: the curves of the other runs of the sweep on the same data by the same metric, those
        that ended among them; runs that train together have done as many epochs as this one.
    past: the curves of finished runs on other data by the same metric; `task` tells which of them
        may be ranked among each other.
    number: which run of the sweep it is, counted from 0; a curve has it too.
    show: a value as text, in the metric's own sign.

    Returns whether to stop it, or why, in words that go into the run's error ("" is no). It then
    has status stopped and reason pruned, keeps all its epochs and the weights of its best one. It
    remembers nothing: equal arguments, equal answers. Where it raises, the runs go on without it.
    """
    raise NotImplementedError


@dataclass(frozen=True)
class Event:
    """Something that happens to a run, as its spec states it."""

    name: str
    offers: tuple[str, ...]
    contract: str


EVENTS: dict[str, Event] = {}


def _event(spec: Callable[..., None]) -> Callable[..., None]:
    """Make a function below both a pluggy spec and an entry of EVENTS."""
    offers = tuple(inspect.signature(spec).parameters)
    contract = inspect.cleandoc(spec.__doc__ or "")
    EVENTS[spec.__name__] = Event(spec.__name__, offers, contract)
    marked: Callable[..., None] = _spec(spec)
    return marked


@_event
def runner_run_start(start: RunStart) -> None:
    """A run begins, and its start is in the journal. It may still fail before it trains.

    start: what is known of it: `run_id`, `experiment`, `seed`, `engine`, `device`, `monitor`,
        `mode`, `overrides`, `config`, `data` and more.
    """


@_event
def runner_epoch_end(start: RunStart, epoch: EpochEnd) -> None:
    """An epoch is over, and in the journal.

    start: as above, of the epoch's run.
    epoch: `epoch` (counted from 1), `loss`, `val_loss`, `learning_rate`, `seconds`, and `metrics`:
        split -> name -> value.

    A resumed run tells of the epochs behind it first, as soon as it has started. Runs that train
    together tell of theirs in any order.
    """


@_event
def runner_run_end(start: RunStart, end: RunEnd) -> None:
    """A run is over, and its journal closed, whichever way it ended.

    start: as above.
    end: `status` (finished, stopped or failed), `reason` (of a stopped run: user, pruned,
        max_seconds or own_max_seconds), `seconds`, `epochs`, `best_epoch`, `error` and
        `traceback`.

    Nobody is told of a run that is killed, or stopped by a second Ctrl-C.
    """
