"""Load a dataset, check it, split it, fit and apply the preprocessing.

All that happens before a model exists, and most of it without TensorFlow: the checks end in one
clear sentence each, before anything trains.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from runner.components import types
from runner.components.signature import plain
from runner.components.types import (
    Data,
    Input,
    Keeper,
    Nowhere,
    SplitPlan,
    SplitRows,
    Splits,
    Stream,
    Summary,
    Task,
    Trained,
)
from runner.config.config import Config
from runner.config.settings import Settings
from runner.data.checks import (
    check_block,
    check_labels,
    check_loaded,
    check_parts,
    check_ready,
    check_shapes,
    parts,
)
from runner.data.class_weights import HeadFactors, class_weights, row_factors
from runner.data.foreign import as_arrays
from runner.data.heads import side_by_side, splits_by_head
from runner.data.labels import as_trained
from runner.data.numbers import warn_of_merged
from runner.data.parts import chosen, each, input_name, named, read_only
from runner.data.places import reconstructing, without_targets
from runner.data.preprocess import as_given, preprocess
from runner.data.rows import raw_rows
from runner.data.splitting import divide
from runner.data.stream import example_of, head, mapped, rows_of
from runner.data.summary import summary_of
from runner.errors import ConfigError, DataError

if TYPE_CHECKING:
    import keras

    from runner.components.types import Array, Features

__all__ = ["Part", "Prepared", "load", "parts", "prepare", "split"]

Part: TypeAlias = "types.Part"
Shapes = tuple[int, ...] | Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Prepared:
    """Data ready to train on: numbers, and what turned raw rows into them."""

    splits: Splits
    raw_shape: Shapes
    """The shape of one raw example, or of each of its inputs."""
    preprocessing: keras.Model | None
    """From a batch of raw examples to a batch of the model's inputs; None if they are equal."""
    weights: Array | None = None
    """How much each training row counts in the loss: float32 (rows,), of several heads (rows,
    heads), of places with an axis for each; None if all count the same, and where the training
    part is a Stream."""
    class_weights: Array | HeadFactors | None = None
    """Where it is one, how much a row of each class counts: float32 (classes,); or None."""
    raw: Callable[[], Mapping[str, SplitRows]] | None = None
    """Makes the rows of each split as the dataset gave them, for evaluators."""

    @property
    def inputs(self) -> dict[str, Input]:
        """What the model is given, by name; the one array of a plain dataset is "features"."""
        return {
            name: Input(tuple(array.shape[1:]), str(array.dtype), self.splits.vocabulary.get(name))
            for name, array in named(example_of(self.splits.train)[0]).items()
        }

    @property
    def several(self) -> bool:
        """Whether the model is given inputs by name, rather than one array."""
        return isinstance(example_of(self.splits.train)[0], dict)

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as the model takes it; ConfigError if there are several."""
        inputs = self.inputs
        if len(inputs) > 1:
            raise ConfigError(
                f"the data have {len(inputs)} inputs ({', '.join(inputs)}), and something takes "
                "one: add a preprocessing that makes one array of them, such as encode"
            )
        return next(iter(inputs.values())).shape

    def shapes(self) -> dict[str, Any]:
        """`raw_shape` and `input_shape` for the record: a list, or a list for each input."""
        inputs: Shapes = {name: one.shape for name, one in self.inputs.items()}
        given = {"raw_shape": self.raw_shape, "input_shape": inputs}
        if not self.several:
            given["input_shape"] = self.input_shape
        return {key: plain(shape) for key, shape in given.items()}

    @functools.cached_property
    def summary(self) -> Summary:
        """What the training targets are, for losses and metrics."""
        return summary_of(example_of(self.splits.train)[1], self.splits.task)

    @functools.cached_property
    def read_only(self) -> Splits:
        """The parts as components may look at them."""

        def seen(part: Part) -> Part:
            if isinstance(part, Stream):
                return part
            features, targets = part
            return each(features, lambda _, array: read_only(array)), read_only(targets)

        changed: dict[str, Any] = {name: seen(part) for name, part in parts(self.splits)}
        return replace(self.splits, **changed)

    def rows(self) -> dict[str, int]:
        """How many rows each part has."""
        return {name: rows_of(part) for name, part in parts(self.splits)}


def load(
    config: Config, trained: Trained | None = None, keeper: Keeper | None = None
) -> Data | Splits:
    """Call the dataset; DataError where its answer breaks the contract.

    trained: the run whose model is evaluated on the data; labels are then what they were to it.
    keeper: takes what the dataset leaves behind for the runs that train on it.
    """
    choice = config.one("dataset")
    # Of a reconstruction the labels are of no account.
    labels = trained is not None and trained.task.per not in ("value", "view")
    with as_trained(trained.task) if trained and labels else nullcontext():
        data: Data | Splits = choice(
            split=config.settings.split, trained=trained, run=keeper or Nowhere()
        )
    where = choice.component.place
    if not isinstance(data, Data | Splits):
        raise choice.component.returned(data, "Data or Splits")
    data = as_arrays(data, where)
    check_parts(data, where)
    data = _with_input_names(side_by_side(data, where))
    check_loaded(data, where, text=bool(config.chosen["preprocessing"]))
    data = replace(data, task=data.task.sized(_targets(data)))
    wanted = config.settings.split
    if isinstance(data, Splits) and "split" not in choice.component.needs:
        for key in ("by", "folds"):
            if (value := getattr(wanted, key)) is not None:
                raise DataError(
                    f"split.{key}={value} is of no use: {where} comes in parts of its own"
                )
    return data


def _targets(data: Data | Splits) -> Array:
    """Targets of some rows."""
    return data.targets if isinstance(data, Data) else example_of(data.train)[1]


def _with_input_names(data: Data | Splits) -> Data | Splits:
    """The data with every input called as Keras can call it."""

    def renamed(features: Features, _: Array | None = None) -> Features:
        if not isinstance(features, dict):
            return features
        return {input_name(name): array for name, array in features.items()}

    vocabulary = {input_name(name): codes for name, codes in data.vocabulary.items()}
    if isinstance(data, Data):
        return replace(data, features=renamed(data.features), vocabulary=vocabulary)
    changed: dict[str, Any] = {name: mapped(part, renamed) for name, part in parts(data)}
    return replace(data, vocabulary=vocabulary, **changed)


def split(data: Data | Splits, wanted: SplitPlan) -> Splits:
    """Divide the rows into disjoint parts; a dataset that comes in parts keeps them."""
    if isinstance(data, Splits):
        return data

    def part(rows: Array) -> Part:
        return chosen(data.features, rows), data.targets[rows]

    train, val, test = divide(data, wanted)
    return Splits(
        train=part(train),
        val=part(val) if len(val) else None,
        test=part(test) if len(test) else None,
        task=data.task,
        weights=None if data.weights is None else data.weights[train],
        vocabulary=data.vocabulary,
        feature_names=data.feature_names,
        reading=data.reading,
    )


def prepare(data: Data | Splits, config: Config) -> Prepared:
    """Split, fit the preprocessing on the training part, apply it to all parts."""
    where = f"dataset '{config.one('dataset').component.name}'"
    splits = split(data, config.settings.split)
    for name, one in splits_by_head(splits).items():
        check_labels(one, f"{where} head '{name}'")
    if not splits.task.heads:
        check_labels(splits, where)
    example = example_of(splits.train)[0]
    shapes = {name: tuple(array.shape[1:]) for name, array in named(example).items()}
    steps = config.chosen["preprocessing"]
    splits = _checked_blocks(splits, where, text=bool(steps))
    model = None
    if steps:
        splits, model = preprocess(splits, steps)
    else:
        warn_of_merged(example, splits.feature_names, splits.vocabulary)
    splits = _ready(splits, where)
    if config.settings.task == "reconstruction":
        splits = reconstructing(splits, where)
    elif config.settings.task == "contrastive":
        splits = without_targets(splits, config.settings.embedding)
    splits = _debug(splits, config.settings)
    rows = rows_of(splits.train)
    if config.settings.batch_size > rows:
        raise DataError(
            f"batch_size={config.settings.batch_size} is larger than the training part, "
            f"which has {rows} rows"
        )
    by_class = class_weights(config.settings.class_weight, splits)
    streamed = isinstance(splits.train, Stream)
    return Prepared(
        splits=splits,
        raw_shape=shapes if isinstance(example, dict) else next(iter(shapes.values())),
        preprocessing=model,
        weights=None if streamed else _row_weights(splits, by_class),
        class_weights=by_class if streamed else None,
        raw=functools.partial(raw_rows, data, config.settings),
    )


def _row_weights(splits: Splits, by_class: Array | HeadFactors | None) -> Array | None:
    """The dataset's weights times those of the classes."""
    weights = splits.weights
    if weights is not None and splits.task.heads:
        weights = np.repeat(np.asarray(weights)[:, None], len(splits.task.heads), axis=1)
    if by_class is not None:
        factors = row_factors(by_class, np.asarray(example_of(splits.train)[1]))
        weights = factors * (1 if weights is None else _for_places(weights, splits.task))
    elif weights is not None:
        weights = _for_places(weights, splits.task)
    return None if weights is None else np.asarray(weights, dtype=np.float32)


