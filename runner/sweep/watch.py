"""While a run trains: a heartbeat for other machines, and Ctrl-C that is always heard."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from runner.system import stops
from runner.system.signals import SignalReader
from runner.system.stops import INTERRUPTED
from runner.system.terminal import complain

BEAT_SECONDS = 10.0


class Watch:
    """A context: asked to stop once, `requested` becomes true; asked twice, the process ends.

    beat: called about every ten seconds.
    at_once: called from the watching thread before the process ends; must not need the main one.
    time_is_up: whether what trains is to stop without being asked.
    """

    def __init__(
        self,
        beat: Callable[[], None],
        at_once: Callable[[], None],
        time_is_up: Callable[[], bool] = lambda: False,
    ) -> None:
        self._at_once, self._time_is_up = at_once, time_is_up
        self._requested = threading.Event()
        self._reader = SignalReader(
            "watch", on_signal=self._asked, on_silence=beat, patience=lambda: BEAT_SECONDS
        )

    def requested(self) -> bool:
        """Whether somebody asked for a stop, or the time is up."""
        return self.requested_by_user() or self._time_is_up()

    def requested_by_user(self) -> bool:
        """Whether somebody asked for a stop."""
        return self._requested.is_set() or stops.asked()

    def __enter__(self) -> Watch:
        self._reader.open()
        # Only the main thread may handle signals; elsewhere they go where they went before.
        if threading.current_thread() is threading.main_thread():
            self._reader.take_over(_ignore, even_ignored=True)
        # Before anything is read: what was heard before counts as the first.
        if stops.asked():
            self._requested.set()
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # In this order: what comes in between is heard by the command, and unwinds nothing here.
        self._reader.give_descriptor_back()
        self._reader.give_handlers_back()
        self._reader.close()

    def _asked(self) -> None:
        if self._requested.is_set():
            try:
                self._at_once()
            finally:
                os._exit(INTERRUPTED)
        self._requested.set()
        stops.note()
        if not stops.silent():
            complain("\nstopping after this epoch; once more stops at once")


def _ignore(number: int, frame: FrameType | None) -> None:
    """Do nothing with the signal in the interpreter: the watch has heard it."""
