"""While a run trains: a heartbeat for other machines, and Ctrl-C that is always heard.

Python's own signal handlers run only between two bytecodes of the main thread, so never while
TensorFlow is inside a compiled epoch. The interpreter's C handler, though, writes each signal's
number to a file descriptor at once; a thread reads it there.
"""

from __future__ import annotations

import os
import select
import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from runner.system import stops
from runner.system.stops import INTERRUPTED, SIGNALS
from runner.system.terminal import complain

BEAT_SECONDS = 10.0


class Watch:
    """A context: asked to stop once, `requested` becomes true; asked twice, the process ends.

    beat: called about every ten seconds.
    at_once: called from the watching thread before the process ends; must not need the main one.
    """

    def __init__(self, beat: Callable[[], None], at_once: Callable[[], None]) -> None:
        self._beat, self._at_once = beat, at_once
        self._requested = threading.Event()
        self._read = self._write = -1
        self._thread = threading.Thread(target=self._listen, name="watch", daemon=True)
        self._before: dict[int, Any] = {}
        self._fd_before = -1

    def requested(self) -> bool:
        """Whether somebody asked for a stop."""
        return self._requested.is_set()

    def __enter__(self) -> Watch:
        # Made here: a watch that is never entered leaves no descriptors open.
        self._read, self._write = os.pipe()
        os.set_blocking(self._write, False)
        # Only the main thread may handle signals; elsewhere they go where they went before.
        if threading.current_thread() is threading.main_thread():
            # In this order: what comes in between is heard here, or unwinds the command.
            self._fd_before = signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
            self._before = {number: signal.signal(number, _ignore) for number in SIGNALS}
        if stops.asked():
            self._requested.set()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._before:
            signal.set_wakeup_fd(self._fd_before)
            for number, handler in self._before.items():
                signal.signal(number, handler)
        os.write(self._write, b"\0")
        self._thread.join()
        os.close(self._read)
        os.close(self._write)

    def _listen(self) -> None:
        """The thread: beat when nothing comes, count what comes, end at a zero byte."""
        while True:
            ready, _, _ = select.select([self._read], [], [], BEAT_SECONDS)
            if not ready:
                self._beat()
                continue
            for number in os.read(self._read, 64):
                if number == 0:
                    return
                if number in SIGNALS:
                    self._asked()

    def _asked(self) -> None:
        if self._requested.is_set():
            try:
                self._at_once()
            finally:
                os._exit(INTERRUPTED)
        self._requested.set()
        stops.note()
        complain("\nstopping after this epoch; once more stops at once")


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing with the signal in the interpreter: the watch has heard it."""