def _for_places(weights: Array, task: Task) -> Array:
    """A row's weight as it multiplies the loss of each of its places."""
    return np.asarray(weights)[(..., *(None for _ in task.places))]


def _checked_blocks(splits: Splits, where: str, text: bool) -> Splits:
    """The splits whose streams check every block when it is read."""

    def checked(name: str, part: Part) -> Part:
        def check(features: Features, targets: Array) -> Features:
            check_block(f"{where} {name}", features, targets, splits.task, text)
            check_shapes(where, f"a block of {name}", features, example_of(splits.train)[0])
            return features

        return mapped(part, check) if isinstance(part, Stream) else part

    changed: dict[str, Any] = {name: checked(name, part) for name, part in parts(splits)}
    return replace(splits, **changed)


def _ready(splits: Splits, where: str) -> Splits:
    """The parts as a model takes them; DataError for text, NaN and unknown codes."""

    def ready(name: str, part: Part) -> Part:
        def convert(features: Features, targets: Array) -> Features:
            numbers = as_given(features, splits.vocabulary, where)
            check_ready(where, name, numbers, splits.vocabulary)
            return numbers

        return mapped(part, convert)

    changed: dict[str, Any] = {name: ready(name, part) for name, part in parts(splits)}
    return replace(splits, **changed)


def _debug(splits: Splits, settings: Settings) -> Splits:
    """The splits cut down as `debug` and `limit_batches` ask."""
    if settings.debug == "overfit":
        one = head(example_of(splits.train), settings.batch_size)
        weights = None if splits.weights is None else splits.weights[: settings.batch_size]
        return replace(splits, train=one, val=one, test=None, weights=weights)
    if settings.limit_batches is not None:
        # The training part stays whole: the engine limits its batches an epoch.
        rows = settings.limit_batches * settings.batch_size
        return replace(
            splits,
            val=splits.val and head(splits.val, rows),
            test=splits.test and head(splits.test, rows),
        )
    return splits
