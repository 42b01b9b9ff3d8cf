"""Processes of this machine that train parcels, one after the other.

A process of its own has TensorFlow to itself: its memory, its threads, its errors. All write their
journals into the one results folder, so that nothing needs to be carried. What a process has
traced stays there, so that a later parcel of the same structure is soonest trained by it.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from runner.backend.devices import import_tensorflow, usable_number
from runner.errors import RunnerError
from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.sweep.cluster.parcel import Parcel, Slip, train_parcel
from runner.sweep.failures import RunResult
from runner.sweep.limits import Limits
from runner.system import stops

LEAVE_SECONDS = 10.0
"""How long a process has to end by itself."""


@dataclass(frozen=True)
class Ready:
    """A process has loaded TensorFlow, or says why it cannot."""

    devices: int
    error: RunnerError | None = None


@dataclass(frozen=True)
class Came:
    """A job has come to its end, or was refused."""

    key: str
    result: RunResult


@dataclass(frozen=True)
class Shown:
    """A record, for the display."""

    record: RunStart | EpochEnd | RunEnd


@dataclass(frozen=True)
class Said:
    """A line that was printed, about data say."""

    line: str


@dataclass(frozen=True)
class Over:
    """A parcel is done with; trouble: the traceback of what ended it as a whole, a bug of ours."""

    trouble: str | None = None


@dataclass(frozen=True)
class Ended:
    """To a process: a limit is reached, and no further run begins."""

    limit: str
    at_once: bool


Answer = Ready | Came | Shown | Said | Over


@dataclass(eq=False)
class Hand:
    """A process that trains, and what it has in hand."""

    process: Any
    pipe: Connection
    ready: Ready | None = None
    """What it said when it had loaded TensorFlow."""
    parcel: Parcel | None = None
    done: set[str] = field(default_factory=set)
    """The keys of its parcel's jobs that have come to their end."""

    def give(self, parcel: Parcel, results: Path) -> None:
        """Have it train a parcel; results: the folder that takes what comes of it."""
        self.parcel, self.done = parcel, set()
        self._send((parcel, results))

    def end(self, limit: str, at_once: bool) -> None:
        """Tell it of a limit that is reached; at_once: what trains is to end after its epoch."""
        self._send(Ended(limit, at_once))

    def signal(self, number: int) -> None:
        """Send it a signal: it is not in the terminal's group."""
        if self.process.is_alive():
            os.kill(self.process.pid, number)

    def why(self) -> str:
        """How it ended, in words."""
        self.process.join(LEAVE_SECONDS)
        code = self.process.exitcode
        killed = code is not None and code < 0
        return f"killed by signal {-code}" if killed else f"exit code {code}"

    def _send(self, message: Any) -> None:
        try:
            self.pipe.send(message)
        except OSError:  # it has died meanwhile, which is heard next
            return


def begin() -> Hand:
    """A new process; it loads TensorFlow at once."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_work, args=(its,), daemon=True)
    process.start()
    its.close()
    return Hand(process, mine)


def heard(hands: Sequence[Hand], seconds: float) -> list[Hand]:
    """Those of the processes that have something to say, or have died, after a wait at most."""
    ready = wait([hand.pipe for hand in hands], timeout=seconds)
    return [hand for hand in hands if hand.pipe in ready]


def let_go(hands: Sequence[Hand]) -> None:
    """Have processes end; one that does not is killed."""
    for hand in hands:
        hand.pipe.close()
    for hand in hands:
        hand.process.join(LEAVE_SECONDS)
        if hand.process.is_alive():
            hand.process.kill()


# -- the other side -----------------------------------------------------------------------------


class _Pipe:
    """The way to the parent, which several threads use; once it is gone, this process ends."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._lock = connection, threading.Lock()

    def send(self, answer: Answer) -> None:
        try:
            with self._lock:
                self._connection.send(answer)
        except OSError:
            os._exit(0)  # what is recorded is written

    def receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError):
            os._exit(0)


class _Sent:
    """A display that another process has."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe

    def start(self, start: RunStart) -> None:
        """Send it."""
        self._pipe.send(Shown(start))

    def epoch(self, event: EpochEnd) -> None:
        """Send it."""
        self._pipe.send(Shown(event))

    def end(self, end: RunEnd) -> None:
        """Send it."""
        self._pipe.send(Shown(end))

    def close(self) -> None:
        """Do nothing."""


class _Lines(io.TextIOBase):
    """A stream whose whole lines the parent prints."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe, self._text = pipe, ""

    def write(self, text: str) -> int:
        """Send the lines that are whole by now."""
        *whole, self._text = (self._text + text).split("\n")
        for line in filter(None, whole):
            self._pipe.send(Said(line))
        return len(text)


def _work(connection: Connection) -> None:
    """Train one parcel after the other, in a process of its own, until nobody sends any more."""
    os.setpgrp()  # a Ctrl-C in the terminal is for the parent, which passes it on
    pipe = _Pipe(connection)
    sys.stdout = _Lines(pipe)
    stops.listen(silent=True)
    work = _Work(pipe)
    threading.Thread(target=work.receive, name="receive", daemon=True).start()
    try:
        work.go_on()
    except KeyboardInterrupt:
        os._exit(0)  # what is recorded is written; TensorFlow takes its time to end


class _Work:
    """What a process is told, and does."""

    def __init__(self, pipe: _Pipe) -> None:
        self._pipe = pipe
        self._parcels: SimpleQueue[tuple[Parcel, Path]] = SimpleQueue()
        self._limits = Limits()

    def receive(self) -> None:
        """Take what the parent sends; once it is gone, however that came, the process ends."""
        while True:
            message = self._pipe.receive()
            if isinstance(message, Ended):
                self._limits.ended_elsewhere(message.limit, message.at_once)
            else:
                self._parcels.put(message)

    def go_on(self) -> None:
        """Train what is sent, without end."""
        self._pipe.send(_ready())
        while True:
            parcel, results = self._parcels.get()
            self._train(parcel, results)

    def _train(self, parcel: Parcel, results: Path) -> None:
        trouble: str | None = None

        def came(slip: Slip, result: RunResult) -> None:
            self._pipe.send(Came(slip.key, result))

        try:
            train_parcel(parcel, results, came, self._limits, progress=_Sent(self._pipe))
        except KeyboardInterrupt:
            raise
        except Exception as error:
            import traceback

            trouble = "".join(traceback.format_exception(error))
        self._pipe.send(Over(trouble))


def _ready() -> Ready:
    try:
        import_tensorflow()
        return Ready(usable_number())
    except RunnerError as error:
        return Ready(0, error)
