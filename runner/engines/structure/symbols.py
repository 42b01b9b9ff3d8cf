"""A compiled recipe taken apart: what is structure, and what is only a number in it.

Two recipes of the same structure train by the same program; where they differ in floats (learning
rates, penalties, dropout rates, betas, label smoothing, ...) those become inputs of the program.
Nothing here knows a name of a param or of a layer: the objects themselves are walked, down to
closures, so that a third party's layer is understood as Keras' own.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import re
import types
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from runner.components.types import Recipe, WholeNumber
from runner.engines.structure.attributes import (
    config_of,
    flags_of,
    is_graph,
    telling,
    unknown,
    wires_of,
)

_NEEDS = "its code needs the value of"
EXACT = 2**24
"""Up to here, float32 holds every whole number."""


class Structural(Exception):  # noqa: N818 - it says which number, and is caught by who groups
    """Python code of the model needs to know a number, which so is no input of the program."""

    def __init__(self, path: str) -> None:
        # Keras raises another of the class, with its own words around those of the first.
        if inner := re.search(rf"{_NEEDS} ([^\s\x1b]+)", path):
            path = inner[1]
        super().__init__(f"{_NEEDS} {path}")
        self.path = path


@dataclass(frozen=True, eq=False)
class Place:
    """A place where a number stands: an attribute, an item, or a closure's cell.

    Each is itself alone: its owner may have no hash, or equal another.
    """

    owner: Any
    key: Any

    def set(self, value: Any) -> None:
        """Put another value there."""
        if isinstance(self.owner, types.CellType):
            self.owner.cell_contents = value
        elif isinstance(self.owner, dict | list):
            self.owner[self.key] = value
        else:
            setattr(self.owner, self.key, value)


@dataclass(frozen=True)
class Shape:
    """A recipe taken apart."""

    structure: str
    """A hash of all that is no number; equal for recipes that train by one program."""
    numbers: Mapping[str, float]
    """Path -> value."""
    places: Mapping[str, Sequence[Place]]
    """Path -> where to put it; the same object may be reached once only."""


def shape_of(recipe: Recipe) -> Shape:
    """Take a compiled recipe apart; callbacks are no part of it."""
    walk = _Walk()
    parts = {
        "model": recipe.model,
        "loss": recipe.loss,
        "optimizer": recipe.optimizer,
        "metrics": recipe.metrics,
    }
    variables = [*recipe.model.variables, *recipe.model.optimizer.variables]
    shapes = [(tuple(v.shape), str(v.dtype)) for v in variables]
    described = repr({name: walk(part, name) for name, part in parts.items()} | {"all": shapes})
    structure = hashlib.sha256(described.encode()).hexdigest()
    return Shape(structure, walk.numbers, walk.places)


@contextlib.contextmanager
def bound(places: Mapping[str, Sequence[Place]], values: Mapping[str, Any]) -> Iterator[None]:
    """Put the values where the numbers of these paths stand, and the numbers back afterwards."""
    before = {}
    try:
        for path, value in values.items():
            for place in places[path]:
                number = before[place] = _get(place)
                # A member's number only says that it is a float.
                whole = isinstance(number, int) and type(value) is float
                place.set(type(number)(value) if whole else value)
        yield
    finally:
        for place, value in before.items():
            place.set(value)


def _get(place: Place) -> Any:
    if isinstance(place.owner, types.CellType):
        return place.owner.cell_contents
    if isinstance(place.owner, dict | list):
        return place.owner[place.key]
    return getattr(place.owner, place.key)


class _Walk:
    """One walk over a recipe; collects numbers on its way and says what else there is."""

    def __init__(self) -> None:
        self.numbers: dict[str, float] = {}
        self.places: dict[str, list[Place]] = {}
        self._seen: dict[int, int] = {}
        self._kept: list[Any] = []

    def __call__(self, value: Any, path: str, place: Place | None = None) -> Any:
        """A plain description of the value without its numbers."""
        import keras
        import tensorflow as tf

        free = isinstance(value, WholeNumber) and abs(value) <= EXACT
        if (free or isinstance(value, float | np.floating)) and place is not None:
            self.numbers[path] = float(value)
            self.places[path] = [place]
            return "number"
        if value is None or isinstance(value, bool | int | float | str | bytes | complex | type):
            return repr(value)
        variable = isinstance(value, keras.Variable)
        if isinstance(value, np.ndarray | np.generic) or (tf.is_tensor(value) and not variable):
            return _array(value)
        if isinstance(value, tf.DType | tf.TensorShape | np.dtype | types.ModuleType):
            return str(value)
        if isinstance(value, keras.KerasTensor):
            return ("tensor", tuple(value.shape), str(value.dtype))
        # Their state is among the variables, and that is given to each member.
        if isinstance(value, keras.random.SeedGenerator | keras.Initializer):
            return type(value).__name__
        if id(value) in self._seen:
            return ("seen", self._seen[id(value)])
        self._seen[id(value)] = len(self._seen)
        self._kept.append(value)  # an id is only good while its object lives
        return self._composed(value, path)

    def _composed(self, value: Any, path: str) -> Any:
        import keras

        if isinstance(value, keras.Variable):
            about = (tuple(value.shape), str(value.dtype), value.trainable, flags_of(value))
            return ("variable", about, self._of(value, ("regularizer", "constraint"), path))
        if isinstance(value, Mapping):
            owner = value if isinstance(value, dict) else None
            return [
                (str(key), self(item, f"{path}.{key}", Place(owner, key) if owner else None))
                for key, item in value.items()
            ]
        if isinstance(value, list):
            return [self(item, f"{path}[{i}]", Place(value, i)) for i, item in enumerate(value)]
        if isinstance(value, tuple):
            return tuple(self(item, f"{path}[{i}]") for i, item in enumerate(value))
        if isinstance(value, set | frozenset):
            return sorted(repr(item) for item in value)
        if isinstance(value, functools.partial):
            return (self(value.func, path), self(value.args, path), self(value.keywords, path))
        if isinstance(value, types.MethodType):
            return (self(value.__func__, path), self(value.__self__, path))
        if isinstance(value, types.FunctionType):
            return self._function(value, path)
        if isinstance(value, keras.optimizers.schedules.LearningRateSchedule):
            return self._schedule(value, path)
        if hasattr(value, "__dict__"):
            kind, attributes = type(value), self._of(value, telling(value), path)
            graph = self._graph(value, path) if isinstance(value, keras.Model) else None
            local = self._local(kind, path)
            name = (kind.__module__, kind.__qualname__)
            return (*name, attributes, graph, config_of(value), local)
        if callable(value):
            return (
                getattr(value, "__module__", None),
                getattr(value, "__qualname__", repr(value)),
            )
        return unknown(value)

    def _of(self, owner: Any, names: Sequence[str], path: str) -> Any:
        values = [(name, getattr(owner, name, None)) for name in sorted(names)]
        return [(name, self(item, f"{path}.{name}", Place(owner, name))) for name, item in values]

    def _function(self, function: types.FunctionType, path: str) -> Any:
        code = function.__code__
        names = code.co_freevars
        cells = []
        for name, cell in zip(names, function.__closure__ or (), strict=True):
            try:
                inside = cell.cell_contents
            except ValueError:
                continue
            cells.append(self(inside, f"{path}.{name}", Place(cell, None)))
        constants = [c for c in code.co_consts if not isinstance(c, types.CodeType)]
        defaults = (repr(function.__defaults__), repr(function.__kwdefaults__))
        return (
            function.__module__,
            function.__qualname__,
            code.co_code,
            constants,
            defaults,
            cells,
        )

    def _local(self, kind: type, path: str) -> Any:
        """Methods and attributes of classes that were made inside of a function: they may hold
        its values.
        """
        return [
            (name, self(_inner(item), f"{path}.{name}"))
            for each in kind.__mro__
            if "<locals>" in each.__qualname__
            for name, item in vars(each).items()
            if isinstance(item, types.FunctionType) or not name.startswith(("__", "_abc_"))
        ]

    def _schedule(self, schedule: Any, path: str) -> Any:
        """A learning rate's course: its whole numbers, too, are only numbers."""
        attributes: list[Any] = []
        for name, item in sorted(vars(schedule).items()):
            if isinstance(item, int) and not isinstance(item, bool):
                self.numbers[f"{path}.{name}"] = float(item)
                self.places[f"{path}.{name}"] = [Place(schedule, name)]
                attributes.append((name, "number"))
            else:
                attributes.append((name, self(item, f"{path}.{name}", Place(schedule, name))))
        return (type(schedule).__qualname__, attributes, self._local(type(schedule), path))

    def _graph(self, model: Any, path: str) -> Any:
        """A model's layers, and where it is a graph of them, how they hang together.

        What stands between layers in a functional model are operations, with attributes as well.
        """
        operations = getattr(model, "operations", model.layers)
        parts = [self(one, f"{path}.{one.name}") for one in operations]
        return (wires_of(model) if is_graph(model) else None, parts)


def _array(value: Any) -> Any:
    array = np.asarray(value)
    return ("array", array.shape, str(array.dtype), hashlib.sha256(array.tobytes()).hexdigest())


def _inner(item: Any) -> Any:
    """The function inside of what a class keeps one in."""
    if isinstance(item, property):
        return (item.fget, item.fset)
    if isinstance(item, staticmethod | classmethod):
        return item.__func__
    # A place that the class keeps for its instances, say.
    is_opaque = hasattr(item, "__get__") and not isinstance(item, types.FunctionType)
    return type(item).__qualname__ if is_opaque else item
