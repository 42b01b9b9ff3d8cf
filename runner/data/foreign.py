"""Frames, Series, lists, tensors and tf.data as the arrays that all else takes.

A dataset may return any of them where it would return arrays. Neither pandas nor TensorFlow is
imported here: what is theirs can only be there where somebody has imported them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.components.types import Data, Splits, Task
from runner.data.checks import PARTS
from runner.data.labels import Labels
from runner.data.numbers import compact
from runner.errors import DataError, choices

if TYPE_CHECKING:
    from runner.components.types import Array

DAY = np.timedelta64(1, "D")


def as_arrays(data: Data | Splits, where: str) -> Data | Splits:
    """The data with everything in them an array, as far as it is known how.

    A frame of numbers becomes one array, one with text an input for each column, as of a CSV
    file; targets of text become the classes' numbers. A tf.data.Dataset is read into memory.

    Raises DataError for what has no such form, such as rows of different lengths.
    """
    if isinstance(data, Data):
        return _of_data(data, where)
    changed: dict[str, Any] = {}
    task = data.task
    for name in PARTS:
        part, place = getattr(data, name), f"{where} {name}"
        if _is(part, "tensorflow", "data", "Dataset"):
            *pair, weights = _read(part, task, place)
            part = tuple(pair)
            if weights is not None and name == "train":
                changed["weights"] = weights
        if isinstance(part, tuple) and len(part) == 2:
            features, names = _features(part[0], place)
            targets, task = _targets(part[1], task, place)
            part = features, targets
            changed |= {"feature_names": names} if names else {}
        changed[name] = part
    if data.weights is not None:
        changed["weights"] = _plain(data.weights, f"{where} weights")
    return replace(data, task=task, **changed)


def _of_data(data: Data, where: str) -> Data:
    features, targets, weights = data.features, data.targets, data.weights
    if _is(features, "tensorflow", "data", "Dataset"):
        if targets is not None:
            raise DataError(
                f"{where} has a tf.data.Dataset as its features and targets beside it: have it "
                "give pairs (features, targets), and None as targets"
            )
        features, targets, weights = _read(features, data.task, where)
    features, names = _features(features, where)
    targets, task = _targets(targets, data.task, where)
    return replace(
        data,
        features=features,
        targets=targets,
        task=task,
        weights=None if weights is None else _plain(weights, f"{where} weights"),
        part=None if data.part is None else _plain(data.part, f"{where} part"),
        keys=None if data.keys is None else _plain(data.keys, f"{where} keys"),
        columns={name: _plain(keys, f"{where} {name}") for name, keys in data.columns.items()},
        feature_names=data.feature_names or names,
    )


def _is(value: object, package: str, *names: str) -> bool:
    """Whether it is one of a package's, which is loaded in that case."""
    kind: Any = sys.modules.get(package)
    for name in names:
        kind = getattr(kind, name, None)
    return isinstance(kind, type) and isinstance(value, kind)


# --- Features and targets ------------------------------------------------------------------------


def _features(given: Any, where: str) -> tuple[Any, tuple[str, ...]]:
    """One array, or several by name; and what the columns of one are called, if anything."""
    if _is(given, "pandas", "DataFrame"):
        names = tuple(map(str, given.columns))
        for name in names:
            if names.count(name) > 1:
                raise DataError(f"{where} has a frame with two columns '{name}': rename one")
        columns = {n: _column(given.iloc[:, i]) for i, n in enumerate(names)}
        if not columns or any(column.dtype == object for column in columns.values()):
            return columns, ()
        return compact(np.stack(list(columns.values()), axis=1)), names
    if isinstance(given, Mapping):
        return {str(n): _plain(one, f"{where} '{n}'") for n, one in given.items()}, ()
    return _plain(given, f"{where} features"), ()


def _targets(given: Any, task: Any, where: str) -> tuple[Any, Any]:
    """Targets as numbers, and the task, which has names from then on if they were text."""
    if _is(given, "pandas", "DataFrame"):
        return np.stack([_column(given[name]) for name in given.columns], axis=1), task
    if isinstance(given, Mapping) and isinstance(task, Mapping):  # of several heads
        both = {n: _targets(one, task.get(n), f"{where} head '{n}'") for n, one in given.items()}
        tasks = {name: both[name][1] if name in both else one for name, one in task.items()}
        return {name: targets for name, (targets, _) in both.items()}, tasks
    if isinstance(given, Mapping) or not isinstance(task, Task):
        return given, task
    was_array = isinstance(given, np.ndarray)
    targets = _plain(given, f"{where} targets")
    text = isinstance(targets, np.ndarray) and targets.dtype == object and targets.ndim == 1
    if was_array or not text or task.kind not in ("classification", "binary"):
        return targets, task
    if task.names:
        numbers = {name: number for number, name in enumerate(task.names)}
        for label in targets:
            if label not in numbers:
                raise DataError(
                    f"{where} has the target '{label}', which the task's names lack: "
                    f"{choices(label, numbers)}"
                )
        return np.array([numbers[label] for label in targets]), task
    labels = Labels(f"{where} targets", task.kind)
    labels.see(targets)
    settled = labels.settle()
    if settled.outputs != task.outputs:
        raise DataError(
            f"{where} has {settled.outputs} classes ({', '.join(settled.names)}) among its "
            f"targets; its task says {task.outputs}"
        )
    return labels.targets(targets), settled


