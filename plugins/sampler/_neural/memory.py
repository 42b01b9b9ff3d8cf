"""Results kept for the next ask of the same process: they change nothing but time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from threading import Lock
from typing import Any, TypeVar

Result = TypeVar("Result")
KEPT = 64

_results: OrderedDict[Hashable, Any] = OrderedDict()
_lock = Lock()


def remembered(key: Hashable, compute: Callable[[], Result]) -> Result:
    """What `compute` gives, computed once a key; the key has to say all that it depends on."""
    with _lock:
        if key in _results:
            _results.move_to_end(key)
            known: Result = _results[key]
            return known
    result = compute()
    with _lock:
        _results[key] = result
        while len(_results) > KEPT:
            _results.popitem(last=False)
    return result


def forget() -> None:
    """Begin as in a new process."""
    with _lock:
        _results.clear()
