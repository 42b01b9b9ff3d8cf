"""From labels as they are read to the task that they are for and its targets, for every dataset.

A dataset hands over its labels whole or block by block, as numbers, truth values or text:

    labels = Labels("y in data.npz", task)
    labels.see(y)
    task = labels.settle()
    targets = labels.targets(y)
"""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from runner.components.types import Task
from runner.data.missing import LISTED, MissingLabel, in_rows, missing_in
from runner.data.numbers import merges
from runner.errors import DataError, choices

if TYPE_CHECKING:
    from runner.components.types import Array

AskedTask = Literal["auto", "classification", "binary", "multilabel", "regression"]
"""The param `task` of a dataset: what the labels are, or auto."""
FEW = 20
"""Whole numbers with more values than these may be classes or values: the config says which."""
MOST = 10_000
"""More classes than these are a mistake."""

_trained: ContextVar[Task | None] = ContextVar("trained", default=None)


@contextmanager
def as_trained(task: Task) -> Iterator[None]:
    """While new data are read for a trained model: labels are what they were when it trained.

    Nothing is guessed of them anew, and classes that the data lack keep their numbers.
    """
    token = _trained.set(task)
    try:
        yield
    finally:
        _trained.reset(token)


def labelled(where: str, labels: Array, missing_label: MissingLabel = "refuse") -> Array:
    """Which rows have a label, bool (rows,); DataError where some have none and are not dropped.

    where: what a sentence calls the labels, such as "y in data.npz".
    """
    missing = missing_in(labels)
    if missing.any() and missing_label == "refuse":
        rows = np.flatnonzero(missing)
        raise DataError(_without(where, in_rows(len(rows), len(labels), rows[:LISTED].tolist())))
    if missing.all():
        raise DataError(f"{where} is missing in every row: there is nothing to learn")
    return ~missing


def _without(where: str, rows: str) -> str:
    return (
        f"{where} is missing (NaN, None or empty) in {rows}: give those rows a label, or leave "
        "them out with dataset.missing_label=drop"
    )


