"""Ctrl-C and SIGTERM: a command ends in one word and with 130, however often they come.

Dying is safe at any point (what is archived is committed, files are replaced whole), so that a
stop need only be heard. Python's own handlers run between two bytecodes of the main thread, never
inside a COMMIT of DuckDB. The interpreter's C handler, though, writes each signal's number to a
file descriptor at once; a thread reads it there, and ends the process where the command does not.

It imports nothing that takes time: a command is deaf until this stands.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import sys
import threading
from types import FrameType, TracebackType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
PATIENCE = 3.0
"""Seconds that a command may take to wind up before the process ends where it stands."""


class Stopping:
    """A context: asked to stop, the command gets a KeyboardInterrupt; asked twice, it just ends.

    whole: the process ends with the command: signals that come later have come too late.
    """

    def __init__(self, whole: bool) -> None:
        self.asked = False
        self._whole = whole
        self._raises = False
        self._word = threading.Lock()
        self._said = False
        self._read = self._write = self._fd_before = -1
        self._thread = threading.Thread(target=self._listen, name="stopping", daemon=True)
        self._before: dict[int, Any] = {}
        self._unraisable_before: Any = None

    def __enter__(self) -> Stopping:
        # Only the main thread may handle signals; elsewhere they go where they went before.
        if threading.current_thread() is threading.main_thread():
            self._raises = True
            self._before = {number: signal.signal(number, self._hear) for number in SIGNALS}
            self._read, self._write = os.pipe()
            os.set_blocking(self._write, False)
            self._fd_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
            self._unraisable_before, sys.unraisablehook = sys.unraisablehook, self._swallowed
            self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._raises = False
        if not self._before or (self._whole and self.asked):
            return  # asked: the thread stays, for whoever asks again
        for number, handler in self._before.items():
            signal.signal(number, signal.SIG_IGN if self._whole else handler)
        signal.set_wakeup_fd(self._fd_before)
        sys.unraisablehook = self._unraisable_before
        os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def end(self) -> int:
        """Say the word; the exit code. Does not come back where the process ends with it."""
        self._say()
        if self._whole:
            # Not by the interpreter's end: it would flush what nobody may be reading.
            os._exit(INTERRUPTED)
        return INTERRUPTED

    def _hear(self, number: int, frame: FrameType | None) -> None:
        """The interpreter's handler; once is enough, and not while the command winds up."""
        self.asked = True
        if self._raises:
            self._raises = False
            raise KeyboardInterrupt

    def _swallowed(self, unraisable: Any) -> None:
        """An interrupt that hit a finalizer stops nothing: end here."""
        if unraisable.exc_type is KeyboardInterrupt and self.asked:
            self._at_once()
        self._unraisable_before(unraisable)

    def _listen(self) -> None:
        """The thread: count what comes, end at a zero byte."""
        heard = 0
        while True:
            ready, _, _ = select.select([self._read], [], [], PATIENCE if heard else None)
            if not ready:
                self._at_once()
            for number in os.read(self._read, 64):
                if number == 0:
                    return
                heard += number in SIGNALS
                if heard > 1:
                    self._at_once()

    def _at_once(self) -> None:
        self._say()
        os._exit(INTERRUPTED)

    def _say(self) -> None:
        """The word, once, past every buffer that another thread may hold."""
        if self._word.acquire(timeout=1.0):
            try:
                if not self._said:
                    self._said = True
                    with contextlib.suppress(OSError):
                        os.write(2, b"stopped\n")
            finally:
                self._word.release()
