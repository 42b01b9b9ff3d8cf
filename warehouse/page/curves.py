"""The curves of runs: which rows make which lines; no toolkit in here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from warehouse.lookup import SHORT
from warehouse.page import charts
from warehouse.page.charts import Band, Curve
from warehouse.page.feed import Feed
from warehouse.page.grid import plain

MOST = 500
"""Runs whose curves are drawn at once."""
AXES = {"epoch": "epoch", "step": "step", "time": "seconds"}


@dataclass
class Wish:
    """What somebody wants to see of the curves."""

    metric: str = "loss"
    splits: str = "val"
    """train, val or both."""
    x: str = "epoch"
    log: bool = False
    smooth: float = 0.0
    group: str = ""
    """A param: the mean of the runs that share its value."""

    @property
    def split_names(self) -> list[str]:
        return ["train", "val"] if self.splits == "both" else [self.splits]


def options(feed: Feed, runs: Sequence[str], wish: Wish) -> tuple[dict[str, Any], str]:
    """The chart, and a sentence about what is not in it."""
    shown = list(runs[:MOST])
    lines = _points(feed, shown, wish)
    best = {} if wish.x == "step" else _best(feed, shown, wish)
    hints = [f"the first {MOST} of {len(runs)} runs"] if len(runs) > MOST else []
    missing = len(shown) - len({run_id for run_id, _ in lines})
    if missing:
        hints.append(f"{missing} of {len(shown)} runs have none of it")
        if wish.x == "step":
            hints[-1] += " (record_steps=N records the loss inside of epochs)"
    nowhere = [
        run_id for (run_id, _), points in lines.items() if all(y is None for _, y in points)
    ]
    if nowhere:
        hints.append(f"{len(set(nowhere))} of {len(shown)} runs have no finite value of it")
    curves: list[Curve] = []
    bands: list[Band] = []
    if wish.group:
        bands = _bands(feed, shown, lines, wish)
    else:
        for place, run_id in enumerate(shown):
            for split in wish.split_names:
                if points := lines.get((run_id, split)):
                    curves.append(_curve(run_id, split, points, best, place, wish))
    y = wish.metric if wish.splits == "both" else f"{wish.splits} {wish.metric}"
    if wish.smooth:
        y += f" (smoothed {wish.smooth:g})"
    chart = charts.lines(curves, bands, x=AXES[wish.x], y=y, log=wish.log)
    if wish.log and chart["yAxis"]["type"] != "log" and (curves or bands):
        hints.append("not all values are above zero, so the axis is linear")
    return chart, "; ".join(hints)


def _points(
    feed: Feed, runs: list[str], wish: Wish
) -> dict[tuple[str, str], list[tuple[float, float | None]]]:
    """Run and split -> its points."""
    lines: dict[tuple[str, str], list[tuple[float, float | None]]] = {}
    if wish.x == "step":
        if wish.metric == "loss" and "train" in wish.split_names:
            for run_id, split, step, value in feed.ask("steps", runs=runs).rows:
                lines.setdefault((run_id, split), []).append((float(step), charts.finite(value)))
        return lines
    rows = feed.ask("curves", runs=runs, name=wish.metric, splits=wish.split_names).rows
    for run_id, split, epoch, value, elapsed in rows:
        x = epoch if wish.x == "epoch" else elapsed
        if x is not None:
            lines.setdefault((run_id, split), []).append((x, charts.finite(value)))
    return lines


def _best(feed: Feed, runs: list[str], wish: Wish) -> dict[tuple[str, str], int]:
    """Run and split -> the place of its best epoch, counted from 0."""
    rows = feed.ask("best_epochs", runs=runs, name=wish.metric, splits=wish.split_names).rows
    return {(run_id, split): epoch - 1 for run_id, split, epoch in rows if epoch}


def _curve(
    run_id: str,
    split: str,
    points: list[tuple[float, float | None]],
    best: dict[tuple[str, str], int],
    place: int,
    wish: Wish,
) -> Curve:
    name = run_id[-SHORT:] + (f" {split}" if wish.splits == "both" else "")
    at = best.get((run_id, split))
    drawn = _smooth(points, wish)
    if at is not None and (at >= len(points) or len(drawn) != len(points)):
        at = None
    return Curve(name, drawn, at, wish.splits == "both" and split == "train", place)


def _smooth(
    points: list[tuple[float, float | None]], wish: Wish
) -> list[tuple[float, float | None]]:
    if wish.smooth:
        values = charts.smoothed([y for _, y in points], wish.smooth)
        points = [(x, y) for (x, _), y in zip(points, values, strict=True)]
    return charts.thinned(points)


def _bands(
    feed: Feed,
    runs: list[str],
    lines: dict[tuple[str, str], list[tuple[float, float | None]]],
    wish: Wish,
) -> list[Band]:
    rows = feed.ask("params", names=[wish.group], runs=runs).rows
    value_of = {run_id: str(plain(value)) for run_id, _, value, _ in rows}
    values = charts.ordered([value_of.get(run_id, "none") for run_id in runs])
    bands = []
    for place, value in enumerate(values):
        for split in wish.split_names:
            members = [
                _smooth(lines[run_id, split], wish)
                for run_id in runs
                if value_of.get(run_id, "none") == value and (run_id, split) in lines
            ]
            if not members:
                continue
            name = f"{wish.group}={value} ({len(members)})"
            if wish.splits == "both":
                name += f" {split}"
            points = [(p[0], p[1], p[2], p[3]) for p in charts.spread(members)]
            is_dashed = wish.splits == "both" and split == "train"
            bands.append(Band(name, points, len(members), is_dashed, place))
    return bands