class Labels:
    """Sees all labels once, decides what task they are for, then makes targets of any block."""

    def __init__(self, where: str, asked: AskedTask = "auto", names: Sequence[str] = ()) -> None:
        """where: what a sentence calls the labels, such as "y in data.npz".

        asked: the task that the config names, or auto: text, truth values and few whole numbers
            are classes (two of them, or 0 and 1 alone: binary), columns of 0 and 1 are labels,
            or classes where every row has exactly one 1; anything else is values.
        names: what label columns are called.
        """
        self.where = where
        self.asked = asked
        self.names = tuple(names)
        self.values: Counter[Any] = Counter()
        """Of one column: value -> rows; no more are counted once they are more than MOST."""
        self.rows = 0
        self.width = 0
        self._kind = ""
        self._flags = self._one_hot = self._finite = True
        self._low: Any = np.inf
        self._high: Any = -np.inf
        self._codes: dict[Any, int] | None = None
        self._missing = 0
        self._first_missing: list[int] = []
        self._task: Task | None = None

    # -- looking at them --------------------------------------------------------------------

    def see(self, labels: Array | Sequence[Array]) -> None:
        """Take a block into account: (rows,), (rows, values), or a column for each label."""
        columns = columns_of(labels)
        self.width = len(columns)
        missing = np.any([missing_in(column) for column in columns], axis=0)
        if missing.any():
            rows = np.flatnonzero(missing)
            self._missing += len(rows)
            self._first_missing += (self.rows + rows[:LISTED]).tolist()
        self.rows += len(missing)
        columns = [self._plain(column[~missing]) for column in columns]
        if self.width == 1:
            self._count(columns[0])
            return
        self._kind = self._kind or "f"
        table = np.stack([column.astype("float64") for column in columns], axis=1)
        if not len(table):
            return
        self._low = np.minimum(self._low, table.min(axis=0))
        self._high = np.maximum(self._high, table.max(axis=0))
        self._finite &= bool(np.isfinite(table).all())
        self._flags &= bool(np.isin(table, (0, 1)).all())
        self._one_hot &= self._flags and bool((table.sum(axis=1) == 1).all())

    def _plain(self, column: Array) -> Array:
        """Numbers, truth values or text (as objects), none of it missing; DataError otherwise."""
        values = np.asarray(column)
        if values.dtype.kind == "S":
            values = np.char.decode(values, "utf-8")
        if values.dtype.kind == "O":
            given = values.tolist()
            if any(isinstance(value, str) for value in given):
                values = np.array([str(value) for value in given], dtype=object)
            else:
                values = np.array(given) if given else values.astype("float64")
        elif values.dtype.kind == "U":
            values = values.astype(object)
        if values.dtype.kind not in "fiubO" or values.ndim != 1:
            raise DataError(
                f"{self.where} is of type {column.dtype}: it must hold numbers or text"
            )
        if values.dtype.kind == "O" and (self.width > 1 or self._wanted() == "regression"):
            need = "regression" if self.width == 1 else "a label of several columns"
            raise DataError(f"{self.where} is text ({values[0]!r}): {need} needs numbers")
        return values

    def _count(self, values: Array) -> None:
        if not len(values):
            return
        kind = {"u": "i", "O": "U"}.get(values.dtype.kind, values.dtype.kind)
        self._kind = "f" if {self._kind, kind} == {"i", "f"} else kind
        if kind in "if":
            self._low, self._high = min(self._low, values.min()), max(self._high, values.max())
            self._finite &= bool(np.isfinite(values).all())
        if len(self.values) > MOST:
            return
        if kind == "U":
            self.values.update(values.tolist())
        else:
            distinct, counts = np.unique(values, return_counts=True)
            self.values.update(dict(zip(distinct.tolist(), counts.tolist(), strict=True)))

    # -- deciding ---------------------------------------------------------------------------

    def settle(self) -> Task:
        """The task; DataError where the labels are none of it. Says so where it guesses."""
        if self._missing:
            rows = in_rows(self._missing, self.rows, self._first_missing)
            raise DataError(self._without(self._missing, rows))
        self._task = self._settled()
        return self._task

    def _without(self, count: int, rows: str) -> str:
        """The sentence on missing labels; `rows` says in which."""
        return _without(self.where, rows)

    def constants(self) -> list[str | None]:
        """For each label column the value that it has in every row; None where it has several."""
        if self.width == 1:
            return [_name(next(iter(self.values))) if len(self.values) == 1 else None]
        pairs = zip(self._low.tolist(), self._high.tolist(), strict=True)
        return [_name(low) if low == high else None for low, high in pairs]

    @property
    def of_trained(self) -> bool:
        """Whether they are read for a trained model, for which one class will do."""
        return _trained.get() is not None

    def _trained(self) -> Task | None:
        """The task of the trained model that the labels are read for: of several heads, theirs."""
        trained = _trained.get()
        heads = trained.heads if trained is not None else {}
        return heads.get(self.names[0], trained) if heads and self.names else trained

    @property
    def _repeated(self) -> bool:
        """Whether a value comes with two rows and more, as a class does."""
        return self.rows >= 2 * len(self.values)

    def _wanted(self) -> str:
        """The kind of task that a trained model has, or that the config asks for."""
        trained = self._trained()
        return self.asked if trained is None else trained.kind

    def _settled(self) -> Task:
        trained = self._trained()
        kind = self._wanted()
        if kind == "auto":
            kind = self._guess()
        if not self._finite:
            raise DataError(f"{self.where} holds infinite values: drop those rows")
        if kind == "regression":
            self._tell_of_merged()
            return Task.regression(self.width, self.names)
        if kind == "multilabel":
            return self._multilabel()
        if self.width > 1:
            return self._of_one_hot(kind, trained)
        return self._classes(kind) if trained is None else self._as_trained(trained)

    def _guess(self) -> str:
        """What kind of task such labels are for; DataError where they may be two."""
        if self.width > 1:
            if not self._one_hot:
                return "multilabel" if self._flags else "regression"
            self._say(
                f"has exactly one 1 in every row: taken for {self.width} classes",
                "dataset.task=multilabel takes its columns for questions of their own",
            )
            return "classes"
        if self._kind in ("U", "b") or set(self.values) <= {0, 1}:
            return "classes"
        whole = all(_is_whole(value) for value in self.values)
        # From 0 on without a gap: the numbers of classes rather than values.
        numbered = self._kind == "i" and set(self.values) == set(range(len(self.values)))
        if whole and len(self.values) <= FEW and (self._repeated or numbered):
            if len(self.values) > 2 and not numbered:
                listed = ", ".join(map(_name, sorted(self.values)))
                self._say(
                    f"holds the whole numbers {listed}: taken for {len(self.values)} classes",
                    "dataset.task=regression takes them for values",
                )
            return "classes"
        if self._kind == "f":
            return "regression"
        many = f"more than {MOST}" if len(self.values) > MOST else str(len(self.values))
        raise DataError(
            f"{self.where} has {many} different whole numbers from {self._low} to {self._high}, "
            "which may be "
            "classes or values: say dataset.task=classification or dataset.task=regression"
        )

    def _say(self, guess: str, otherwise: str) -> None:
        warnings.warn(f"{self.where} {guess}; {otherwise}", stacklevel=5)

    def _tell_of_merged(self) -> None:
        if merged := merges(np.array(list(self.values))):
            before, after = merged
            warnings.warn(
                f"{self.where} has {before} different values, of which float32, in which models "
                f"compute, leaves {after}: subtract an origin from them, such as the least one",
                stacklevel=5,
            )

    def _multilabel(self) -> Task:
        if self.width == 1 and not self.names:
            raise DataError(
                f"{self.where} has shape ({self.rows},): multilabel needs shape (rows, labels)"
            )
        if not (self._flags if self.width > 1 else set(self.values) <= {0, 1}):
            raise DataError(f"{self.where} holds other values than 0 and 1: not multilabel")
        return Task.multilabel(self.width, self.names)

    def _of_one_hot(self, kind: str, trained: Task | None) -> Task:
        """Classes, where each has a column with a 1 in its rows."""
        if not self._one_hot or (kind == "binary" and self.width != 2):
            asked = "classification" if kind == "classes" else kind
            raise DataError(
                f"{self.where} has {self.width} columns: {asked} needs shape (rows,), or for each "
                "class a column that is 1 in its rows and 0 in all others"
            )
        if trained is not None:
            return trained
        if self.width == 2 and kind != "classification":
            return Task.binary(self.names)
        return Task.classification(self.width, self.names)

    def _classes(self, kind: str) -> Task:
        """One class for each value, in their order, called as it is written."""
        if len(self.values) > MOST:
            raise DataError(f"{self.where} has more than {MOST} classes")
        values = sorted(self.values)
        broken = [value for value in values if not _is_whole(value)]
        if broken and (len(values) > FEW or not self._repeated):
            raise DataError(
                f"{self.where} has {len(values)} different values such as {broken[0]:g}, which "
                "are not classes: say dataset.task=regression"
            )
        if set(values) <= {0, 1}:
            values = [False, True] if self._kind == "b" else [0, 1]
        if kind == "binary" and len(values) > 2:
            raise DataError(
                f"{self.where} has {len(values)} values: dataset.task=binary takes 2; say "
                "dataset.task=classification"
            )
        self._codes = {value: code for code, value in enumerate(values)}
        names = tuple(map(_name, values))
        if not self.names and names == tuple(map(str, range(len(values)))):
            names = ()  # classes are called by their numbers where nothing names them
        if len(values) == 2 and kind != "classification":
            return Task.binary(names)
        return Task.classification(len(values), names)

    def _as_trained(self, task: Task) -> Task:
        """The classes of a trained model, by their names; data may lack some of them."""
        count = 2 if task.kind == "binary" else task.outputs
        names = task.names if len(task.names) == count else tuple(map(str, range(count)))
        numbers = {name: number for number, name in enumerate(names)}
        given = {value: _name(value) for value in self.values}
        if not set(given.values()) <= set(numbers):
            places = set(map(str, range(count)))
            if set(given.values()) <= places and not any(map(is_number, names)):
                # Numbers without names, of classes that the model knows by name.
                numbers = {str(number): number for number in range(count)}
            else:
                unknown = next(name for name in given.values() if name not in numbers)
                raise DataError(
                    f"the data have the class '{unknown}', which the run does not know: "
                    f"{choices(unknown, names)}"
                )
        self._codes = {value: numbers[name] for value, name in given.items()}
        return task

    # -- targets ----------------------------------------------------------------------------

    def targets(self, labels: Array | Sequence[Array]) -> Array:
        """A block's labels in the type of the task: int64 classes, or float32.

        Raises DataError for a class that was not seen before.
        """
        assert self._task is not None, "settle first"
        columns = columns_of(labels)
        if self._task.kind in ("regression", "multilabel"):
            numbers = [np.asarray(column, "float64").astype("float32") for column in columns]
            return numbers[0] if len(numbers) == 1 else np.stack(numbers, axis=1)
        if self._codes is None:
            table = np.stack([np.asarray(column, "float64") for column in columns], axis=1)
            return np.asarray(table.argmax(axis=1))
        values = self._plain(columns[0])
        try:
            if values.dtype.kind == "O":
                known = map(self._codes.__getitem__, values.tolist())
                return np.fromiter(known, np.int64, len(values))
            distinct, inverse = np.unique(values, return_inverse=True)
            by_value = [self._codes[value] for value in distinct.tolist()]
            codes = np.array(by_value, dtype=np.int64)
            return np.asarray(codes[inverse.reshape(-1)])
        except KeyError as new:
            raise DataError(
                f"{self.where} has a value that it did not have when the run began "
                f"({_name(new.args[0])}): the source has changed since"
            ) from None


