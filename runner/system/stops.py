"""Ctrl-C and SIGTERM from the first import of a command to its last word.

Asked once, a command unwinds by KeyboardInterrupt, says "stopped" and exits with 130; asked twice,
it ends at once with the same code. Python runs its signal handlers only between two bytecodes of
the main thread, so neither inside a query nor while a library is being loaded; the interpreter's
C handler, though, writes each signal's number to a file descriptor at once, and a thread reads it
there. While a run trains, `runner.sweep.watch` listens in this one's place.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
from types import FrameType
from typing import Any

from runner.system.terminal import hold_streams

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class _Stops:
    """What this process has heard, and what the next signal is to do."""

    def __init__(self) -> None:
        self.listening = False
        self.begun = False
        """Whether the command has begun: until then there is nothing to unwind."""
        self.raised = False
        """Whether the main thread was told."""
        self.heard = 0
        self.code: int | None = None
        """The exit code, once the command is over and the interpreter shuts down."""

    def listen(self) -> None:
        """Take over both signals, but one that this process was started to ignore."""
        hold_streams()  # else the pipe takes the place of one that is closed
        read, write = os.pipe()
        os.set_blocking(write, False)
        threading.Thread(target=self._hear, args=[read], name="stops", daemon=True).start()
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        for number in SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._handle)
        sys.unraisablehook = self._unraisable
        self.listening = True
        # A warm worker blocks them until they are listened to.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread: unwind the command, once."""
        if self.code is not None:
            os._exit(self.code)
        if self.raised:
            os._exit(INTERRUPTED)
        self.raised = True
        if not self.begun:
            _end_at_once()
        raise KeyboardInterrupt

    def _hear(self, read: int) -> None:
        """The thread: end the process where the main thread is too busy to."""
        while True:
            for number in os.read(read, 64):
                if number in SIGNALS:  # not of a child that ended
                    self.heard += 1
                    if self.code is not None and self.heard > self.raised:  # a new one
                        os._exit(self.code)
                    if self.heard > 1:
                        os._exit(INTERRUPTED)

    def _unraisable(self, unraisable: Any) -> None:
        """Mend what Python cannot: an interrupt raised where it would be printed and forgotten."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt):
            _end_at_once()
        sys.__unraisablehook__(unraisable)


_stops = _Stops()


def listen() -> None:
    """Listen from now on; for the process of a command, not for a library in somebody else's."""
    if not _stops.listening:
        _stops.listen()


def begin() -> None:
    """Say that the next signal has something to unwind."""
    _stops.begun = True


def note() -> None:
    """Say that one was heard elsewhere: the next is the second."""
    _stops.raised = True
    _stops.heard = max(_stops.heard, 1)


def asked() -> bool:
    """Whether somebody has asked this command to stop."""
    return _stops.listening and (_stops.raised or _stops.heard > 0)


def check() -> None:
    """Raise KeyboardInterrupt if one was asked for: what went wrong meanwhile may be its doing."""
    if asked():
        raise KeyboardInterrupt


def over(code: int) -> None:
    """Say what the command exits with: a signal from now on changes nothing of that."""
    _stops.code = code
    # Where exec() was interrupted, CPython would end the process by SIGINT in spite of the exit
    # code; the next exec() makes it forget.
    exec("")


def be_deaf() -> None:
    """For the last moments of the interpreter, in which no handler of ours would run."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _end_at_once() -> None:
    with contextlib.suppress(OSError):
        os.write(2, b"stopped\n")
    os._exit(INTERRUPTED)


# Of `python -m runner` this is the first code of ours that runs.
if sys.argv[:1] == ["-m"] and sys.orig_argv[-len(sys.argv)] == "runner":
    listen()
