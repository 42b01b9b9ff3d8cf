"""A number of which each member has its own, where the model's code expects a float."""

from __future__ import annotations

import functools
import numbers
import operator
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from runner.engines.structure.symbols import Structural

_OF_FLOATS = frozenset(name for name in dir(float) if not name.startswith("_"))


@dataclass(frozen=True)
class Decision:
    """A branch that the model's code took on a number; other members must branch alike."""

    path: str
    question: Callable[[float], bool]
    answer: bool

    def holds(self, value: float) -> bool:
        """Whether the code would branch in the same way for this value."""
        return bool(self.question(value)) == self.answer


class MemberNumber:
    """A tensor that behaves as a float while one member's step is traced.

    Arithmetic gives tensors, of each member's own value. Where Python code must decide (`if
    self.rate > 0`), the first member's value answers, and the decision is remembered. Code that
    wants a plain float raises Structural.
    """

    dtype = "float32"
    shape = ()

    def __init__(self, tensor: Any, value: float, path: str, decisions: list[Decision]) -> None:
        register()
        self.tensor, self._value, self._path = tensor, value, path
        self._decisions = decisions

    def _decide(self, question: Callable[[float], bool]) -> bool:
        answer = bool(question(self._value))
        self._decisions.append(Decision(self._path, question, answer))
        return answer

    def __bool__(self) -> bool:
        return self._decide(bool)

    def __neg__(self) -> Any:
        return -self.tensor

    def __pos__(self) -> Any:
        return self.tensor + 0.0

    def __abs__(self) -> Any:
        return abs(self.tensor)

    def _needed(self, *_: Any, **__: Any) -> Any:
        raise Structural(self._path)

    # A set or dict asks whether numbers are equal only where their hashes are.
    __hash__ = _needed
    __float__ = __int__ = __index__ = __round__ = __array__ = _needed
    __floor__ = __ceil__ = __trunc__ = __complex__ = __format__ = __str__ = _needed
    __divmod__ = __rdivmod__ = _needed

    @property  # type: ignore[misc]
    def __class__(self) -> type:
        """A float to a plugin's code that asks; Keras and TensorFlow have rules for floats."""
        asking = sys._getframe(1).f_globals.get("__name__", "").partition(".")[0]
        return MemberNumber if asking in ("keras", "tensorflow") else float

    def __getattr__(self, name: str) -> Any:
        # What a float has besides, is_integer say, needs its value; nothing else is there.
        if name in _OF_FLOATS:
            raise Structural(self._path)
        raise AttributeError(name)


def _compared(ask: Callable[[Any, Any], Any]) -> Callable[[MemberNumber, Any], Any]:
    def compare(self: MemberNumber, other: Any) -> Any:
        if other is None or isinstance(other, str):
            return ask(0.0, other)
        if isinstance(other, int | float):
            return self._decide(lambda value: bool(ask(value, other)))
        return ask(self.tensor, _plain(other))

    return compare


def _computed(compute: Callable[[Any, Any], Any], turned: bool) -> Callable[..., Any]:
    def arithmetic(self: MemberNumber, other: Any) -> Any:
        left, right = self.tensor, _plain(other)
        return compute(right, left) if turned else compute(left, right)

    return arithmetic


def _plain(value: Any) -> Any:
    return value.tensor if isinstance(value, MemberNumber) else value


for _name in ("lt", "le", "gt", "ge", "eq", "ne"):
    setattr(MemberNumber, f"__{_name}__", _compared(getattr(operator, _name)))
for _name in ("add", "sub", "mul", "truediv", "pow", "mod", "floordiv"):
    setattr(MemberNumber, f"__{_name}__", _computed(getattr(operator, _name), turned=False))
    setattr(MemberNumber, f"__r{_name}__", _computed(getattr(operator, _name), turned=True))

# TensorFlow's dropout asks whether its rate is a number, and then only computes with it.
numbers.Real.register(MemberNumber)


@functools.cache
def register() -> None:
    """Let TensorFlow take a member's number wherever it takes a tensor."""
    import tensorflow as tf

    def convert(value: Any, dtype: Any = None, name: Any = None, as_ref: bool = False) -> Any:
        return value.tensor if dtype is None else tf.cast(value.tensor, dtype)

    tf.register_tensor_conversion_function(MemberNumber, convert)
