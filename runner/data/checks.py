"""What data must be before anything trains on them: one clear sentence for each fault."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, get_args

import numpy as np

from runner.components.faults import in_words
from runner.components.types import Data, Splits, Stream, Task, TaskKind
from runner.data.missing import LISTED, in_rows, missing_in
from runner.data.parts import is_text, named
from runner.data.places import check_per, check_places, check_shaped, per_place
from runner.data.stream import example_of
from runner.errors import DataError, PluginError, choices

if TYPE_CHECKING:
    from runner.components.types import Array, Features, Part

PARTS = ("train", "val", "test")


def parts(splits: Splits) -> list[tuple[str, Part]]:
    """The parts that there are, with their names."""
    found = zip(PARTS, (splits.train, splits.val, splits.test), strict=True)
    return [(name, part) for name, part in found if part is not None]


def check_loaded(data: Data | Splits, where: str, text: bool) -> None:
    """Raise DataError or PluginError where the data that a dataset returned break its contract.

    where: the dataset, for the sentences.
    text: whether a preprocessing is there that may make numbers of text.
    """
    check_task(data.task, where)
    whole = [("", (data.features, data.targets))] if isinstance(data, Data) else parts(data)
    for name, part in whole:
        features, targets = example_of(part)
        check_block(f"{where} {name}".strip(), features, targets, data.task, text)
    for name, part in whole[1:]:
        check_shapes(where, name, example_of(part)[0], example_of(whole[0][1])[0])
    _check_weights(data, where)
    if isinstance(data, Data) and data.part is not None:
        _check_part(data.part, len(data.targets), where)
    if isinstance(data, Data) and data.keys is not None:
        shape, rows = np.shape(data.keys), len(data.targets)
        if shape != (rows,):
            raise DataError(f"{where} has keys of shape {shape} for {rows} rows")
    for name in data.vocabulary:
        arrays = named(example_of(whole[0][1])[0])
        if name not in arrays:
            raise DataError(f"{where} has a vocabulary for no input: {choices(name, arrays)}")
        if arrays[name].dtype.kind not in "iu":
            raise DataError(
                f"{where} has a vocabulary for '{name}' of type {arrays[name].dtype}; "
                "codes are integers"
            )


def check_parts(data: Data | Splits, where: str) -> None:
    """Raise PluginError where a dataset's parts are not pairs or streams."""
    if isinstance(data, Data):
        return
    if data.train is None:
        raise PluginError(f"{where} has no train part")
    for name, part in parts(data):
        if not isinstance(part, Stream) and not (isinstance(part, tuple) and len(part) == 2):
            raise PluginError(
                f"{where} has {in_words(part)} as its {name} part, which is a pair (features, "
                "targets) or a Stream"
            )


def check_task(task: object, where: str) -> None:
    """Raise PluginError for what is no task, or one that cannot be."""
    if not isinstance(task, Task):
        raise PluginError(
            f"{where} says {in_words(task)}, which is no Task: give one, such as "
            "Task.classification(3)"
        )
    if task.heads:
        return  # each was looked at when they were put side by side
    kinds = [kind for kind in get_args(TaskKind) if kind != "heads"]
    if task.kind not in kinds:
        raise PluginError(f"{where} has no task that there is: {choices(str(task.kind), kinds)}")
    if not isinstance(task.outputs, int | np.integer) or isinstance(task.outputs, bool):
        raise PluginError(
            f"{where} has a task of {task.outputs} outputs, which is no whole number"
        )
    if task.outputs < 1:
        raise PluginError(f"{where} has a task of {task.outputs}: it needs at least 1 output")
    if task.kind == "classification" and task.outputs < 2:
        raise PluginError(
            f"{where} has a classification of {task.outputs}: it needs at least 2 classes; a yes "
            "or no is Task.binary()"
        )
    count = 2 if task.kind == "binary" else task.outputs
    noun = {"multilabel": "labels", "regression": "values"}.get(task.kind, "classes")
    if task.names and len(task.names) != count:
        raise PluginError(f"{where} has {len(task.names)} names for {count} {noun}")
    check_per(task, where)
    for name in task.names:
        if task.names.count(name) > 1:
            raise PluginError(f"{where} has the name '{name}' twice among its {noun}")


