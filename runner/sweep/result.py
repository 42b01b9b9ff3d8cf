"""What `runner.run` gives back: to ask further, and to be shown by a notebook."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.record.outcome import Outcome
from runner.sweep.earlier import model_of
from runner.sweep.summary import evaluation_lines

if TYPE_CHECKING:
    import keras

WIDTH, HEIGHT = 240, 60
"""Of the drawn losses, in pixels."""


@dataclass(repr=False)
class Result(Outcome):
    """The outcome of a run, and what the warehouse has of it."""

    results: Path = Path()
    """The folder that keeps it."""

    @classmethod
    def of(cls, outcome: Outcome, results: Path) -> Result:
        """The outcome as what Python is given."""
        return cls(**{f.name: getattr(outcome, f.name) for f in fields(outcome)}, results=results)

    def curves(self) -> Any:
        """Its losses and metrics, a row for each epoch, split and name (a pandas DataFrame)."""
        return warehouse.curves(self.run_id, results=self.results)

    def model(self) -> keras.Model:
        """Its model with the best weights; it takes raw rows.

        Raises WarehouseError where none were kept.
        """
        return model_of(self.run_id, self.results)

    def __repr__(self) -> str:
        best = "" if self.best is None else f", {self.monitor} {self.best:.4f}"
        return f"<run {self.run_id}: {self.status} after {self.epochs} epochs{best}>"

    def _repr_html_(self) -> str:
        """How a notebook shows it."""
        rows = [("status", self.status), ("epochs", f"{self.epochs} in {self.seconds:.1f} s")]
        if self.best is not None:
            rows.append((f"best {self.monitor}", f"{self.best:.4f} (epoch {self.best_epoch})"))
        for line in evaluation_lines(self.evaluations):
            split, _, said = line.partition(" ")
            rows.append((split, said.strip()))
        if self.error:
            rows.append(("error", self.error))
        cells = "".join(
            f"<tr><th style='text-align:left'>{escape(name)}</th>"
            f"<td style='text-align:left'>{escape(value)}</td></tr>"
            for name, value in rows
        )
        return (
            f"<div><b>run {escape(self.run_id)}</b>"
            f"<table>{cells}</table>{_drawn(self.losses)}</div>"
        )


def _drawn(losses: Sequence[float]) -> str:
    """The training losses as a line (SVG); nothing where there is none to draw."""
    known = [(at, loss) for at, loss in enumerate(losses) if abs(loss) < float("inf")]
    if len(known) < 2:
        return ""
    low, high = min(loss for _, loss in known), max(loss for _, loss in known)
    points = " ".join(
        f"{at / (len(losses) - 1) * WIDTH:.1f},"
        f"{HEIGHT - (loss - low) / ((high - low) or 1) * HEIGHT:.1f}"
        for at, loss in known
    )
    return (
        f"<svg width='{WIDTH}' height='{HEIGHT}' viewBox='-2 -2 {WIDTH + 4} {HEIGHT + 4}'>"
        f"<title>loss {losses[0]:.4f} to {losses[-1]:.4f}</title>"
        f"<polyline points='{points}' fill='none' stroke='currentColor'/></svg>"
    )
