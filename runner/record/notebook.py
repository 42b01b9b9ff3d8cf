"""The display of runs in a notebook: one bar in the cell's output, drawn over as they train."""

from __future__ import annotations

import sys
import time
from html import escape
from typing import Any

from runner.journal.records import EpochEnd, RunEnd, RunStart
from runner.record.tally import MOVE_SECONDS, Tally, beginning, extent, losses_in_words


def is_notebook() -> bool:
    """Whether what is displayed goes into a notebook."""
    shell = sys.modules.get("IPython")
    kernel = shell.get_ipython() if shell is not None else None
    return getattr(kernel, "kernel", None) is not None


class NotebookProgress:
    """A bar with the losses of a run, or with how far the runs of a sweep are."""

    def __init__(self, runs: int) -> None:
        self._runs, self._tally = runs, Tally(runs)
        self._epochs, self._moved = 1, 0.0
        self._words, self._done = "", 0.0
        self._shown: Any = None

    def start(self, start: RunStart) -> None:
        """Count it, and show the bar."""
        self._tally.start(start)
        self._epochs = extent(start)[0]
        if self._runs == 1:
            self._move(beginning(start), 0.0)

    def epoch(self, event: EpochEnd) -> None:
        """Move the bar."""
        self._tally.epoch(event)
        if self._runs == 1:
            words = [f"epoch {event.epoch}/{self._epochs}", *losses_in_words(event)]
            self._move("  ".join(words), event.epoch / self._epochs)
        else:
            self._move(self._tally.words(), self._tally.done / self._runs)

    def end(self, end: RunEnd) -> None:
        """Count it."""
        self._tally.end(end)
        if self._runs > 1:
            self._move(self._tally.words(), self._tally.done / self._runs)

    def close(self) -> None:
        """Leave the last state in the output."""
        if self._words:
            self._draw()

    def _move(self, words: str, done: float) -> None:
        self._words, self._done = words, done
        now = time.monotonic()
        if now - self._moved >= MOVE_SECONDS:
            self._moved = now
            self._draw()

    def _draw(self) -> None:
        from IPython.display import HTML, display

        bar = f"<progress max='1' value='{self._done:.3f}'></progress>"
        content = HTML(f"<div>{bar} <code>{escape(self._words)}</code></div>")
        if self._shown is None:
            self._shown = display(content, display_id=True)
        else:
            self._shown.update(content)
