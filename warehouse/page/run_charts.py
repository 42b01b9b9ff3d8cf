"""The charts of one run: confusion, ROC, PR, calibration, learning rate; no toolkit in here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from warehouse.page import charts
from warehouse.page.charts import Curve

Titled = tuple[str, dict[str, Any]]
NAMES = {
    "roc": ("ROC", "false positive rate", "true positive rate"),
    "pr": ("Precision and recall", "recall", "precision"),
    "calibration": ("Calibration", "mean probability", "share of positives"),
}


def by_split(
    confusion: Sequence[tuple[Any, ...]], points: Sequence[tuple[Any, ...]]
) -> dict[str, list[Titled]]:
    """Split -> its confusion matrix and curves."""
    drawn: dict[str, list[Titled]] = {}
    cells: dict[str, list[tuple[str, str, float | None]]] = {}
    for split, predicted, actual, count in confusion:
        cells.setdefault(split, []).append((str(predicted), str(actual), count))
    for split, rows in cells.items():
        chart = charts.matrix(rows, x="predicted", y="actual", value="rows")
        drawn.setdefault(split, []).append((f"Confusion on {split}", chart))
    lines: dict[tuple[str, str], dict[str, list[tuple[float, float | None]]]] = {}
    for split, curve, name, x, y in points:
        line = lines.setdefault((split, curve), {}).setdefault(str(name or "all"), [])
        if (at := charts.finite(x)) is not None:
            line.append((at, charts.finite(y)))
    for (split, curve), classes in lines.items():
        drawn.setdefault(split, []).append(_quality(split, curve, classes))
    return drawn


def _quality(
    split: str, curve: str, classes: dict[str, list[tuple[float, float | None]]]
) -> Titled:
    """A line for each class."""
    title, x, y = NAMES.get(curve, (curve, "x", "y"))
    lines = [Curve(name, line, color=place) for place, (name, line) in enumerate(classes.items())]
    if curve != "pr":  # where chance, or perfect calibration, would lie
        lines.append(Curve("diagonal", [(0, 0), (1, 1)], None, True, 7))
    return f"{title} on {split}", charts.lines(lines, [], x=x, y=y, log=False)


def learning_rate(rows: Sequence[tuple[Any, ...]]) -> list[Titled]:
    """The learning rate by epoch where it changes, and how long epochs took."""
    rates = [(epoch, charts.finite(rate)) for epoch, rate, _ in rows]
    times = [(epoch, charts.finite(seconds)) for epoch, _, seconds in rows]
    drawn = []
    if len({rate for _, rate in rates}) > 1:
        lines = [Curve("learning rate", rates)]
        drawn.append(
            ("Learning rate", charts.lines(lines, [], x="epoch", y="learning rate", log=True))
        )
    if len({seconds for _, seconds in times}) > 1:
        lines = [Curve("seconds", times)]
        drawn.append(
            ("Seconds an epoch", charts.lines(lines, [], x="epoch", y="seconds", log=False))
        )
    return drawn
