"""Params against outcomes: the rows and the charts; no toolkit in here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean
from typing import Any, NamedTuple

from warehouse.lookup import SHORT
from warehouse.page import charts
from warehouse.page.feed import Feed
from warehouse.page.grid import KINDS, plain

DRAWN = 1500
"""Lines that are drawn; more are a solid mass. The brush counts them all."""
MOST_AXES = 12
MOST_GROUPS = 20


class Wide(NamedTuple):
    """A row for each run: its id, then the value of every column."""

    columns: list[str]
    rows: list[list[Any]]

    def values(self, column: str) -> list[Any]:
        """One column, without the runs that have no such value."""
        at = self.columns.index(column) + 1
        return [row[at] for row in self.rows if row[at] is not None]

    def is_number(self, column: str) -> bool:
        """Whether all its values are numbers."""
        values = self.values(column)
        return bool(values) and all(isinstance(value, int | float) for value in values)


def wide(feed: Feed, columns: Sequence[str], runs: Sequence[str] | None) -> Wide:
    """The runs with these columns ("param:...", "metric:...", "evaluation:...")."""
    found: dict[str, list[Any]] = {}
    ids = None if runs is None else list(runs)
    there = feed.run_ids
    for kind, query in KINDS.items():
        names = [c.partition(":")[2] for c in columns if c.startswith(f"{kind}:")]
        if not names:
            continue
        for run_id, name, value, *number in feed.ask(query, names=names, runs=ids).rows:
            if run_id not in there:
                continue
            chosen = plain(number[0] if number and number[0] is not None else value)
            if kind != "param" and isinstance(chosen, str):  # NaN and infinity
                chosen = None
            row = found.setdefault(run_id, [None] * len(columns))
            row[list(columns).index(f"{kind}:{name}")] = chosen
    return Wide(list(columns), [[run_id, *row] for run_id, row in sorted(found.items())])


def name_of(column: str) -> str:
    """A column as an axis calls it."""
    kind, _, name = column.partition(":")
    return f"best {name}" if kind == "metric" else name


class Parallel(NamedTuple):
    """A chart, and every row as numbers on its axes, for the brush."""

    options: dict[str, Any]
    numbers: list[list[Any]]


def parallel(data: Wide) -> Parallel:
    """Parallel coordinates over all columns, coloured by the last one."""
    axes, scales = [], []
    for place, column in enumerate(data.columns):
        values = data.values(column)
        each: dict[str, Any] = {
            "dim": place,
            "name": name_of(column),
            "nameTextStyle": {"color": charts.GREY, "width": 110, "overflow": "truncate"},
            "axisLabel": {"color": charts.GREY, "width": 90, "overflow": "truncate"},
            "axisLine": {"lineStyle": {"color": charts.GREY}},
            "areaSelectStyle": {"width": 16, "borderColor": charts.PALETTE[0]},
        }
        categories: list[str] | None = None
        if data.is_number(column):
            each |= {"type": "log" if charts.is_log(values) else "value", "scale": True}
        else:
            categories = charts.ordered([charts.word(value) for value in values])
            each |= {"type": "category", "data": categories}
        axes.append(each)
        scales.append(categories)
    numbers = [
        [row[0], *(_on(scale, value) for scale, value in zip(scales, row[1:], strict=True))]
        for row in data.rows
    ]
    step = max(1, math.ceil(len(numbers) / DRAWN))
    drawn = [[_drawn(value) for value in row[1:]] for row in numbers[::step]]
    return Parallel(charts.parallel(axes, drawn, len(data.columns) - 1), numbers)


def _on(categories: list[str] | None, value: Any) -> float | int | None:
    """The place of a value on its axis."""
    if value is None or categories is None:
        return value  # type: ignore[no-any-return]
    return categories.index(charts.word(value))


def _drawn(value: Any) -> Any:
    return "-" if value is None else value


def scatter(data: Wide, x: str, y: str, color: str) -> dict[str, Any]:
    """x against y, coloured by a third column; both must be numbers."""
    places = {column: at for at, column in enumerate(data.columns, 1)}
    rows = [row for row in data.rows if row[places[x]] is not None and row[places[y]] is not None]
    groups: dict[str, list[Any]] = {}
    ramp = None
    if color and data.is_number(color) and len(set(data.values(color))) > 8:
        values = data.values(color)
        ramp = (name_of(color), min(values), max(values))
    for row in rows:
        third = row[places[color]] if color else None
        group = "runs" if ramp or not color else charts.word(third)
        point = [row[places[x]], row[places[y]], row[0][-SHORT:], third if ramp else None]
        groups.setdefault(group, []).append(point)
    names = charts.ordered(list(groups))[:MOST_GROUPS]
    prefix = f"{name_of(color)}=" if color and not ramp else ""
    return charts.points(
        {prefix + name: groups[name] for name in names},
        x=name_of(x),
        y=name_of(y),
        log_x=charts.is_log(data.values(x)),
        log_y=charts.is_log(data.values(y)),
        ramp=ramp,
    )


def heat(data: Wide, x: str, y: str, value: str) -> dict[str, Any]:
    """The mean of a metric for each pair of two params' values."""
    places = {column: at for at, column in enumerate(data.columns, 1)}
    cells: dict[tuple[str, str], list[float]] = {}
    for row in data.rows:
        a, b, number = (row[places[column]] for column in (x, y, value))
        if a is not None and b is not None and number is not None:
            cells.setdefault((charts.word(a), charts.word(b)), []).append(number)
    rows = [(a, b, fmean(numbers)) for (a, b), numbers in cells.items()]
    return charts.matrix(rows, x=name_of(x), y=name_of(y), value=f"mean {name_of(value)}")