def columns_of(labels: Array | Sequence[Array]) -> list[Array]:
    """The columns of labels of shape (rows,) or (rows, values), or given one by one."""
    if not isinstance(labels, np.ndarray):
        return [np.asanyarray(column) for column in labels]
    if labels.ndim == 1:
        return [labels]
    return [labels[:, i] for i in range(labels.shape[1])]


def targets_of(where: str, parts: Sequence[Array], asked: AskedTask) -> tuple[list[Array], Task]:
    """The targets of a dataset's parts, and the task that they have in common.

    where: what a sentence calls the labels. parts: labels of shape (rows,) or (rows, values).
    asked: as of Labels.
    """
    labels = Labels(where, asked)
    for part in parts:
        labels.see(part)
    task = labels.settle()
    return [labels.targets(part) for part in parts], task


def is_number(text: str) -> bool:
    """Whether the text is a number as Python writes it, NaN and infinity among them."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def numbers_or_text(texts: list[str]) -> Array:
    """Labels as text or, where every one is a number, as int64 or float64; "" is missing.

    Numbers with a zero in front, such as 007, are codes, and stay text.
    """
    present = [text for text in texts if text != ""]
    if any(re.match(r"[+-]?0\d", text) for text in present):
        return np.array(texts)
    for kind in (np.int64, np.float64):
        try:
            numbers = np.array(present).astype(kind)
        except (ValueError, OverflowError):
            continue
        if len(present) == len(texts):
            return numbers
        return np.array([float(text) if text else np.nan for text in texts])
    return np.array(texts)


def _is_whole(value: Any) -> bool:
    """Whether it can be a class as it is written: text, a truth value, or a whole number."""
    return not isinstance(value, float) or value.is_integer()


def _name(value: Any) -> str:
    """A label as text: 3 rather than 3.0, true rather than True."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
