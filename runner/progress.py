"""What a person sees while runs train: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Protocol

from runner.records import EpochEnd, RunEnd, RunStart

if TYPE_CHECKING:
    from rich.progress import TaskID


class Progress(Protocol):
    """Told of a run's start, epochs and end."""

    def start(self, start: RunStart) -> None: ...
    def epoch(self, event: EpochEnd) -> None: ...
    def end(self, end: RunEnd) -> None: ...


def progress_for_output() -> Progress:
    """The display that fits where the output goes."""
    return LiveProgress() if sys.stdout.isatty() else PlainProgress()


def _extent(start: RunStart) -> tuple[int, int]:
    """How many epochs the run may have, and how many rows it trains on in each."""
    config, rows = start.config, int(start.data.get("train", 0))
    limit = config["limit_batches"]
    limited = rows if limit is None else min(rows, limit * config["batch_size"])
    return int(config["epochs"]), limited


class PlainProgress:
    """One line an epoch: `epoch 3/20  loss 0.4231  val_loss 0.3817  12,300 rows/s  4 s left`."""

    def __init__(self) -> None:
        self._epochs, self._rows = 0, 0
        self._began = time.monotonic()

    def start(self, start: RunStart) -> None:
        """Say what begins."""
        self._epochs, self._rows = _extent(start)
        self._began = time.monotonic()
        print(f"run {start.run_id} on {start.device}, engine {start.engine}", flush=True)

    def epoch(self, event: EpochEnd) -> None:
        """Print the epoch's line."""
        passed = time.monotonic() - self._began
        left = passed / event.epoch * (self._epochs - event.epoch)
        said = [f"epoch {event.epoch}/{self._epochs}", f"loss {event.loss:.4f}"]
        if event.val_loss is not None:
            said.append(f"val_loss {event.val_loss:.4f}")
        rate = self._rows / max(event.seconds, 1e-9)
        said += [f"{rate:,.0f} rows/s", f"{left:.0f} s left"]
        print("  ".join(said), flush=True)

    def end(self, end: RunEnd) -> None:
        """Nothing: the closing summary follows."""


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

        self._rows = 0
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
        self._bar.console.print(f"run {start.run_id} on {start.device}, engine {start.engine}")
        epochs, self._rows = _extent(start)
        self._task = self._bar.add_task("", total=epochs)
        self._bar.start()

    def epoch(self, event: EpochEnd) -> None:
        """Move the bar."""
        if self._task is None:
            return
        said = [f"loss {event.loss:.4f}"]
        if event.val_loss is not None:
            said.append(f"val_loss {event.val_loss:.4f}")
        said.append(f"{self._rows / max(event.seconds, 1e-9):,.0f} rows/s")
        self._bar.update(self._task, completed=event.epoch, description="  ".join(said))

    def end(self, end: RunEnd) -> None:
        """Take the bar away."""
        self._bar.stop()
