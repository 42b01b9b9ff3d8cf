"""Charts as ECharts options, made of rows; no toolkit in here.

Names stand in values only, never in keys, and no formatter in JavaScript returns one: what ECharts
writes by itself it escapes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import fmean, stdev
from typing import Any, NamedTuple

PALETTE = [
    "#3b6fd4",
    "#e07b39",
    "#2f9e66",
    "#c94f7c",
    "#8a63d2",
    "#c9a227",
    "#2aa5b8",
    "#a0522d",
    "#7f8c2d",
    "#d65f5f",
]
GREY = "#8b93a1"
LINE = "rgba(139,147,161,.25)"
MOST_IN_LEGEND = 30
MOST_POINTS = 400
"""Points of a curve that are drawn, each the mean of those around it."""
COUNTED = {"epoch", "step", "runs that ended"}
"""Axes whose values are whole numbers."""
RAMP = ["#4575d4", "#2aa5b8", "#5ab963", "#e0b52c", "#dd5a3c"]
"""From low to high; each can be seen on white and on black."""
WIDE = 20
"""How many times the least value the greatest must be for a logarithmic axis."""


class Curve(NamedTuple):
    """One line: its name, its points, and the place of its best one."""

    name: str
    points: list[tuple[float, float | None]]
    best: int | None = None
    dashed: bool = False
    color: int = 0


class Band(NamedTuple):
    """The mean of several runs, and how far they lie apart."""

    name: str
    points: list[tuple[float, float, float, float]]
    """x, mean, mean less deviation, mean plus deviation."""
    runs: int
    dashed: bool = False
    color: int = 0


def finite(value: float | None) -> float | None:
    """The value, or nothing where a chart has no place for it."""
    return value if value is not None and math.isfinite(value) else None


def smoothed(values: Sequence[float | None], weight: float) -> list[float | None]:
    """An exponential moving average that begins unbiased; gaps stay gaps."""
    mean, seen, out = 0.0, 0.0, list[float | None]()
    for value in values:
        if value is None:
            out.append(None)
            continue
        mean = weight * mean + (1 - weight) * value
        seen = weight * seen + (1 - weight)
        out.append(mean / seen)
    return out


def thinned(points: Sequence[tuple[float, float | None]]) -> list[tuple[float, float | None]]:
    """At most MOST_POINTS of them: the mean of each stretch."""
    if len(points) <= MOST_POINTS:
        return list(points)
    width = math.ceil(len(points) / MOST_POINTS)
    out: list[tuple[float, float | None]] = []
    for begin in range(0, len(points), width):
        stretch = points[begin : begin + width]
        values = [y for _, y in stretch if y is not None]
        out.append((stretch[-1][0], fmean(values) if values else None))
    return out


def spread(members: Sequence[Sequence[tuple[float, float | None]]]) -> list[tuple[float, ...]]:
    """x, mean, mean less and plus the standard deviation, at each x that all members have."""
    at: dict[float, list[float]] = {}
    for points in members:
        for x, y in points:
            if y is not None:
                at.setdefault(x, []).append(y)
    out: list[tuple[float, ...]] = []
    for x, values in sorted(at.items()):
        mean = fmean(values)
        deviation = stdev(values) if len(values) > 1 else 0.0
        out.append((x, mean, mean - deviation, mean + deviation))
    return out


def is_log(values: Sequence[float]) -> bool:
    """Whether a logarithmic axis suits: all above zero, and far apart."""
    return bool(values) and min(values) > 0 and max(values) / min(values) >= WIDE


def axis(name: str, kind: str = "value", **more: Any) -> dict[str, Any]:
    """An axis that both themes can show."""
    return {
        "type": kind,
        "name": name,
        "nameLocation": "middle",
        "nameGap": 30,
        "nameTextStyle": {"color": GREY},
        "axisLabel": {"color": GREY, "hideOverlap": True},
        "axisLine": {"lineStyle": {"color": GREY}},
        "splitLine": {"lineStyle": {"color": LINE}},
        "scale": True,
        **more,
    }


def base(**more: Any) -> dict[str, Any]:
    """What all charts have in common."""
    return {
        "animation": False,
        "backgroundColor": "transparent",
        "color": PALETTE,
        "textStyle": {"color": GREY},
        "grid": {"left": 64, "right": 24, "top": 24, "bottom": 48},
        "tooltip": {"confine": True, "appendTo": "body"},
        **more,
    }


def lines(
    curves: Sequence[Curve], bands: Sequence[Band], *, x: str, y: str, log: bool
) -> dict[str, Any]:
    """Curves, and means with their bands, over one axis."""
    drawn = [y for curve in curves for _, y in curve.points if y is not None]
    drawn += [mean for band in bands for _, mean, *_ in band.points]
    kind = "log" if log and drawn and min(drawn) > 0 else "value"
    count = len(curves) + len(bands)
    series = [_line(curve, few=count <= MOST_IN_LEGEND) for curve in curves]
    for band in bands:
        series += _band(band, kind)
    names = [curve.name for curve in curves] + [band.name for band in bands]
    legend = count <= MOST_IN_LEGEND
    return base(
        series=series,
        xAxis=axis(x, axisPointer={"label": {"precision": 0 if x in COUNTED else 2}}),
        yAxis=axis(y, kind, nameGap=48),
        legend={
            "show": legend,
            "type": "scroll",
            "top": 0,
            "textStyle": {"color": GREY},
            "pageTextStyle": {"color": GREY},
            "pageIconColor": GREY,
            "data": names if legend else [],
        },
        grid={"left": 64, "right": 24, "top": 36 if legend else 16, "bottom": 48},
        tooltip={
            "confine": True,
            "trigger": "axis" if legend else "item",
            "order": "valueAsc",
            ":valueFormatter": "sweephouse.digits",
        },
        dataZoom=[{"type": "inside", "filterMode": "none"}],
    )


def _line(curve: Curve, *, few: bool) -> dict[str, Any]:
    color = PALETTE[curve.color % len(PALETTE)]
    best = curve.points[curve.best] if curve.best is not None else None
    return {
        "type": "line",
        "name": curve.name,
        "data": [list(point) for point in curve.points],
        "showSymbol": len(curve.points) == 1,
        "symbolSize": 6,
        "triggerLineEvent": not few,
        "lineStyle": {
            "width": 1.8 if few else 1,
            "opacity": 1 if few else 0.55,
            "type": "dashed" if curve.dashed else "solid",
            "color": color,
        },
        "itemStyle": {"color": color},
        "emphasis": {"focus": "series"},
        "markPoint": {
            "symbol": "circle",
            "symbolSize": 9,
            "silent": True,
            "label": {"show": False},
            "data": [{"coord": list(best)}] if best and best[1] is not None and few else [],
        },
    }


def _band(band: Band, kind: str) -> list[dict[str, Any]]:
    color = PALETTE[band.color % len(PALETTE)]
    quiet = {
        "type": "line",
        "symbol": "none",
        "silent": True,
        "lineStyle": {"opacity": 0},
        "itemStyle": {"color": color},
        "tooltip": {"show": False},
    }
    if kind == "log":  # ECharts stacks values, which a logarithmic axis cannot show
        edges = [
            {**quiet, "lineStyle": {"opacity": 0.35, "width": 1, "color": color}, "data": data}
            for data in (
                [[x, low if low > 0 else None] for x, _, low, _ in band.points],
                [[x, high] for x, _, _, high in band.points],
            )
        ]
    else:
        stack = {"stack": f"{band.name} band", "stackStrategy": "all"}
        edges = [
            {**quiet, **stack, "data": [[x, low] for x, _, low, _ in band.points]},
            {
                **quiet,
                **stack,
                "data": [[x, high - low] for x, _, low, high in band.points],
                "areaStyle": {"color": color, "opacity": 0.18},
            },
        ]
    points: list[tuple[float, float | None]] = [(x, mean) for x, mean, *_ in band.points]
    mean = _line(Curve(band.name, points, None, band.dashed, band.color), few=True)
    return [*edges, mean]


def matrix(
    rows: Sequence[tuple[str, str, float | None]], *, x: str, y: str, value: str
) -> dict[str, Any]:
    """A heat map: (x, y, value), the values of both axes in their natural order."""
    columns, lines_ = ordered([row[0] for row in rows]), ordered([row[1] for row in rows])
    cells = [
        [columns.index(a), lines_.index(b), finite(number)]
        for a, b, number in rows
        if finite(number) is not None
    ]
    numbers = [cell[2] for cell in cells if cell[2] is not None]
    few = len(cells) <= 400
    return base(
        xAxis=axis(x, "category", data=columns, splitLine={"show": False}),
        yAxis=axis(y, "category", data=lines_, splitLine={"show": False}, nameGap=70),
        grid={"left": 96, "right": 24, "top": 16, "bottom": 100},
        visualMap={
            "min": min(numbers, default=0),
            "max": max(numbers, default=1),
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "calculable": True,
            "precision": 4,
            "inRange": {"color": RAMP},
            "textStyle": {"color": GREY},
        },
        series=[
            {
                "type": "heatmap",
                "name": value,
                "data": [[a, b, float(f"{n:.5g}")] for a, b, n in cells],
                "label": {"show": few and len(columns) <= 12, "fontSize": 11},
            }
        ],
    )


def ordered(names: Sequence[str]) -> list[str]:
    """Each once: numbers by size, then words."""

    def key(name: str) -> tuple[int, float, str]:
        try:
            return (0, float(name), name)
        except ValueError:
            return (1, 0.0, name)

    return sorted(dict.fromkeys(names), key=key)


def word(value: Any) -> str:
    """A value as an axis or a legend calls it."""
    if value is None:
        return "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def bars(names: Sequence[str], values: Sequence[float], *, value: str) -> dict[str, Any]:
    """Bars that lie, the first above."""
    return base(
        xAxis=axis(value),
        yAxis=axis(
            "",
            "category",
            data=list(names),
            inverse=True,
            splitLine={"show": False},
            axisLabel={"color": GREY, "width": 190, "overflow": "break"},
        ),
        grid={"left": 8, "right": 24, "top": 8, "bottom": 40, "containLabel": True},
        series=[{"type": "bar", "name": value, "data": list(values), "barMaxWidth": 22}],
    )


def points(
    groups: Mapping[str, Sequence[tuple[float, float, str]]],
    *,
    x: str,
    y: str,
    log_x: bool,
    log_y: bool,
    ramp: tuple[str, float, float] | None = None,
) -> dict[str, Any]:
    """A scatter: group -> (x, y, name), or one group coloured by a fourth number."""
    options = base(
        xAxis=axis(x, "log" if log_x else "value"),
        yAxis=axis(y, "log" if log_y else "value", nameGap=48),
        legend={
            "show": 1 < len(groups) <= MOST_IN_LEGEND,
            "type": "scroll",
            "top": 0,
            "textStyle": {"color": GREY},
        },
        grid={"left": 64, "right": 24, "top": 36, "bottom": 100 if ramp else 48},
        series=[
            {"type": "scatter", "name": name, "symbolSize": 7, "data": [list(p) for p in data]}
            for name, data in groups.items()
        ],
    )
    if ramp is not None:
        name, low, high = ramp
        options["visualMap"] = {
            "min": low,
            "max": high,
            "dimension": 3,
            "text": [name, ""],
            "orient": "horizontal",
            "left": "center",
            "bottom": 0,
            "inRange": {"color": RAMP},
            "textStyle": {"color": GREY},
        }
    return options


def parallel(
    axes: Sequence[dict[str, Any]], rows: Sequence[Sequence[Any]], color_at: int
) -> dict[str, Any]:
    """Parallel coordinates; the rows that are drawn are coloured by one axis."""
    numbers = [row[color_at] for row in rows if isinstance(row[color_at], int | float)]
    return base(
        parallelAxis=list(axes),
        parallel={"left": 56, "right": 72, "top": 40, "bottom": 28},
        visualMap={
            "show": False,
            "min": min(numbers, default=0),
            "max": max(numbers, default=1),
            "dimension": color_at,
            "inRange": {"color": RAMP},
        },
        series=[
            {
                "type": "parallel",
                "data": [list(row) for row in rows],
                "lineStyle": {"width": 1, "opacity": 0.75 if len(rows) < 200 else 0.45},
                "inactiveOpacity": 0.03,
                "activeOpacity": 0.8,
            }
        ],
    )