def _plain(given: Any, where: str) -> Any:
    """A Series, list or tensor as an array; anything else as it is."""
    if _is(given, "pandas", "Series") or _is(given, "pandas", "Index"):
        return _column(given)
    if _is(given, "pandas", "api", "extensions", "ExtensionArray"):
        return _column(sys.modules["pandas"].Series(given))
    if _is(given, "tensorflow", "Tensor"):
        return _decoded(np.asarray(given))
    if not isinstance(given, list | tuple):
        return given
    try:
        array = np.array(given)
    except ValueError as error:
        raise DataError(f"{where} are a list of rows of different shapes: {error}") from error
    if array.dtype.kind in "USO":
        text = [isinstance(value, str) or value is None for value in given]
        if all(text):
            return np.array(["" if value is None else value for value in given], dtype=object)
        if array.ndim == 1 and array.dtype.kind == "O":
            return np.array([np.nan if value is None else value for value in given])
    return array


def _column(series: Any) -> Array:
    """A column of a frame: numbers, or text, which is "" where it is missing.

    Truth values are 0 and 1, dates and spans of time days (since 1970).
    """
    pandas = sys.modules["pandas"]
    kinds = pandas.api.types
    if isinstance(series.dtype, pandas.CategoricalDtype):
        series = series.astype(series.cat.categories.dtype)
    missing = series.isna().to_numpy()
    if kinds.is_datetime64_any_dtype(series) or kinds.is_timedelta64_dtype(series):
        if getattr(series.dtype, "tz", None) is not None:
            series = series.dt.tz_convert(None)
        unit = "m8[us]" if kinds.is_timedelta64_dtype(series) else "M8[us]"
        days: Array = series.to_numpy().astype(unit).astype("m8[us]") / DAY
        return days
    if kinds.is_bool_dtype(series) or kinds.is_numeric_dtype(series):
        plain = isinstance(series.dtype, np.dtype)
        numbers = series if plain else series.astype("Float64")
        found: Array = numbers.to_numpy() if plain else numbers.to_numpy(float, na_value=np.nan)
        return found.astype("int64") if found.dtype == bool else found
    values = series.to_numpy(dtype=object)
    known = values[~missing]
    if all(isinstance(value, bool | int | float | np.number) for value in known):
        return np.where(missing, np.nan, values).astype("float64")
    return np.array(
        ["" if gone else str(one) for gone, one in zip(missing, values, strict=True)], object
    )


# --- tf.data -------------------------------------------------------------------------------------


def _read(dataset: Any, task: Any, where: str) -> tuple[Any, Any, Any]:
    """Features, targets, and weights or None, of all rows of a tf.data.Dataset."""
    spec = dataset.element_spec
    if not isinstance(spec, tuple) or len(spec) not in (2, 3):
        raise DataError(
            f"{where} has a tf.data.Dataset whose elements are no pairs (features, targets)"
        )
    if int(dataset.cardinality()) == -1:
        raise DataError(f"{where} has a tf.data.Dataset without an end: leave out .repeat()")
    put_together = np.concatenate if _is_batched(spec, task) else np.stack
    elements = list(dataset.as_numpy_iterator())
    if not elements:
        raise DataError(f"{where} has no rows")

    def whole(pieces: list[Any]) -> Any:
        if isinstance(pieces[0], Mapping):
            return {str(name): whole([piece[name] for piece in pieces]) for name in pieces[0]}
        if not isinstance(pieces[0], np.ndarray | np.generic | bytes):
            raise DataError(
                f"{where} has a tf.data.Dataset of {type(pieces[0]).__name__}: features are a "
                "tensor, or several by name"
            )
        try:
            return _decoded(put_together([np.asarray(piece) for piece in pieces]))
        except ValueError as error:
            raise DataError(
                f"{where} has a tf.data.Dataset of rows of different shapes: {error}"
            ) from error

    features, targets, *weights = (whole(list(column)) for column in zip(*elements, strict=True))
    return features, targets, weights[0] if weights else None


def _is_batched(spec: Any, task: Any) -> bool:
    """Whether each element holds many rows: their number may vary, or targets have an axis more.

    spec: of pairs of features and targets, each perhaps by name.
    """
    features, targets, *_ = spec
    if isinstance(targets, Mapping):  # of several heads, of which one tells
        name = next(iter(targets))
        targets = targets[name]
        task = task.get(name) if isinstance(task, Mapping) else task
    tensors = [*(features.values() if isinstance(features, Mapping) else [features]), targets]
    shapes = [getattr(tensor, "shape", None) for tensor in tensors]
    first = {shape[0] if shape is not None and shape.rank else "none" for shape in shapes}
    if "none" in first:
        return False
    kind, outputs = getattr(task, "kind", ""), getattr(task, "outputs", 1)
    one_value = kind in ("classification", "binary") or outputs == 1
    return first == {None} or (len(first) == 1 and targets.shape.rank > (0 if one_value else 1))


def _decoded(array: Array) -> Array:
    """Text of TensorFlow's, which is bytes, as text."""
    if array.dtype.kind not in "SO":
        return array
    return np.array(
        [one.decode("utf-8", "replace") if isinstance(one, bytes) else one for one in array.flat],
        dtype=object,
    ).reshape(array.shape)