def check_block(
    where: str, features: Features, targets: Array, task: Task, text: bool = False
) -> None:
    """Raise DataError for rows that cannot be trained on as the task says."""
    arrays = named(features)
    if not arrays:
        raise DataError(f"{where} has no features")
    check_array(where, "targets", targets)
    for name, array in arrays.items():
        what = "features" + _which(name, features)
        check_array(where, what, array)
        _check_features(where, what, array, text)
        if len(array) != len(targets):
            raise DataError(f"{where} has {len(array)} rows but {len(targets)} targets")
    if len(targets) == 0:
        raise DataError(f"{where} has no rows")
    check_targets(where, targets, task)
    check_places(where, features, targets, task)


def _which(name: str, features: Features) -> str:
    """Which of several inputs, for a sentence."""
    return f" '{name}'" if isinstance(features, dict) else ""


def check_array(where: str, what: str, array: object) -> None:
    """Raise DataError for what is no array of rows."""
    if not isinstance(array, np.ndarray):
        kind = type(array).__name__
        raise DataError(f"{where} has {what} of type {kind}; they must be a NumPy array")
    if array.ndim == 0:
        raise DataError(f"{where} has {what} of shape (); they must have a row for each example")
    if 0 in array.shape[1:]:
        raise DataError(f"{where} has {what} of shape {array.shape[1:]} in every row: no numbers")


def is_real(array: Array) -> bool:
    """Whether its values are real numbers, or flags."""
    return array.dtype.kind in "biuf"


def _check_features(where: str, what: str, array: Array, text: bool) -> None:
    if is_text(array) and text:
        odd = [v for v in array.ravel().tolist() if not isinstance(v, str | bytes)]
        if odd:
            raise DataError(
                f"{where} has {len(odd)} values among its {what} that are no text, "
                f'such as {odd[0]!r}; missing text is ""'
            )
        return
    if not is_real(array):
        mend = (
            "; preprocessing=[encode] makes numbers of text, [vectorize] of sentences"
            if is_text(array)
            else ""
        )
        raise DataError(f"{where} has {what} of type {array.dtype}; they must be numbers{mend}")
    if np.isinf(array).any():
        count = int(np.isinf(array).sum())
        raise DataError(f"{where} has {count} infinite values among its {what}")


def check_targets(where: str, targets: Array, task: Task) -> None:
    """Raise DataError for targets that are none of the task."""
    if task.heads:
        return  # as above
    if len(missing := np.flatnonzero(missing_in(targets))):
        rows = in_rows(len(missing), len(targets), missing[:LISTED].tolist())
        raise DataError(f"{where} has {len(missing)} targets that are NaN, None or empty: {rows}")
    if not is_real(targets):
        raise DataError(f"{where} has targets of type {targets.dtype}; they must be numbers")
    values = np.asarray(targets, dtype=np.float64)
    if not np.isfinite(values).all():
        raise DataError(f"{where} has {int(np.isinf(values).sum())} targets that are infinite")
    if task.per != "row":
        check_shaped(where, values, task)
        return
    if task.kind == "regression":
        if targets.ndim > 2:
            raise DataError(
                f"{where} has targets of shape {targets.shape[1:]} in every row; a regression "
                f"takes one value or a row of them{per_place(targets.ndim)}"
            )
        width = 1 if targets.ndim == 1 else targets.shape[1]
        if width != task.outputs:
            raise DataError(f"{where} has {width} values a target; its task says {task.outputs}")
        return
    width = task.outputs if task.kind == "multilabel" else 1
    if targets.size != len(targets) * width:
        raise DataError(
            f"{where} has targets of shape {targets.shape}; a {task.kind} task takes "
            f"{width} label(s) a row: integers, not one-hot rows{per_place(targets.ndim)}"
        )
    highest = task.outputs - 1 if task.kind == "classification" else 1
    wrong = values[(values < 0) | (values > highest) | (values % 1 != 0)]
    if wrong.size:
        raise DataError(
            f"{where} has the label {wrong[0]:g}; a {task.kind} task of {task.outputs} "
            f"output(s) has the labels 0 to {highest}"
        )


