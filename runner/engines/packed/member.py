"""One run inside of a pack: what its callbacks and its tracker take for its model."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from runner.engines.arrays import Variable
from runner.engines.contract import Job
from runner.engines.packed.pure import Pure
from runner.engines.packed.stack import Stack
from runner.engines.packed.start import Start
from runner.engines.tracker import Tracker

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]


@dataclass(eq=False)
class Seat:
    """The row of a stack where a member sits; it may have to move to a smaller stack."""

    stack: Stack
    row: int


class MemberVariable:
    """One member's row of a stacked variable, with as much of a Keras variable as is asked for."""

    def __init__(self, seat: Seat, variable: int, like: Variable) -> None:
        self._seat, self._variable = seat, variable
        self.path, self.shape, self.dtype = like.path, like.shape, like.dtype

    def numpy(self) -> Array:
        """A copy of the value."""
        return self._seat.stack.read(self._variable, self._seat.row)

    def __array__(self, dtype: Any = None, copy: Any = None) -> Array:
        return self.numpy().astype(dtype) if dtype else self.numpy()

    def assign(self, value: Any) -> None:
        """Give it another value."""
        self._seat.stack.write(self._variable, self._seat.row, value)


class MemberOptimizer:
    """The optimizer's variables of one member, and its learning rate."""

    def __init__(self, variables: Sequence[MemberVariable], rate: MemberVariable | None) -> None:
        self.variables = list(variables)
        self._rate = rate
        self.scheduled = float("nan")
        """The learning rate where a schedule gives it; the pack knows it after each epoch."""

    @property
    def learning_rate(self) -> Any:
        """The present learning rate."""
        return self.scheduled if self._rate is None else self._rate.numpy()

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if self._rate is None:
            raise TypeError("the learning rate follows a schedule and cannot be set")
        self._rate.assign(value)


class MemberModel:
    """A stand-in for the Keras model of one member."""

    def __init__(self, pure: Pure, seat: Seat) -> None:
        where = {id(variable): i for i, variable in enumerate(pure.variables)}

        def mine(variables: Sequence[Variable]) -> list[MemberVariable]:
            return [MemberVariable(seat, where[id(v)], v) for v in variables]

        self.stop_training = False
        self.weights = mine(pure.model.weights)
        self.trainable_weights = mine(pure.model.trainable_weights)
        self.generators = mine(pure.generators)
        slots = mine(pure.slots)
        index = next((i for i, slot in enumerate(pure.slots) if slot is pure.rate), None)
        self.optimizer = MemberOptimizer(slots, None if index is None else slots[index])

    def get_weights(self) -> list[Array]:
        """The values of all weights."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, values: Sequence[Any]) -> None:
        """Give all weights other values."""
        for weight, value in zip(self.weights, values, strict=True):
            weight.assign(value)


@dataclass(eq=False)
class Member:
    """A run that sits in a row of the stack."""

    job: Job
    start: Start
    seat: Seat
    model: MemberModel
    tracker: Tracker
    callbacks: Any
    began: float = field(default_factory=time.perf_counter)
    epoch: int = 0
    """How many epochs it has behind it."""
    begun: int = 0
    """How many epochs it has begun; one more than it has behind it where one is done anew."""
    settled: bool = False
    """Whether its training is over, and its best weights are in place."""
    logs: dict[str, float] = field(default_factory=dict)
