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


def confusions(rows: Sequence[tuple[Any, ...]]) -> list[Titled]:
    """A matrix for each split."""
    splits: dict[str, list[tuple[str, str, float]]] = {}
    for split, predicted, actual, count in rows:
        splits.setdefault(split, []).append((str(predicted), str(actual), count))
    return [
        (
            f"Confusion on {split}",
            charts.matrix(cells, x="predicted", y="actual", value="rows"),
        )
        for split, cells in splits.items()
    ]


def quality(rows: Sequence[tuple[Any, ...]]) -> list[Titled]:
    """A chart for each split and kind of curve, a line for each class."""
    found: dict[tuple[str, str], dict[str, list[tuple[float, float | None]]]] = {}
    for split, curve, name, x, y in rows:
        points = found.setdefault((split, curve), {}).setdefault(str(name or "all"), [])
        if (at := charts.finite(x)) is not None:
            points.append((at, charts.finite(y)))
    drawn = []
    for (split, curve), classes in found.items():
        title, x, y = NAMES.get(curve, (curve, "x", "y"))
        lines = [
            Curve(name, points, color=place)
            for place, (name, points) in enumerate(classes.items())
        ]
        if curve != "pr":  # where chance, or perfect calibration, would lie
            lines.append(Curve("diagonal", [(0, 0), (1, 1)], None, True, 7))
        drawn.append((f"{title} on {split}", charts.lines(lines, [], x=x, y=y, log=False)))
    return drawn


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
