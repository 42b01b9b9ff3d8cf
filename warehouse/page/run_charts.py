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
BY_EPOCH = (
    ("Learning rate", "learning rate"),
    ("Seconds an epoch", "seconds"),
    ("Rows a second", "rows a second"),
)
LOGARITHMIC = {"learning rate"}
BY_SECOND = (
    ("Processors of the process", "cores", 2),
    ("Memory of the process", "MB", 4),
    ("Load of the machine's processors", "share", 3),
    ("Free memory of the machine", "MB", 5),
    ("Load of the busiest GPU", "share", 6),
    ("Memory in use on all GPUs", "MB", 7),
)
"""Title, axis, and the column of the question `run_system`."""


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


def by_epoch(rows: Sequence[tuple[Any, ...]]) -> list[Titled]:
    """The learning rate, seconds and rows a second by epoch: what changes of them."""
    drawn = []
    for place, (title, name) in enumerate(BY_EPOCH, 1):
        points = _points(rows, place)
        if len({value for _, value in points}) > 1:
            log = name in LOGARITHMIC
            chart = charts.lines([Curve(name, points)], [], x="epoch", y=name, log=log)
            drawn.append((title, chart))
    return drawn


def system(rows: Sequence[tuple[Any, ...]]) -> list[Titled]:
    """What the process and its machine used, by seconds since the run began."""
    most = max((row[1] for row in rows), default=1)
    drawn = []
    for title, name, place in BY_SECOND:
        points = _points(rows, place)
        if all(value is None for _, value in points):
            continue
        chart = charts.lines([Curve(name, points)], [], x="seconds", y=name, log=False)
        chart["yAxis"]["min"] = 0
        if name == "share":
            chart["yAxis"]["max"] = 1
        if most > 1 and title.endswith("of the process"):
            title += f", in which {most} runs trained"
        drawn.append((title, chart))
    return drawn


def _points(rows: Sequence[tuple[Any, ...]], place: int) -> list[tuple[float, float | None]]:
    return [(row[0], charts.finite(row[place])) for row in rows]
