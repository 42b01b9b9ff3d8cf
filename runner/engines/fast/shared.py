"""One traced program for many runs of engine `fast` that come one after the other.

To trace a model's steps takes longer than to train a small one. A run of the same structure as an
earlier one of this process borrows that one's model and program: it brings its own first weights,
optimizer state and callbacks, and where its numbers (rates, penalties, betas) differ, these become
variables of the program.
"""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any

from runner.components.types import Recipe
from runner.data.stream import example_of
from runner.engines.arrays import Variable
from runner.engines.contract import Job
from runner.engines.structure.member_number import Decision, MemberNumber
from runner.engines.structure.symbols import Shape, bound, shape_of
from runner.model.own_steps import own_step

KEPT = 4
"""How many structures are remembered; each holds a model."""


@dataclass
class Entry:
    """A model that stands for all of its structure, and its program."""

    recipe: Recipe
    shape: Shape
    program: Any = None
    numbers: dict[str, Variable] = field(default_factory=dict)
    """Path -> the variable that holds the present run's value."""
    decisions: list[Decision] = field(default_factory=list)

    def bind(self) -> AbstractContextManager[None]:
        """The numbers as variables, while a program is traced."""
        values = {
            path: MemberNumber(variable.value(), self.shape.numbers[path], path, self.decisions)
            for path, variable in self.numbers.items()
        }
        return bound(self.shape.places, values)

    def numbers_of(self, shape: Shape) -> AbstractContextManager[None]:
        """A run's own numbers, for whatever asks the model outside of its programs."""
        return bound(self.shape.places, {path: shape.numbers[path] for path in self.numbers})

    def widen(self, shape: Shape) -> bool:
        """Make variables of the numbers in which this run differs; whether there are new ones."""
        import tensorflow as tf

        mine = self.shape.numbers
        new = [p for p in mine if p not in self.numbers and shape.numbers[p] != mine[p]]
        for path in new:
            self.numbers[path] = tf.Variable(mine[path], dtype=tf.float32, trainable=False)
        return bool(new)

    def takes(self, shape: Shape) -> bool:
        """Whether the model's code would branch in the same way for this run."""
        return all(decision.holds(shape.numbers[decision.path]) for decision in self.decisions)


class SharedPrograms:
    """The structures that this process has trained, the latest last."""

    def __init__(self) -> None:
        self._entries: OrderedDict[tuple[Any, ...], Entry] = OrderedDict()

    @contextlib.contextmanager
    def borrow(self, job: Job, make: Any) -> Iterator[tuple[Job, Any]]:
        """The job with the model that it trains by, and the program.

        job: its recipe is built. make: from a recipe and what binds its numbers to a program.
        """
        recipe = job.recipe
        if odd(recipe) is not None:
            yield job, make(recipe, contextlib.nullcontext)
            return
        shape = shape_of(recipe)
        key = _key(job, shape)
        entry = self._entries.get(key)
        if entry is None:
            entry = self._remember(key, Entry(recipe, shape))
            entry.program = make(recipe, entry.bind)
            yield job, entry.program
            return
        self._entries.move_to_end(key)
        differs = shape.numbers != entry.shape.numbers
        # Arithmetic with a variable rounds otherwise than with a constant.
        exact = not (job.config.settings.deterministic and differs)
        if not (exact and entry.takes(shape) and self._lend(key, entry, recipe, shape)):
            yield job, make(recipe, contextlib.nullcontext)
            return
        # All but what the program computes with is the run's own: callbacks, by what it is ranked.
        lent = replace(recipe, model=entry.recipe.model, optimizer=entry.recipe.optimizer)
        with entry.numbers_of(shape):
            yield replace(job, make=lambda: lent), entry.program

    def _lend(self, key: tuple[Any, ...], entry: Entry, recipe: Recipe, shape: Shape) -> bool:
        """Put the run in place of the entry's last one; whether its program can train it."""
        if entry.widen(shape):
            entry.program.forget()
        for path, variable in entry.numbers.items():
            variable.assign(shape.numbers[path])
        for variable, lent in zip(variables_of(entry.recipe), variables_of(recipe), strict=True):
            variable.assign(lent)
        try:
            with entry.numbers_of(shape):
                entry.program.trace()
        except Exception:
            # Structural, or whatever Python code of the model makes of a number that it does not
            # expect; what is wrong with the run itself shows when it is traced alone.
            del self._entries[key]
            return False
        return entry.takes(shape)

    def forget(self) -> None:
        """Let go of every model and program."""
        self._entries.clear()

    def _remember(self, key: tuple[Any, ...], entry: Entry) -> Entry:
        self._entries[key] = entry
        while len(self._entries) > KEPT:
            self._entries.popitem(last=False)
        return entry


def variables_of(recipe: Recipe) -> list[Variable]:
    """The variables of a recipe's model and optimizer."""
    return [*recipe.model.variables, *recipe.model.optimizer.variables]


def _key(job: Job, shape: Shape) -> tuple[Any, ...]:
    """The key that runs must have in common to share a program."""
    settings = job.config.settings
    return (
        shape.structure,
        settings.batch_size,
        settings.precision,
        settings.deterministic,
        settings.kernels,
        settings.device,
        repr(_types(job)),
    )


def _types(job: Job) -> Any:
    """The shapes and types of the rows, without their number; and whether they are weighted."""
    import tensorflow as tf

    example = example_of(job.data.splits.train)
    weighted = job.data.weights is not None or job.data.class_weights is not None
    described = tf.nest.map_structure(lambda array: (array.shape[1:], str(array.dtype)), example)
    return described, weighted


def odd(recipe: Recipe) -> str | None:
    """The reason why no program may stand for a recipe: a step of its own, say; else None."""
    import keras

    if (own := own_step(recipe.model)) is not None:
        name, step = own
        return f"{name} has a {step} of its own"
    plain = (
        keras.callbacks.EarlyStopping,
        keras.callbacks.ReduceLROnPlateau,
        keras.callbacks.LearningRateScheduler,
    )
    for callback in recipe.callbacks:
        if type(callback) not in plain:
            return f"the callback {type(callback).__name__} may look at the model"
    return None
