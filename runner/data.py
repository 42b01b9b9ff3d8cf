"""Load a dataset, check it, split it, fit and apply the preprocessing.

All that happens before a model exists, and most of it without TensorFlow: the checks end in one
clear sentence each, before anything trains.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.config import Choice, Config, Settings
from runner.errors import DataError, PluginError
from runner.nouns import Data, Split, Splits, Task

if TYPE_CHECKING:
    import keras

    from runner.nouns import Array

Part = tuple["Array", "Array"]
PARTS = ("train", "val", "test")
PIECE = 8192
"""Rows that the preprocessing transforms at once."""


@dataclass(frozen=True)
class Prepared:
    """Data ready to train on: float32 features, and what turned raw rows into them."""

    splits: Splits
    raw_shape: tuple[int, ...]
    """The shape of one raw example."""
    preprocessing: keras.Model | None
    """From a batch of raw examples to a batch of the model's inputs; None if they are equal."""
    weights: Array | None = None
    """How much each training row counts in the loss: float32 (rows,); None if all count the same."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """The shape of one example as the model takes it."""
        return tuple(self.splits.train[0].shape[1:])

    def rows(self) -> dict[str, int]:
        """How many rows each part has."""
        return {name: len(part[0]) for name, part in parts(self.splits)}


def parts(splits: Splits) -> list[tuple[str, Part]]:
    """The parts that there are, with their names."""
    named = zip(PARTS, (splits.train, splits.val, splits.test), strict=True)
    return [(name, part) for name, part in named if part is not None]


def load(config: Config) -> Data | Splits:
    """Call the dataset; DataError where its answer breaks the contract."""
    choice = config.one("dataset")
    data = choice(split=config.settings.split)
    where = f"dataset '{choice.component.name}'"
    if not isinstance(data, Data | Splits):
        raise PluginError(f"{where} returned {type(data).__name__}, not Data or Splits")
    named = [("", (data.features, data.targets))] if isinstance(data, Data) else parts(data)
    for name, (features, targets) in named:
        _check_part(f"{where} {name}".strip(), features, targets, data.task)
    first = named[0][1][0].shape[1:]
    for name, (features, _) in named[1:]:
        if features.shape[1:] != first:
            raise DataError(
                f"{where} has examples of shape {features.shape[1:]} in {name} and of shape "
                f"{first} in train; they must be the same"
            )
    return data


def _check_part(where: str, features: Array, targets: Array, task: Task) -> None:
    """Raise DataError for rows that cannot be trained on as the task says."""
    for name, array in (("features", features), ("targets", targets)):
        if not isinstance(array, np.ndarray):
            kind = type(array).__name__
            raise DataError(f"{where} has {name} of type {kind}; they must be a NumPy array")
    if len(features) != len(targets):
        raise DataError(f"{where} has {len(features)} rows but {len(targets)} targets")
    if len(features) == 0:
        raise DataError(f"{where} has no rows")
    if not np.issubdtype(features.dtype, np.number) and features.dtype != bool:
        raise DataError(f"{where} has features of type {features.dtype}; they must be numbers")
    if not np.issubdtype(targets.dtype, np.number) and targets.dtype != bool:
        raise DataError(f"{where} has targets of type {targets.dtype}; they must be numbers")
    if np.isinf(features).any():
        count = int(np.isinf(features).sum())
        raise DataError(f"{where} has {count} infinite values among its features")
    values = np.asarray(targets, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{where} has {int((~np.isfinite(values)).sum())} targets that are NaN")
    if task.kind == "regression":
        width = 1 if targets.ndim == 1 else targets.shape[1]
        if width != task.outputs:
            raise DataError(f"{where} has {width} values a target; its task says {task.outputs}")
        return
    width = task.outputs if task.kind == "multilabel" else 1
    if targets.size != len(targets) * width:
        raise DataError(
            f"{where} has targets of shape {targets.shape}; a {task.kind} task takes "
            f"{width} label(s) a row: integers, not one-hot rows"
        )
    highest = task.outputs - 1 if task.kind == "classification" else 1
    wrong = values[(values < 0) | (values > highest) | (values % 1 != 0)]
    if wrong.size:
        raise DataError(
            f"{where} has the label {wrong[0]:g}; a {task.kind} task of {task.outputs} "
            f"output(s) has the labels 0 to {highest}"
        )


def split(data: Data | Splits, wanted: Split) -> Splits:
    """Divide the rows into disjoint parts, by class where there are classes.

    Drawn from `wanted.seed` alone. A dataset that comes in parts keeps them.
    """
    if isinstance(data, Splits):
        return data
    rows = len(data.targets)
    random = np.random.Generator(np.random.Philox(key=[wanted.seed, 0]))
    order = random.permutation(rows)
    if data.task.kind in ("classification", "binary"):
        order = _spread(order, np.asarray(data.targets).reshape(-1).astype(int))
    counts = [round(rows * share) for share in (wanted.val, wanted.test)]
    for share, count, name in zip((wanted.val, wanted.test), counts, ("val", "test"), strict=True):
        if share > 0 and count == 0:
            raise DataError(f"split.{name}={share} of {rows} rows leaves no row in {name}")
    val, test = counts
    if rows - val - test < 1:
        raise DataError(f"the split of {rows} rows leaves no row to train on")

    def part(chosen: Array) -> Part:
        return data.features[chosen], data.targets[chosen]

    return Splits(
        train=part(order[val + test :]),
        val=part(order[:val]) if val else None,
        test=part(order[val : val + test]) if test else None,
        task=data.task,
    )


def _spread(order: Array, labels: Array) -> Array:
    """The order with every class spread evenly over it, so that any slice is stratified."""
    place = np.empty(len(order))
    for label in np.unique(labels):
        rows = order[labels[order] == label]
        # Row i of n in its class stands at (i + 1/2) / n of the whole.
        place[rows] = (np.arange(len(rows)) + 0.5) / len(rows)
    return order[np.argsort(place[order], kind="stable")]


def prepare(data: Data | Splits, config: Config) -> Prepared:
    """Split, fit the preprocessing on the training part, apply it to all parts."""
    splits = split(data, config.settings.split)
    raw_shape = tuple(splits.train[0].shape[1:])
    steps = config.chosen["preprocessing"]
    model = None
    if steps:
        splits, model = _preprocess(splits, raw_shape, steps)
    splits = _over_parts(splits, lambda features: np.asarray(features, dtype=np.float32))
    for name, (features, _) in parts(splits):
        missing = np.isnan(features)
        if missing.any():
            raise DataError(
                f"dataset '{config.one('dataset').component.name}' has {int(missing.sum())} "
                f"missing values (NaN) in {name} and nothing imputes them: "
                "add preprocessing=[impute]"
            )
    splits = _debug(splits, config.settings)
    if config.settings.batch_size > len(splits.train[0]):
        raise DataError(
            f"batch_size={config.settings.batch_size} is larger than the training part, "
            f"which has {len(splits.train[0])} rows"
        )
    return Prepared(splits, raw_shape, model)


def _preprocess(
    splits: Splits, raw_shape: tuple[int, ...], steps: Sequence[Choice]
) -> tuple[Splits, keras.Model]:
    """The transformed parts, and one Keras model that transforms a batch in the same way."""
    import keras

    # Names start anew, so that equal preprocessing is equal as JSON, whatever ran before.
    keras.utils.clear_session(free_memory=False)
    raw = keras.Input(raw_shape, name="raw")
    value: Any = raw
    for step in steps:
        features, targets = splits.train
        function = step(features=features, targets=targets, task=splits.task)
        before = keras.Input(features.shape[1:])
        one = keras.Model(before, function(before))
        splits = _over_parts(splits, functools.partial(_apply, one))
        value = function(value)
    return splits, keras.Model(raw, value, name="preprocessing")


def _apply(model: keras.Model, rows: Array) -> Array:
    """What the model makes of the rows, in pieces; eager, since a trace would cost more."""
    pieces = (model(rows[i : i + PIECE]) for i in range(0, len(rows), PIECE))
    return np.concatenate([np.asarray(piece) for piece in pieces])


def _over_parts(splits: Splits, change: Callable[..., Array]) -> Splits:
    """The splits with the features of every part changed."""
    changed: dict[str, Any] = {name: (change(x), y) for name, (x, y) in parts(splits)}
    return replace(splits, **changed)


def _debug(splits: Splits, settings: Settings) -> Splits:
    """The splits cut down as `debug` and `limit_batches` ask."""
    if settings.debug == "overfit":
        one = _head(splits.train, settings.batch_size)
        return Splits(one, one, None, splits.task)
    if settings.limit_batches is not None:
        # The training part stays whole: the engine limits its batches an epoch.
        rows = settings.limit_batches * settings.batch_size
        return replace(
            splits,
            val=splits.val and _head(splits.val, rows),
            test=splits.test and _head(splits.test, rows),
        )
    return splits


def _head(part: Part, rows: int) -> Part:
    return part[0][:rows], part[1][:rows]
