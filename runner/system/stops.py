"""Ctrl-C and SIGTERM from the first import of a command to its last word.

Asked once, a command unwinds by KeyboardInterrupt, says "stopped" and exits with 130; asked twice,
it ends at once with the same word and code, whatever the main thread is doing
(`runner.system.signals`). While a run trains, `runner.sweep.watch` listens in this one's place.

Ending at once is safe at any point (a journal has each line when it is written, what is archived
is committed, files are replaced whole), so that a stop need only be heard.

It imports nothing that takes time: a command is deaf until this stands.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any, NoReturn

from runner.system.signals import SIGNALS, SignalReader
from runner.system.streams import hold_streams

FAILED, INTERRUPTED = 1, 130
"""Exit codes after a fault of ours, as Python has it, and after Ctrl-C, as shells have it."""
PATIENCE = 3.0
"""Seconds to wind up in, for a command that has nothing of its own to lose."""


class Stops:
    """The signals that one command has heard, and the effect of the next."""

    def __init__(self, patience: float | None = None) -> None:
        """patience: seconds after which a command that was asked to stop is ended; None: never."""
        self.patience = patience
        self.listening = False
        self.begun = False
        """Whether the command has begun: until then there is nothing to unwind."""
        self.raised = False
        """Whether the main thread was told."""
        self.heard = 0
        self.code: int | None = None
        """The exit code, once the command is over and the interpreter shuts down."""
        self.told = False
        """Whether a worker was told by whom it works for; nothing is unwound by that."""
        self._leaving = False
        """Whether the main thread is on its way out: the handler must not come in between."""
        self.silent = False
        """Whether whoever passes the signals on says what becomes of them."""
        self._word = threading.Lock()
        self._word_written = False
        self._reader = SignalReader(
            "stops",
            on_signal=self._hear,
            on_silence=self.end_at_once,
            patience=lambda: self.patience if self.heard else None,
        )
        self._unraisable_before: Any = None

    def listen(self) -> None:
        """Take over both signals, but one that this process was started to ignore."""
        # Only the main thread may handle signals; elsewhere they go where they went before.
        if self.listening or threading.current_thread() is not threading.main_thread():
            return
        self._reader.open()
        self._reader.start()
        self._reader.take_over(self._handle, even_ignored=False)
        self._unraisable_before, sys.unraisablehook = sys.unraisablehook, self._unraisable
        self.listening = True
        # A warm worker blocks them until they are listened to.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)

    def leave(self) -> None:
        """Give both signals back to whoever had them; what comes meanwhile is heard still."""
        self._leaving = True
        if not self.listening:
            return
        # In this order: what comes in between is heard here still.
        self._reader.give_handlers_back()
        self._reader.give_descriptor_back()
        sys.unraisablehook = self._unraisable_before
        self._reader.close()
        self.listening = False

    def asked(self) -> bool:
        """Whether somebody has asked the command to stop."""
        return self.raised or self.heard > 0

    def say(self) -> None:
        """Write the word, once, past every buffer that another thread may hold."""
        if self.silent:
            return
        if threading.current_thread() is threading.main_thread():
            self._leaving = True
        if self._word.acquire(timeout=1.0):
            try:
                if not self._word_written:
                    self._word_written = True
                    with contextlib.suppress(OSError):
                        os.write(2, b"stopped\n")
            finally:
                self._word.release()

    def end_at_once(self) -> NoReturn:
        """End the process where it stands; a command that is over keeps its exit code."""
        if self.code is None:
            self.say()
        os._exit(INTERRUPTED if self.code is None else self.code)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        """In the main thread: unwind the command, once."""
        if self._leaving:
            return
        if self.raised or self.code is not None or not self.begun:
            self.end_at_once()
        self.raised = True
        raise KeyboardInterrupt

    def _hear(self) -> None:
        """In the reader's thread: end the process where the main thread is too busy to."""
        self.heard += 1
        new = self.heard > self.raised
        if self.heard > 1 or (self.code is not None and new):
            self.end_at_once()

    def _unraisable(self, unraisable: Any) -> None:
        """Mend what Python cannot: an interrupt raised where it would be printed and forgotten."""
        if issubclass(unraisable.exc_type, KeyboardInterrupt) and self.asked():
            self.end_at_once()
        self._unraisable_before(unraisable)


_stops = Stops()
"""Those of this process, if it is a command's."""


def run_as_process(command: Callable[[], int], patience: float | None = None) -> NoReturn:
    """Run a command as all that this process does: it ends with the command's exit code.

    patience: seconds that the command may take to wind up before the process ends where it
        stands, and does not wait either for whoever does not read what was printed; None: as long
        as it takes.
    """
    _stops.patience = patience
    try:
        listen()
        atexit.register(_be_deaf)  # registered first, called last
        _stops.begun = True
        code = command()
        check()
        _over(code)
    except BaseException as error:
        if not _comes_of_a_stop(error, asked()):
            _over(FAILED)
            raise
        code = INTERRUPTED
        _stops.say()
        _over(code)
        if patience is not None:
            os._exit(code)
    sys.exit(code)


def run_within(command: Callable[[], int], patience: float | None = None) -> int:
    """Run a command in a process that goes on: its exit code, and the handlers as they were."""
    stops = Stops(patience)
    stops.begun = True
    try:
        try:
            stops.listen()
            code = command()
        finally:
            stops.leave()
    except BaseException as error:
        if not _comes_of_a_stop(error, stops.asked()):
            raise
    else:
        if not stops.asked():
            return code
    stops.say()
    return INTERRUPTED


def listen(silent: bool = False) -> None:
    """Listen from now on; for the process of a command, not for a library in somebody else's.

    silent: say nothing of a stop, as a worker whose user is told by whom it works for.
    """
    _stops.silent = silent
    hold_streams()  # else the pipe takes the place of one that is closed
    _stops.listen()


def note() -> None:
    """Say that one was heard elsewhere: the next is the second."""
    _stops.raised = True
    _stops.heard = max(_stops.heard, 1)


def tell() -> None:
    """Have this process, a worker of another's, stop after its epoch, as its user asked there."""
    _stops.told = True


def asked() -> bool:
    """Whether somebody has asked this command to stop."""
    return _stops.told or (_stops.listening and _stops.asked())


def silent() -> bool:
    """Whether nothing is to be said of a stop here."""
    return _stops.silent


def check() -> None:
    """Raise KeyboardInterrupt if one was asked for: what went wrong meanwhile may be its doing."""
    if asked():
        raise KeyboardInterrupt


def _comes_of_a_stop(error: BaseException, asked: bool) -> bool:
    """Whether it is an interrupt, or what became of one: of DuckDB's queries a RuntimeError."""
    return asked or isinstance(error, KeyboardInterrupt)


def _over(code: int) -> None:
    """Say what the command exits with: a signal from now on changes nothing of that."""
    _stops.code = code
    # Where exec() was interrupted, CPython would end the process by SIGINT in spite of the exit
    # code; the next exec() makes it forget.
    exec("")


def _be_deaf() -> None:
    """For the last moments of the interpreter, in which no handler of ours would run."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)


def _started_as() -> str:
    """The name by which this process was started: as `python -m <name>`, or as a script."""
    at = len(sys.orig_argv) - len(sys.argv)
    name = sys.orig_argv[at] if 0 < at < len(sys.orig_argv) else ""
    return name.rpartition("/")[2] if name in sys.argv[:1] else name


COMMAND = _started_as() if _started_as() in ("runner", "warehouse") else ""
"""Which of our commands this process is; empty: somebody else's."""

# Of either command this is the first code of ours that runs.
if COMMAND:
    listen()
