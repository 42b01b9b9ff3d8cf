"""The panel of params: parallel coordinates, a scatter, a heat map, what mattered."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any

from nicegui import ui

from warehouse.page import grid, importance, params
from warehouse.page.address import join, keep, split
from warehouse.page.curves_panel import draw
from warehouse.page.feed import Table, pick
from warehouse.page.site import Site, short

KINDS = {
    "parallel": "parallel",
    "scatter": "scatter",
    "heat": "heat map",
    "importance": "importance",
}
AT_FIRST = 5


class ParamsPanel:
    """Params against a metric, of the chosen runs, of the filtered ones, or of all."""

    def __init__(self, site: Site, query: Mapping[str, str], names: Table) -> None:
        self.site = site
        self.only: list[str] | None = None
        """The runs that the grid shows, if it is filtered."""
        self.chosen: list[str] = []
        rows = site.feed.ask("varying_params", runs=None).rows
        rows.sort(key=lambda row: grid.is_aside(row[0]))
        self.all_params = [f"param:{name}" for name, *_ in rows]
        self.outcomes = _outcomes(names)
        numeric = [f"param:{name}" for name, _, is_number in rows if is_number]
        self.wish = {
            "kind": query.get("chart", "parallel"),
            "outcome": query.get("outcome", ""),
            "x": query.get("px", ""),
            "y": query.get("py", ""),
            "color": query.get("color", ""),
            "sweep": query.get("sweep", ""),
        }
        self.axes = [c for c in split(query.get("axes", "")) if c in self.all_params]
        if self.wish["kind"] not in KINDS:
            self.wish["kind"] = "parallel"
        if self.wish["outcome"] not in self.outcomes:
            self.wish["outcome"] = self.outcomes[0] if self.outcomes else ""
        choice = [*numeric, *self.all_params]
        for name, otherwise in (("x", choice[:1]), ("y", choice[1:2] or choice[:1])):
            if self.wish[name] not in self.all_params:
                self.wish[name] = otherwise[0] if otherwise else ""
        if self.wish["color"] not in [*self.all_params, *self.outcomes]:
            self.wish["color"] = ""

    def draw(self) -> None:
        """The controls and an empty chart; `show` fills it."""
        names = {column: params.name_of(column) for column in self.all_params}
        outcomes = {column: params.name_of(column) for column in self.outcomes}
        with ui.element("div").classes("sh-bar"):
            ui.toggle(KINDS, value=self.wish["kind"]).props(
                "dense no-caps unelevated size=12px"
            ).on_value_change(lambda e: self._set("kind", e.value))
            outcome = self._select("outcome", outcomes, "outcome")
            self.parts: dict[str, list[ui.element]] = {
                "parallel": [outcome, self._axes(names)],
                "scatter": [
                    outcome,
                    self._select("x", names, "x"),
                    self._select("color", {"": "none", **names, **outcomes}, "colour"),
                ],
                "heat": [
                    outcome,
                    self._select("x", names, "x"),
                    self._select("y", names, "y"),
                ],
                "importance": [self._select("sweep", self._sweeps(), "of")],
            }
        self.hint = ui.label().classes("sh-hint")
        self.chart = ui.echart({"series": []}).classes("sh-chart sh-params")
        self._arrange()

    def _select(self, name: str, choices: dict[str, str], label: str) -> ui.element:
        value = self.wish[name] if self.wish[name] in choices else None
        return (
            ui.select(choices, value=value, label=label, with_input=True)
            .props("dense outlined")
            .style("min-width: 170px")
            .on_value_change(lambda e: self._set(name, e.value or ""))
        )

    def _sweeps(self) -> dict[str, str]:
        ids = pick(self.site.feed.ask("sweeps", sweep=None).rows)
        if self.wish["sweep"] not in ids:
            self.wish["sweep"] = ids[0] if ids else ""
        return {"": "all runs", **{sweep_id: f"sweep {short(sweep_id)}" for sweep_id in ids}}

    def _axes(self, names: dict[str, str]) -> ui.element:
        return (
            ui.select(
                names,
                value=self.axes or self._first_axes(),
                label="axes",
                multiple=True,
                with_input=True,
            )
            .props("dense outlined use-chips")
            .style("min-width: 260px; max-width: 100%")
            .on_value_change(self._set_axes)
        )

    def _first_axes(self) -> list[str]:
        tried = [c for c in self.all_params if not grid.is_aside(c.partition(":")[2])]
        return (tried or self.all_params)[:AT_FIRST]

    def _arrange(self) -> None:
        wanted = self.parts[self.wish["kind"]]
        for element in {each for elements in self.parts.values() for each in elements}:
            element.set_visibility(element in wanted)

    async def _set(self, name: str, value: str) -> None:
        self.wish[name] = value
        keep(
            chart="" if self.wish["kind"] == "parallel" else self.wish["kind"],
            outcome=self.wish["outcome"],
            px=self.wish["x"],
            py=self.wish["y"],
            color=self.wish["color"],
            sweep=self.wish["sweep"] if self.wish["kind"] == "importance" else "",
        )
        self._arrange()
        await self.show(self.chosen)

    async def _set_axes(self, event: Any) -> None:
        self.axes = list(event.value or [])
        keep(axes=join(self.axes))
        await self.show(self.chosen)

    async def show(self, chosen: Sequence[str]) -> None:
        """Draw what is asked for."""
        self.chosen = list(chosen)
        runs = self.chosen if len(self.chosen) > 1 else self.only
        kind, outcome = self.wish["kind"], self.wish["outcome"]
        if not outcome or not self.all_params:
            self._say("Nothing to compare yet: this needs runs that differ in a param.")
            return
        if kind == "importance":
            sweep = self.wish["sweep"] or None
            options, hint = await asyncio.to_thread(importance.options, self.site.feed, sweep)
            self._say(hint)
            draw(self.chart, options)
            return
        columns = list(dict.fromkeys(self._columns(kind, outcome)))
        data = await asyncio.to_thread(params.wide, self.site.feed, columns, runs)
        which = "chosen" if runs is self.chosen else "shown" if runs is not None else "all"
        hint = f"{len(data.rows)} runs ({which})"
        if kind == "parallel":
            chart = await asyncio.to_thread(params.parallel, data)
            if len(data.rows) > params.DRAWN:
                hint += f", about {params.DRAWN} of them drawn"
            self._say(hint + ". Drag along an axis to filter the grid; click it to end that.")
            draw(self.chart, chart.options)
            self._brush(chart)
        elif kind == "scatter":
            x, color = self.wish["x"], self.wish["color"]
            self._say(hint)
            if not data.is_number(x):
                self._say(f"{params.name_of(x)} is no number; choose another x, or the heat map.")
                return
            draw(self.chart, params.scatter(data, x, outcome, color))
        else:
            self._say(hint)
            draw(self.chart, params.heat(data, self.wish["x"], self.wish["y"], outcome))

    def _columns(self, kind: str, outcome: str) -> list[str]:
        if kind == "parallel":
            axes = self.axes or self._first_axes()
            return [*axes[: params.MOST_AXES], outcome]
        names = ("x", "color") if kind == "scatter" else ("x", "y")
        return [self.wish[name] for name in names if self.wish[name]] + [outcome]

    def _brush(self, chart: params.Parallel) -> None:
        numbers = json.dumps(chart.numbers, allow_nan=False)
        ui.run_javascript(f"sweephouse.brushing({self.chart.id}, {numbers})")

    def _say(self, hint: str) -> None:
        self.hint.text = hint


def _outcomes(names: Table) -> list[str]:
    """What params can be held against: validation first, then the test."""
    columns = [f"{kind}:{name}" for kind, name, *_ in names.rows if kind != "param"]
    order = ["metric:val loss", "evaluation:test accuracy", "evaluation:test loss"]
    return sorted(columns, key=lambda c: (order.index(c) if c in order else len(order), c))
