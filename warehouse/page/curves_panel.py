"""The panel of curves: what is asked for, and the chart."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from warehouse.page import curves
from warehouse.page.address import keep
from warehouse.page.curves import Wish
from warehouse.page.feed import pick
from warehouse.page.site import Site

NEWEST = 8
"""Runs that are drawn while nobody has chosen any."""
NONE = "no group"


class CurvesPanel:
    """Curves of the chosen runs, or of the newest ones."""

    def __init__(self, site: Site, query: Mapping[str, str]) -> None:
        self.site = site
        self.runs: list[str] = []
        self.wish = wish_of(query)

    def draw(self) -> None:
        """The controls and an empty chart; `show` fills it."""
        names = pick(self.site.feed.ask("metric_names", runs=None).rows) or ["loss"]
        params = pick(self.site.feed.ask("varying_params", runs=None).rows)
        wish = self.wish
        if wish.metric not in names:
            names = [wish.metric, *names]
        if wish.group and wish.group not in params:
            params = [wish.group, *params]
        with ui.element("div").classes("sh-bar"):
            ui.select(names, value=wish.metric, label="metric", with_input=True).props(
                "dense outlined"
            ).style("min-width: 150px").on_value_change(lambda e: self._set(metric=e.value))
            self._toggle({"val": "val", "train": "train", "both": "both"}, "splits")
            self._toggle({"epoch": "epoch", "step": "step", "time": "time"}, "x")
            ui.checkbox("log", value=wish.log).props("dense").on_value_change(
                lambda e: self._set(log=e.value)
            )
            ui.select(
                {"": NONE, **{name: name for name in params}},
                value=wish.group,
                label="group by",
                with_input=True,
            ).props("dense outlined").style("min-width: 190px").on_value_change(
                lambda e: self._set(group=e.value or "")
            )
            ui.label("smoothing").classes("sh-hint")
            ui.slider(min=0, max=0.95, step=0.05, value=wish.smooth).props("dense label").style(
                "width: 120px"
            ).on_value_change(lambda e: self._set(smooth=e.value))
        self.hint = ui.label().classes("sh-hint")
        self.chart = ui.echart({"series": []}).classes("sh-chart sh-curves")

    def _toggle(self, choices: dict[str, str], name: str) -> None:
        ui.toggle(choices, value=getattr(self.wish, name)).props(
            "dense no-caps unelevated size=12px"
        ).on_value_change(lambda e: self._set(**{name: e.value}))

    async def _set(self, **changes: Any) -> None:
        for name, value in changes.items():
            setattr(self.wish, name, value)
        wish, first = self.wish, Wish()
        keep(
            metric=wish.metric if wish.metric != first.metric else "",
            split=wish.splits if wish.splits != first.splits else "",
            x=wish.x if wish.x != first.x else "",
            log="1" if wish.log else "",
            smooth=f"{wish.smooth:g}" if wish.smooth else "",
            group=wish.group,
        )
        await self.show(self.runs)

    async def show(self, runs: Sequence[str]) -> None:
        """Draw the curves of these runs."""
        self.runs = list(runs)
        asked = self.runs
        if not asked:
            asked = pick((await self.site.ask("newest", count=NEWEST)).rows)
        options, hint = await asyncio.to_thread(curves.options, self.site.feed, asked, self.wish)
        if not self.runs:
            newest = "The newest runs; choose others in the grid."
            hint = f"{newest} {hint}".strip()
        self.hint.text = hint
        self.hint.set_visibility(bool(hint))
        draw(self.chart, options)


def draw(chart: ui.echart, options: dict[str, Any]) -> None:
    """Put other options in the place of a chart's."""
    chart.options.clear()
    chart.options.update(options)
    chart.update()


def wish_of(query: Mapping[str, str]) -> Wish:
    """What an address asks for; what makes no sense in it is left out."""
    wish = Wish(metric=query.get("metric") or "loss", group=query.get("group", ""))
    if query.get("split") in ("train", "val", "both"):
        wish.splits = query["split"]
    if query.get("x") in curves.AXES:
        wish.x = query["x"]
    wish.log = query.get("log") == "1"
    try:
        wish.smooth = min(max(float(query.get("smooth", "0")), 0.0), 0.95)
    except ValueError:
        wish.smooth = 0.0
    if not wish.smooth >= 0:  # NaN
        wish.smooth = 0.0
    return wish
