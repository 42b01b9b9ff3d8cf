"""The display while runs train: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.system.terminal import complain, printable, say

if TYPE_CHECKING:
    from rich.progress import TaskID

Job = TypeVar("Job")
EVERY_SECONDS = 10.0
"""How often a sweep says how far it is where nothing can be drawn over."""
PLANNING_SECONDS = 1.0
"""How often it says how far it is before it trains."""
MOVE_SECONDS = 0.1
"""How often a bar over many runs is drawn."""


class Progress(Protocol):
    """A display of runs: of their starts, epochs and ends, closed when no more will come."""

    def start(self, start: RunStart) -> None: ...
    def epoch(self, event: EpochEnd) -> None: ...
    def end(self, end: RunEnd) -> None: ...
    def close(self) -> None: ...


def progress_for_output(runs: int = 1) -> Progress:
    """The display that fits the number of runs, and where the output goes."""
    if sys.stdout is not None and sys.stdout.isatty():
        return LiveProgress() if runs == 1 else LiveSweepProgress(runs)
    return PlainProgress() if runs == 1 else PlainSweepProgress(runs)


def _extent(start: RunStart) -> tuple[int, int]:
    """The number of epochs the run may have, and of rows that it trains on in each."""
    config, rows = start.config, int(start.data.get("train", 0))
    limit = config["limit_batches"]
    limited = rows if limit is None else min(rows, limit * config["batch_size"])
    return int(config["epochs"]), limited


def _beginning(start: RunStart) -> str:
    """`run 0198... on cpu, engine keras (fast declines: the model runs eagerly)`."""
    reason = f" ({start.engine_reason})" if start.engine_reason else ""
    return f"run {start.run_id} on {start.device}, engine {start.engine}{reason}"


def _every(start: RunStart) -> int:
    """The number of epochs that a line stands for."""
    return int(start.config.get("print_every", 1))


def _losses(event: EpochEnd) -> list[str]:
    words = [f"loss {event.loss:.4f}"]
    return words if event.val_loss is None else [*words, f"val_loss {event.val_loss:.4f}"]


class PlainProgress:
    """One line an epoch: `epoch 3/20  loss 0.4231  val_loss 0.3817  12,300 rows/s  4 s left`.

    Or every so many epochs, as `print_every` says.
    """

    def __init__(self) -> None:
        self._epochs, self._rows, self._every = 0, 0, 1
        self._began = time.monotonic()

    def start(self, start: RunStart) -> None:
        """Say that it begins."""
        self._epochs, self._rows = _extent(start)
        self._every = _every(start)
        self._began = time.monotonic()
        say(_beginning(start))

    def epoch(self, event: EpochEnd) -> None:
        """Print the epoch's line."""
        if event.epoch % self._every:
            return
        passed = time.monotonic() - self._began
        left = passed / event.epoch * (self._epochs - event.epoch)
        words = [f"epoch {event.epoch}/{self._epochs}", *_losses(event)]
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
        self._bar.console.print(printable(_beginning(start)))
        epochs, self._rows = _extent(start)
        self._every = _every(start)
        self._task = self._bar.add_task("", total=epochs)
        self._bar.start()

    def epoch(self, event: EpochEnd) -> None:
        """Move the bar."""
        if self._task is None:
            return
        words = _losses(event)
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


class _Tally:
    """A count of how far the runs of a sweep are: those that have ended, and those in training."""

    def __init__(self, runs: int) -> None:
        self._runs, self._ended = runs, 0
        self._began: float | None = None
        self._open: dict[str, tuple[int, EpochEnd | None]] = {}

    def start(self, start: RunStart) -> None:
        if self._began is None:
            self._began = time.monotonic()
        self._open[start.run_id] = _extent(start)[0], None

    def epoch(self, event: EpochEnd) -> None:
        epochs, _ = self._open.get(event.run_id, (event.epoch, None))
        self._open[event.run_id] = epochs, event

    def end(self, end: RunEnd) -> None:
        self._ended += 1
        self._open.pop(end.run_id, None)

    @property
    def done(self) -> float:
        """The number of runs done, those in training by the share of their epochs."""
        shares = (event.epoch / epochs for epochs, event in self._open.values() if event)
        return min(self._ended + sum(shares), self._runs)

    def words(self) -> str:
        """`12/64 runs  16 in training: epochs 3 to 7 of 20, loss 0.1204 to 0.3127`."""
        words = f"{self._ended}/{self._runs} runs"
        if not self._open:
            return words
        words += f"  {len(self._open)} in training"
        events = [event for _, event in self._open.values() if event is not None]
        if not events:
            return words
        epochs = _span([event.epoch for event in events], "d")
        most = max(epochs_ for epochs_, _ in self._open.values())
        word = "epochs" if " to " in epochs else "epoch"
        return f"{words}: {word} {epochs} of {most}, loss {_span([e.loss for e in events], '.4f')}"

    def left(self) -> float | None:
        """The seconds that the rest will take if it goes on like this."""
        if self._began is None or not self.done:
            return None
        return (time.monotonic() - self._began) / self.done * (self._runs - self.done)


def _span(values: Sequence[float], form: str) -> str:
    """The least and the greatest, or the one that all are."""
    least, greatest = format(min(values), form), format(max(values), form)
    return least if least == greatest else f"{least} to {greatest}"


class PlainSweepProgress:
    """A line every ten seconds about all runs in training together."""

    def __init__(self, runs: int) -> None:
        self._tally = _Tally(runs)
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

    def __init__(self, runs: int) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._tally = _Tally(runs)
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