def _check_weights(data: Data | Splits, where: str) -> None:
    if data.weights is None:
        return
    if isinstance(data, Splits) and isinstance(data.train, Stream):
        raise DataError(f"{where} gives weights beside a Stream, where they cannot be in step")
    rows = len(data.targets if isinstance(data, Data) else example_of(data.train)[1])
    weights = np.asarray(data.weights)
    if weights.shape != (rows,):
        raise DataError(f"{where} has weights of shape {weights.shape} for {rows} rows")
    if weights.dtype.kind not in "fiub" or not np.isfinite(weights).all() or (weights < 0).any():
        raise DataError(f"{where} has weights that are no numbers of 0 or more")
    if not weights.any():
        raise DataError(f"{where} has weights that are all 0: nothing would be learned")


def _check_part(part: object, rows: int, where: str) -> None:
    check_array(where, "part", part)
    assert isinstance(part, np.ndarray)
    if part.shape != (rows,) or not np.isin(part, (0, 1, 2)).all():
        raise DataError(
            f"{where} must give a part for each of its {rows} rows: 0 train, 1 val, 2 test"
        )


def check_shapes(where: str, name: str, features: Features, train: Features) -> None:
    """Raise DataError for examples of another shape, or other inputs, than train's."""
    shapes, first = _shapes(features), _shapes(train)
    if shapes != first:
        raise DataError(
            f"{where} has examples of shape {_said(shapes)} in {name} and of shape "
            f"{_said(first)} in train; they must be the same"
        )


def _shapes(features: Features) -> dict[str, tuple[int, ...]]:
    return {name: tuple(array.shape[1:]) for name, array in named(features).items()}


def _said(shapes: Mapping[str, tuple[int, ...]]) -> str:
    if len(shapes) == 1:
        return str(next(iter(shapes.values())))
    return ", ".join(f"{name} {shape}" for name, shape in shapes.items())


def check_labels(splits: Splits, where: str) -> None:
    """Raise DataError where train has nothing to tell apart; warn of classes that it lacks.

    Of one head; several are asked one by one.
    """
    if splits.task.kind == "multilabel" or splits.task.per != "row":
        return
    if splits.task.kind == "regression":
        targets = example_of(splits.train)[1]
        if len(targets) > 1 and (targets == targets[0]).all():
            raise DataError(
                f"{where} has the target {targets.reshape(-1)[0]:g} in every row of train: "
                "there is nothing to learn"
            )
        return
    known = set(np.unique(example_of(splits.train)[1]).astype(int).tolist())
    if len(known) == 1:
        raise DataError(
            f"{where} has only the label {known.pop()} in train: there is nothing to tell apart"
        )
    for name, part in parts(splits)[1:]:
        new = sorted(set(np.unique(example_of(part)[1]).astype(int).tolist()) - known)
        if new:
            labels = ", ".join(map(str, new))
            warnings.warn(
                f"{where} has labels in {name} that train lacks, and no model can learn: {labels}",
                stacklevel=2,
            )


def check_ready(where: str, part: str, features: Features, vocabulary: Mapping[str, int]) -> None:
    """Raise DataError for features, as the model would get them, with NaN or unknown codes."""
    for name, array in named(features).items():
        place = f"{_which(name, features)} of {part}" if isinstance(features, dict) else f" {part}"
        if name in vocabulary:
            wrong = array[(array < 0) | (array >= vocabulary[name])]
            if wrong.size:
                raise DataError(
                    f"{where} has the code {wrong.flat[0]} in{place}; a vocabulary of "
                    f"{vocabulary[name]} has the codes 0 to {vocabulary[name] - 1}"
                )
        elif missing := int(np.isnan(array).sum()):
            raise DataError(
                f"{where} has {missing} missing values (NaN) in{place} and nothing imputes them: "
                "add preprocessing=[impute]"
            )
