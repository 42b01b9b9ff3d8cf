"""A worker of a cluster that shares no disk with the head: it trains, and answers with letters.

Its head calls one method after the other; the training is a thread beside that. A worker that is
not called for some time takes its head for dead, and ends.
"""

from __future__ import annotations

import contextlib
import io
import os
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from runner.errors import RunnerError, trace_of
from runner.record.display import NoProgress
from runner.sweep.cluster.carrier import Letter, Outbox
from runner.sweep.cluster.parcel import Parcel, train_parcel
from runner.sweep.failures import RunResult
from runner.sweep.limits import Limits
from runner.system import stops

LIFELINE = 45.0
"""Seconds without a call after which the head is taken for dead."""
PATIENCE = 0.5
"""Seconds that a call waits for something new."""
USER = "user"
"""Who stops a worker, where it is no limit."""


@dataclass(frozen=True)
class News:
    """An answer: the next letter, or when all have arrived, what became of the parcel."""

    letter: Letter | None = None
    results: Mapping[str, RunResult] | None = None
    """By the slips' keys; None while it trains."""
    trouble: str | None = None
    """The traceback of what ended the training as a whole: a bug."""
    said: tuple[str, ...] = ()
    """Lines that were printed meanwhile, about data say."""


class _Said(io.TextIOBase):
    """A stream that keeps what is printed, line by line, for the head."""

    def __init__(self) -> None:
        self._text = ""

    def write(self, text: str) -> int:
        """Keep it."""
        self._text += text
        return len(text)

    def take(self) -> tuple[str, ...]:
        """The whole lines that have come since."""
        whole, _, self._text = self._text.rpartition("\n")
        return tuple(line for line in whole.split("\n") if line)


class Worker:
    """The worker: one parcel at a time."""

    def __init__(self, node: str, environment: Mapping[str, str], base: str) -> None:
        """node: its name in sentences. base: where the user stands, if that is here, too."""
        os.environ.update(environment)
        self._said = sys.stdout = sys.stderr = _Said()
        with contextlib.suppress(OSError):
            os.chdir(base)
        self._node = node
        self._results = Path(tempfile.mkdtemp(prefix="sweephouse-"))
        self._outbox = Outbox(self._results)
        self._training: threading.Thread | None = None
        self._limits = Limits()
        self._came: Mapping[str, RunResult] | None = None
        self._trouble: str | None = None
        self._called = time.monotonic()
        threading.Thread(target=self._listen, name="lifeline", daemon=True).start()

    def begin(self, parcel: Parcel) -> int:
        """Begin to train a parcel; its process id."""
        self.beat()
        self._came = self._trouble = None
        self._limits = Limits()
        self._training = threading.Thread(
            target=self._train, args=(parcel, self._limits), name="train", daemon=True
        )
        self._training.start()
        return os.getpid()

    def news(self, stored: int) -> News:
        """What is new, after a short wait where nothing is; stored: the last letter's number."""
        self.beat()
        until = time.monotonic() + PATIENCE
        while True:
            is_over = self._training is None or not self._training.is_alive()
            letter = self._outbox.letter(stored)  # after that: else the last lines would stay
            if letter is not None:
                return News(letter, said=self._said.take())
            if is_over:
                return News(None, self._came or {}, self._trouble, self._said.take())
            if time.monotonic() >= until:
                return News(said=self._said.take())
            time.sleep(PATIENCE / 5)

    def stop(self, by: str, at_once: bool = False) -> None:
        """Begin no further run. by: the user, or a limit as it was typed.

        at_once: what trains is to end after its epoch, too; by the user it always is.
        """
        self.beat()
        if by == USER:
            stops.tell()
        else:
            self._limits.ended_elsewhere(by, at_once)

    def beat(self) -> None:
        """Hear that the head lives."""
        self._called = time.monotonic()

    def close(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self._results, ignore_errors=True)

    def _train(self, parcel: Parcel, limits: Limits) -> None:
        try:
            self._came = train_parcel(
                parcel, self._results, limits=limits, node=self._node, progress=NoProgress()
            )
        except RunnerError as error:
            self._came = {slip.key: error.with_traceback(None) for slip in parcel.slips}
        except KeyboardInterrupt:  # what was asked for
            self._came = {}
        except BaseException as error:
            self._trouble = trace_of(error) or str(error)

    def _listen(self) -> None:
        while time.monotonic() - self._called < LIFELINE:
            time.sleep(1.0)
        self.close()
        os._exit(1)
