"""Requests that arrive together go through the model in one call."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from runner.data.parts import joined, named

if TYPE_CHECKING:
    from runner.components.types import Features

    Array = np.ndarray[Any, Any]

MOST_ROWS = 65_536
"""Rows of several requests that go through the model at once."""


@dataclass
class Calls:
    """How often the model was called, and for how many requests."""

    calls: int = 0
    requests: int = 0
    largest: int = 0
    """The most requests that one call has answered."""


class Batcher:
    """A thread that calls the model; while it is at it, what arrives waits for the next call.

    So nobody waits for company: a request that comes alone is answered at once.
    """

    def __init__(self, model: Callable[[Features], Array], most: int, calls: Calls) -> None:
        """model: from features to outputs, (rows, outputs). most: requests in one call."""
        self._model, self._most, self._calls = model, most, calls
        self._waiting: deque[tuple[Features, Future[Array]]] = deque()
        self._there = threading.Condition()
        self._is_over = False
        # A daemon: a call of the model that takes long does not keep the process.
        threading.Thread(target=self._run, name="model", daemon=True).start()

    def put(self, features: Features) -> Future[Array]:
        """Have the model asked; its outputs for these rows, or what it raised for them alone."""
        future: Future[Array] = Future()
        with self._there:
            self._waiting.append((features, future))
            self._there.notify()
        return future

    def close(self) -> None:
        """End when what waits is answered."""
        with self._there:
            self._is_over = True
            self._there.notify()

    def _run(self) -> None:
        while batch := self._next():
            # Who has gone meanwhile waits for nothing.
            if there := [one for one in batch if one[1].set_running_or_notify_cancel()]:
                self._answer(there)

    def _next(self) -> list[tuple[Features, Future[Array]]]:
        """What is answered next; nothing when it is over."""
        with self._there:
            while not self._waiting and not self._is_over:
                self._there.wait()
            batch: list[tuple[Features, Future[Array]]] = []
            rows = 0
            while self._waiting and len(batch) < self._most:
                rows += _rows(self._waiting[0][0])
                if batch and rows > MOST_ROWS:
                    break
                batch.append(self._waiting.popleft())
            return batch

    def _answer(self, batch: Sequence[tuple[Features, Future[Array]]]) -> None:
        try:
            outputs = self._model(joined([features for features, _ in batch]))
        except Exception as error:
            if len(batch) == 1:
                batch[0][1].set_exception(error)
                return
            # One of them may be to blame: the others are answered.
            for one in batch:
                self._answer([one])
            return
        self._calls.calls += 1
        self._calls.requests += len(batch)
        self._calls.largest = max(self._calls.largest, len(batch))
        ends = np.cumsum([_rows(features) for features, _ in batch])[:-1]
        for (_, future), some in zip(batch, np.split(outputs, ends), strict=True):
            future.set_result(some)


def _rows(features: Features) -> int:
    return len(next(iter(named(features).values())))
