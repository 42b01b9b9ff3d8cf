"""Waiting for the end of a sweep, whoever drives it: this machine's other shell, or a cluster."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import warehouse
from runner.record.display import EVERY_SECONDS
from runner.sweep.closing import NOT_BEGUN, sum_up
from runner.sweep.cluster.queue import Queue
from runner.sweep.manifest import Standing, standing
from runner.sweep.sweep import exit_code
from runner.system.terminal import say
from warehouse.follow import Follower
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LOOK_SECONDS = 0.5, 5.0
"""Between two looks: at first, and when it has been waiting for long."""
SYNC_SECONDS = 60.0
"""How often ended runs are taken into the warehouse meanwhile."""
GRACE_SECONDS = 30.0
"""A sweep without a manifest, whose jobs each have a process, is over when for so long none of
its runs has been in training."""

# Of the tries of one run the last counts.
TRIES = """
SELECT run_id, status, reason FROM runs WHERE sweep_id = ?
QUALIFY row_number() OVER (PARTITION BY fingerprint ORDER BY run_id DESC) = 1
"""
BEGUN = "SELECT run_id FROM runs WHERE sweep_id = ?"
PLANNED = "SELECT coalesce(planned, runs) - skipped FROM sweeps WHERE sweep_id = ?"


@dataclass(frozen=True)
class Progress:
    """How far a sweep is."""

    runs: int
    """All that it is to train, as far as is known."""
    statuses: Sequence[tuple[str, str | None]] = ()
    """Status and reason of the runs that have begun, each by its last try."""
    missing: dict[str, str] = field(default_factory=dict)
    """Run id -> overrides, of those that have not."""
    standing: Standing = field(default_factory=Standing)
    over: bool = False
    """Whether nobody is left who would train any."""

    def count(self, *statuses: str) -> int:
        """How many runs are at one of these."""
        return sum(status in statuses for status, _ in self.statuses)

    def words(self) -> str:
        """`12 of 64 done, 16 running, 2 failed`."""
        done = len(self.statuses) - self.count("running")
        words = [f"{done} of {max(self.runs, done)} done"]
        for status in ("running", "failed", "stopped", "lost"):
            words += [f"{self.count(status)} {status}"] * bool(self.count(status))
        return ", ".join(words)


class Watching:
    """A context that looks at a sweep again and again. Raises WarehouseError as `connect` does."""

    def __init__(self, results: Path, sweep_id: str) -> None:
        self._results, self._sweep_id = results, sweep_id
        self._queue = Queue()
        self._alive_at = self._synced_at = time.monotonic()
        self._follower: Follower | None = None

    def __enter__(self) -> Watching:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def look(self) -> Progress:
        """How far it is now."""
        # In this order: what has left one of them is seen in the next.
        self._sync()
        before = standing(self._results, self._sweep_id)
        queued = self._queue.has_any(before.submitted)
        now = standing(self._results, self._sweep_id)
        statuses, begun, planned = self._ask()
        gone = now.refused_runs | begun
        missing = {run_id: job for run_id, job in now.jobs.items() if run_id not in gone}
        left = {run_id: job for run_id, job in missing.items() if job not in now.not_begun}
        progress = Progress(len(now.jobs) or planned, statuses, left, now)
        running = progress.count("running")
        # Where nobody can be asked about the jobs, it is over when all of them have been trained.
        unknown = queued is None and bool(left or progress.count("lost"))
        if now.driven or queued or unknown or running:
            self._alive_at = time.monotonic()
            return progress
        patience = 0.0 if now.jobs else GRACE_SECONDS
        over = time.monotonic() - self._alive_at >= patience or len(statuses) >= progress.runs
        return Progress(progress.runs, statuses, left, now, over)

    def until_over(
        self, seconds: float | None = None, asked: Callable[[], bool] = lambda: False
    ) -> Iterator[Progress]:
        """Every look until it is over, or until so many seconds have passed.

        asked: when that becomes true, the next look comes at once.
        """
        began = time.monotonic()
        while True:
            before = asked()
            yield (progress := self.look())
            passed = time.monotonic() - began
            if progress.over or (seconds is not None and passed >= seconds):
                return
            pause = min(max(LOOK_SECONDS[0], passed / 10), LOOK_SECONDS[1])
            end = time.monotonic() + (pause if seconds is None else min(pause, seconds - passed))
            while (left := end - time.monotonic()) > 0 and asked() == before:
                time.sleep(min(left, 0.1))

    def _ask(self) -> tuple[Sequence[tuple[str, str | None]], set[str], int]:
        """What the warehouse has of its runs, and how many it thinks that there are."""
        if Place.of(self._results).lake is not None:
            with warehouse.connect(self._results) as connection:
                return self._rows(connection)
        if self._follower is not None and self._follower.catch_up() is None:
            self._close()
        if self._follower is None:
            self._follower = Follower(Place(self._results))
        return self._rows(self._follower.con.cursor())

    def _rows(
        self, con: DuckDBPyConnection
    ) -> tuple[Sequence[tuple[str, str | None]], set[str], int]:
        tries = con.execute(TRIES, [self._sweep_id]).fetchall()
        begun = {run_id for (run_id,) in con.execute(BEGUN, [self._sweep_id]).fetchall()}
        planned = con.execute(PLANNED, [self._sweep_id]).fetchone()
        statuses = [(status, reason) for _, status, reason in tries]
        return statuses, begun, int(planned[0]) if planned else 0

    def _sync(self) -> None:
        if time.monotonic() - self._synced_at >= SYNC_SECONDS:
            warehouse.sync(self._results)
            self._synced_at = time.monotonic()

    def _close(self) -> None:
        if self._follower is not None:
            self._follower.close()
            self._follower = None


class Telling:
    """How far a sweep is, in one line that is drawn over, or else in one every ten seconds."""

    def __init__(self) -> None:
        self._told, self._told_at = "", float("-inf")
        self._newest = ""
        self._drawn = sys.stdout is not None and sys.stdout.isatty()

    def tell(self, progress: Progress) -> None:
        """Say it, if that is news."""
        words, now = progress.words(), time.monotonic()
        self._newest = words
        if words == self._told or (not self._drawn and now - self._told_at < EVERY_SECONDS):
            return
        if self._drawn:
            print(f"\r{words:<{len(self._told)}}", end="", flush=True)
        else:
            say(words)
        self._told, self._told_at = words, now

    def close(self) -> None:
        """Say the last of it."""
        if self._drawn and self._told:
            say("")
        elif self._newest != self._told:
            say(self._newest)


def conclude(results: Path, sweep_id: str, progress: Progress) -> int:
    """Print what the sweep itself would have printed in the end; its exit code."""
    end = progress.standing
    statuses = sum_up(results, sweep_id, end.refused, (end.limit, end.not_begun))
    if end.code is not None:
        return end.code
    for line in missing_lines(progress.missing):
        say(line)
    for folder in dict.fromkeys(one.folder for one in end.submitted if progress.missing):
        say(f"output    {folder}")
    statuses += ["failed"] * len(progress.missing)
    statuses += ["stopped" for status, why in progress.statuses if (status, why) in STOPPED]
    return exit_code(statuses, len(end.refused))


STOPPED = {("stopped", "user"), ("stopped", None)}


def missing_lines(missing: dict[str, str]) -> Iterator[str]:
    """The runs that never began, since whoever was to train them is gone."""
    if not missing:
        return
    yield (
        f"missing   {len(missing)} never began, and nobody is left who would train them; "
        "the same command goes on"
    )
    for run_id, words in list(missing.items())[:NOT_BEGUN]:
        yield f"missing   {run_id[-8:]}  {words}".rstrip()
    if len(missing) > NOT_BEGUN:
        yield f"missing   {len(missing) - NOT_BEGUN} more"
