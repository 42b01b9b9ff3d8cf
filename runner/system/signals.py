"""SIGINT and SIGTERM as they come, however busy the main thread is.

Python runs its signal handlers only between two bytecodes of the main thread, so neither inside a
compiled epoch, a query or a COMMIT, nor while a library is being loaded. The interpreter's C
handler, though, writes each signal's number to a file descriptor at once; a thread reads it there.

It imports nothing that takes time: a command is deaf until this stands.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class SignalReader:
    """A pipe that signals are written to, the thread that reads it, and the handlers before.

    on_signal: called from the thread for each that comes.
    on_silence: called from the thread when none came for as long as `patience()` says: seconds,
        or None for ever.
    """

    def __init__(
        self,
        name: str,
        on_signal: Callable[[], None],
        on_silence: Callable[[], None],
        patience: Callable[[], float | None],
    ) -> None:
        """name: the thread's. Nothing is opened: one that is never used leaves nothing behind."""
        self._on_signal, self._on_silence, self._patience = on_signal, on_silence, patience
        self._thread = threading.Thread(target=self._read_all, name=name, daemon=True)
        self._read = self._write = -1
        self._handlers: dict[int, Any] = {}
        self._descriptor: int | None = None

    def open(self) -> None:
        """Make the pipe; nothing is read from it before `start`."""
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)

    def start(self) -> None:
        """Read from now on, what has come already included."""
        self._thread.start()

    def take_over(
        self, handler: Callable[[int, FrameType | None], None], *, even_ignored: bool
    ) -> None:
        """Have both signals written to the pipe, and handled by this; from the main thread only.

        even_ignored: also one that the process was started to ignore.
        """
        # First the descriptor: what comes in between is read here, or handled as before.
        self._descriptor = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in SIGNALS:
            if even_ignored or signal.getsignal(number) is not signal.SIG_IGN:
                self._handlers[number] = signal.signal(number, handler)

    def give_handlers_back(self) -> None:
        """Have whoever handled the signals before handle them again."""
        for number, handler in self._handlers.items():
            signal.signal(number, handler)

    def give_descriptor_back(self) -> None:
        """Have signals written where they were written before."""
        if self._descriptor is not None:
            signal.set_wakeup_fd(self._descriptor)

    def close(self) -> None:
        """End the thread and the pipe."""
        os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _read_all(self) -> None:
        """The thread: until a zero byte comes."""
        while True:
            ready, _, _ = select.select([self._read], [], [], self._patience())
            if not ready:
                self._on_silence()
                continue
            for number in os.read(self._read, 64):
                if number == 0:
                    return
                if number in SIGNALS:  # not of a child that ended
                    self._on_signal()
