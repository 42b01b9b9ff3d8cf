"""How many jobs a sweep has, and what ends it before: sweep.max_seconds, sweep.max_failures."""

from __future__ import annotations

import os
import time

from runner.config.settings import SweepSettings

SWEEP = "SWEEPHOUSE_SWEEP"
"""Environment variable by which the jobs of one --multirun know that they belong together."""
BEGAN = "SWEEPHOUSE_SWEEP_BEGAN"
"""Environment variable: a sweep, and the moment, in seconds since 1970, when its command began."""
JOBS = "SWEEPHOUSE_SWEEP_JOBS"
"""Environment variable: a sweep, and how many jobs its command has."""
RECOVERING = "SWEEPHOUSE_RECOVERING"
"""Environment variable, set when the launcher's workers died and the rest of the sweep is trained:
whatever the sweep has tried is then skipped, however it ended."""


def began(sweep_id: str) -> float:
    """When the command of a sweep began, in all of its processes the same."""
    name, _, moment = os.environ.get(BEGAN, "").partition(" ")
    if name == sweep_id:
        return float(moment)
    now = time.time()
    os.environ[BEGAN] = f"{sweep_id} {now!r}"
    return now


def announce_jobs(number: int) -> None:
    """Let all processes of the sweep know how many jobs it has, though each takes one by one."""
    os.environ[JOBS] = f"{os.environ.get(SWEEP, '')} {number}"


def announced_jobs(sweep_id: str) -> int | None:
    """How many jobs the sweep has; None where its sweeper does not say."""
    name, _, number = os.environ.get(JOBS, "").partition(" ")
    return int(number) if name == sweep_id else None


class Limits:
    """The limits of a sweep; each of its processes counts the failures that it sees."""

    def __init__(self, began: float = 0.0) -> None:
        """began: the moment from which its time counts."""
        self.failures = 0
        """Runs that failed, or that could not begin."""
        self._began = began
        self._settings = SweepSettings()
        self._elsewhere, self._at_once = "", False

    @property
    def since(self) -> float:
        """The moment from which its time counts."""
        return self._began

    def follow(self, settings: SweepSettings) -> None:
        """Take the limits from settings, of the sweep or of one of its jobs."""
        self._settings = settings

    def time_is_up(self) -> bool:
        """Whether what trains is to end after its epoch."""
        if self._at_once:
            return True
        seconds = self._settings.max_seconds
        return seconds is not None and time.time() - self._began >= seconds

    def ended_elsewhere(self, limit: str, at_once: bool) -> None:
        """Take a limit, as it was typed, for reached: who started this process says so.

        at_once: what trains is to end after its epoch, too.
        """
        self._elsewhere, self._at_once = limit, at_once

    @property
    def reached(self) -> str:
        """The limit that is reached, as it was typed; empty while none is."""
        if self._elsewhere:
            return self._elsewhere
        if self.time_is_up():
            return f"sweep.max_seconds={self._settings.max_seconds:g}"
        failures = self._settings.max_failures
        if failures is not None and self.failures >= failures:
            return f"sweep.max_failures={failures}"
        return ""
