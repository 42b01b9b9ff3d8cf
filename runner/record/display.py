"""The display while runs train: a live line on a terminal or in a notebook, else plain lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.notebook import NotebookProgress, is_notebook
from runner.record.tally import MOVE_SECONDS, Tally, beginning, extent, losses_in_words
from runner.system.terminal import complain, printable, say

if TYPE_CHECKING:
    from rich.progress import TaskID

Job = TypeVar("Job")
EVERY_SECONDS = 10.0
"""How often a sweep says how far it is where nothing can be drawn over."""
PLANNING_SECONDS = 1.0
"""How often it says how far it is before it trains."""


class Progress(Protocol):
    """A display of runs: of their starts, epochs and ends, closed when no more will come."""

    def start(self, start: RunStart) -> None: ...
    def epoch(self, event: EpochEnd) -> None: ...
    def end(self, end: RunEnd) -> None: ...
    def close(self) -> None: ...


def progress_for_output(runs: int = 1, by_node: bool = False) -> Progress:
    """The display that fits the number of runs, and where the output goes.

    by_node: it is one over all nodes of a cluster, and says how far each is.
    """
    if is_notebook():
        return NotebookProgress(runs)
    alone = runs == 1 and not by_node
    if sys.stdout is not None and sys.stdout.isatty():
        return LiveProgress() if alone else LiveSweepProgress(runs, by_node)
    return PlainProgress() if alone else PlainSweepProgress(runs, by_node)


class NoProgress:
    """None: somebody else shows how far it is."""

    def start(self, start: RunStart) -> None:
        """Do nothing."""

    def epoch(self, event: EpochEnd) -> None:
        """Do nothing."""

    def end(self, end: RunEnd) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def _every(start: RunStart) -> int:
    """The number of epochs that a line stands for."""
    return int(start.config.get("print_every", 1))


class PlainProgress:
    """One line an epoch: `epoch 3/20  loss 0.4231  val_loss 0.3817  12,300 rows/s  4 s left`.

    Or every so many epochs, as `print_every` says.
    """

    def __init__(self) -> None:
        self._epochs, self._rows, self._every = 0, 0, 1
        self._began = time.monotonic()

    def start(self, start: RunStart) -> None:
        """Say that it begins."""
        self._epochs, self._rows = extent(start)
        self._every = _every(start)
        self._began = time.monotonic()
        say(beginning(start))

    def epoch(self, event: EpochEnd) -> None:
        """Print the epoch's line."""
        if event.epoch % self._every:
            return
        passed = time.monotonic() - self._began
        left = passed / event.epoch * (self._epochs - event.epoch)
        words = [f"epoch {event.epoch}/{self._epochs}", *losses_in_words(event)]
        rate = self._rows / max(event.seconds, 1e-9)
        words += [f"{rate:,.0f} rows/s", f"{left:.0f} s left"]
        say("  ".join(words))

    def end(self, end: RunEnd) -> None:
        """Do nothing: the closing summary follows."""

    def close(self) -> None:
        """Do nothing."""


class LiveProgress:
    """A bar with losses, rate and time left, on a terminal (rich)."""

    def __init__(self) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self._rows, self._every = 0, 1
        self._bar = Progress(
            TextColumn("epoch"),
            MofNCompleteColumn(),
            BarColumn(),
            TextColumn("{task.description}"),
            TimeRemainingColumn(),
        )
        self._task: TaskID | None = None

    def start(self, start: RunStart) -> None:
        """Show the bar."""
        self._bar.console.print(printable(beginning(start)))
        epochs, self._rows = extent(start)
        self._every = _every(start)
        self._task = self._bar.add_task("", total=epochs)
        self._bar.start()

    def epoch(self, event: EpochEnd) -> None:
        """Move the bar."""
        if self._task is None:
            return
        words = losses_in_words(event)
        if self._every > 1 and event.epoch % self._every == 0:
            self._bar.console.print(f"epoch {event.epoch}  {'  '.join(words)}")
        words.append(f"{self._rows / max(event.seconds, 1e-9):,.0f} rows/s")
        self._bar.update(self._task, completed=event.epoch, description="  ".join(words))

    def end(self, end: RunEnd) -> None:
        """Take the bar away."""
        self._bar.stop()

    def close(self) -> None:
        """The same, whatever happened."""
        self._bar.stop()


class PlainSweepProgress:
    """A line every ten seconds about all runs in training together."""

    def __init__(self, runs: int, by_node: bool = False) -> None:
        self._tally = Tally(runs, by_node)
        self._printed_at = time.monotonic()
        say(f"training {runs} runs")

    def start(self, start: RunStart) -> None:
        """Count it."""
        self._tally.start(start)

    def epoch(self, event: EpochEnd) -> None:
        """Count it, and print the line if it is time."""
        self._tally.epoch(event)
        if time.monotonic() - self._printed_at >= EVERY_SECONDS:
            self._printed_at = time.monotonic()
            left = self._tally.left()
            rest = "" if left is None else f"  {left:.0f} s left"
            say(f"{self._tally.words()}{rest}")

    def end(self, end: RunEnd) -> None:
        """Count it; a line of its own follows."""
        self._tally.end(end)

    def close(self) -> None:
        """Do nothing."""


class PlanningProgress:
    """A line a second, where errors go, about the jobs of a sweep that are planned."""

    def __init__(self, jobs: int) -> None:
        self._jobs, self._planned = jobs, 0
        self._began = time.monotonic()
        # What takes a few seconds needs no word.
        self._printed_at = self._began + 4 * PLANNING_SECONDS

    def counted(self, jobs: Iterable[Job]) -> Iterator[Job]:
        """The jobs, each counted as it is taken; a short sweep is planned without a word."""
        for job in jobs:
            now = time.monotonic()
            if now - self._printed_at >= PLANNING_SECONDS and self._planned:
                self._printed_at = now
                left = (now - self._began) / self._planned * (self._jobs - self._planned)
                complain(f"planned {self._planned:,} of {self._jobs:,} jobs  {left:.0f} s left")
            self._planned += 1
            yield job


class LiveSweepProgress:
    """A bar over all runs of a sweep, on a terminal (rich)."""

    def __init__(self, runs: int, by_node: bool = False) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._tally = Tally(runs, by_node)
        self._bar = Progress(BarColumn(), TextColumn("{task.description}"), TimeRemainingColumn())
        self._task = self._bar.add_task(self._tally.words(), total=runs)
        self._moved = 0.0
        self._bar.start()

    def start(self, start: RunStart) -> None:
        """Count it."""
        self._tally.start(start)

    def epoch(self, event: EpochEnd) -> None:
        """Move the bar."""
        self._tally.epoch(event)
        self._move()

    def end(self, end: RunEnd) -> None:
        """Move the bar; a line of its own follows."""
        self._tally.end(end)
        self._move()

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()

    def _move(self) -> None:
        now = time.monotonic()
        if now - self._moved < MOVE_SECONDS:
            return
        self._moved = now
        self._bar.update(self._task, completed=self._tally.done, description=self._tally.words())
