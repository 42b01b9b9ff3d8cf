"""Sweeps: the list, and one sweep as it goes on."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import ui
from starlette.requests import Request

from warehouse.page import charts, grid, importance
from warehouse.page.charts import Curve
from warehouse.page.curves_panel import draw
from warehouse.page.feed import Change
from warehouse.page.site import (
    PATIENCE,
    Site,
    copyable,
    empty,
    heading,
    run_path,
    short,
    sweep_path,
    table,
    text,
)

STATUSES = ("finished", "running", "stopped", "lost", "failed")
MOST_ROWS = 1000


def add(site: Site) -> None:
    """The pages /sweeps and /sweep/ID."""

    @ui.page("/sweeps", response_timeout=PATIENCE)
    async def sweeps() -> None:
        await site.arrive()
        with site.frame("Sweeps", here="/sweeps"):

            @ui.refreshable
            async def listed() -> None:
                answer = await site.ask("sweeps", sweep=None)
                if not answer.rows:
                    empty(
                        "No sweep yet. The first one:",
                        "python -m runner --multirun optimizer.learning_rate=0.01,0.001",
                    )
                    return
                with ui.element("div").classes("sh-panel"):
                    heading("Sweeps, the newest first")
                    table(answer.columns, answer.rows, links={0: sweep_path})

            await listed()

            async def change(_: Change) -> None:
                await listed.refresh()

            site.listen(change)

    @ui.page("/sweep/{name}", response_timeout=PATIENCE)
    async def sweep(name: str, request: Request) -> None:
        await site.arrive()
        found = (await site.ask("find_sweep", sweep=name)).rows
        exact = [sweep_id for (sweep_id,) in found if sweep_id == name] or [
            row[0] for row in found
        ]
        if len(exact) != 1:
            with site.frame("No such sweep", here="/sweeps"):
                many = f"{name!r} names several sweeps; give more of the id."
                empty(many if exact else f"There is no sweep {name!r}.")
            return
        with site.frame(f"Sweep {short(exact[0])}", here="/sweeps"):
            await SweepPage(site, exact[0]).draw()


class SweepPage:
    """One sweep: how far it is, what failed, what is best, what was tried."""

    def __init__(self, site: Site, sweep_id: str) -> None:
        self.site = site
        self.sweep_id = sweep_id
        self.runs: list[dict[str, Any]] = []

    async def draw(self) -> None:
        """All of it, and again whenever one of its runs moves."""
        ui.label(f"Sweep {short(self.sweep_id)}").classes("sh-title")

        @ui.refreshable
        async def top() -> None:
            await self._top()

        await top()
        with ui.element("div").classes("sh-panel"):
            heading("Best so far")
            self.chart = ui.echart({"series": []}).classes("sh-chart sh-small")
        self._draw_best()

        await self._draw_importance()

        @ui.refreshable
        async def tried() -> None:
            await self._tried()

        await tried()
        with ui.element("div").classes("sh-panel"):
            heading("Commands")
            copyable(f"python -m warehouse runs --sweep {self.sweep_id}")
            copyable(f"python -m warehouse report --sweep {self.sweep_id} -o sweep.html")

        async def change(news: Change) -> None:
            there = {row["run_id"] for row in self.runs}
            if news.changed & there or await self._has_grown(len(there)):
                await top.refresh()
                self._draw_best()
                await tried.refresh()

        self.site.listen(change)

    async def _has_grown(self, count: int) -> bool:
        return len((await self.site.ask("sweep_runs", sweep=self.sweep_id)).rows) != count

    async def _top(self) -> None:
        self.runs = (await self.site.ask("sweep_runs", sweep=self.sweep_id)).by_name()
        counts = {s: sum(row["status"] == s for row in self.runs) for s in STATUSES}
        facts = (await self.site.ask("sweeps", sweep=self.sweep_id)).by_name()
        planned = (facts[0]["planned"] if facts else None) or 0
        total = max(planned, len(self.runs), 1)
        of = f" of {planned} that are planned" if planned > len(self.runs) else ""
        with ui.element("div").classes("sh-panel"):
            heading(f"{len(self.runs)} runs{of}")
            parts = "".join(
                f"<div class='sh-{s}' style='width: {100 * n / total:.3f}%'></div>"
                for s, n in counts.items()
                if n
            )
            ui.html(f"<div class='sh-progress'>{parts}</div>", sanitize=False).classes(
                "full-width"
            )
            words = "".join(
                f"<span class='sh-{s}'>{n} {s}</span> " for s, n in counts.items() if n
            )
            if skipped := facts[0]["skipped"] if facts else 0:
                words += f"<span>{skipped} trained before</span>"
            ui.html(words, sanitize=False).classes("sh-counts")
            failures = await self.site.ask("sweep_failures", sweep=self.sweep_id)
            if failures.rows:
                heading("Failures by reason")
                table(failures.columns, failures.rows, links={2: run_path})

    def _draw_best(self) -> None:
        """A step down, or up, wherever a run was better than all before."""
        points: list[tuple[float, float | None]] = []
        each: list[tuple[float, float | None]] = []
        best: float | None = None
        rows = [row for row in self.runs if charts.finite(row["best"]) is not None]
        for number, row in enumerate(rows, 1):
            sign = -1 if row["mode"] == "max" else 1
            value = row["best"]
            if best is None or sign * value < sign * best:
                best = value
            points.append((number, best))
            each.append((number, value))
        monitor = rows[0]["monitor"] if rows else "best"
        options = charts.lines(
            [Curve("best so far", points)], [], x="runs that ended", y=monitor, log=False
        )
        options["series"][0]["step"] = "end"
        options["series"].append(
            {"type": "scatter", "name": "each run", "symbolSize": 6, "data": [[*p] for p in each]}
        )
        options["legend"]["data"] = ["best so far", "each run"]
        draw(self.chart, options)

    async def _draw_importance(self) -> None:
        feed = self.site.feed
        options, hint = await asyncio.to_thread(importance.options, feed, self.sweep_id)
        if options["series"]:
            with ui.element("div").classes("sh-panel"):
                heading("What mattered")
                ui.label(hint).classes("sh-hint")
                ui.echart(options).classes("sh-chart sh-small")

    async def _tried(self) -> None:
        ids = [row["run_id"] for row in self.runs]
        varying = [n for n, *_ in (await self.site.ask("varying_params", runs=ids)).rows][:12]
        params = await self.site.ask("params", names=varying, runs=ids)
        values = {(run_id, name): value for run_id, name, value, _ in params.rows}
        sign = {"max": -1}
        ranked = sorted(
            self.runs,
            key=lambda row: (
                charts.finite(row["best"]) is None,
                sign.get(row["mode"], 1) * (charts.finite(row["best"]) or 0),
            ),
        )[:MOST_ROWS]
        head = "".join(
            f"<th>{text(h)}</th>"
            for h in ("run", "status", "best", "epoch", "seconds", *grid.words(varying))
        )
        body = "".join(
            f"<tr><td><a href='{text(run_path(row['run_id']))}'>{text(short(row['run_id']))}</a>"
            f"<td class='sh-{text(row['status'])}'>{text(row['status'])}"
            + "".join(
                f"<td class='sh-number'>{text(row[name])}"
                for name in ("best", "best_epoch", "seconds")
            )
            + "".join(f"<td>{text(values.get((row['run_id'], name)))}" for name in varying)
            for row in ranked
        )
        with ui.element("div").classes("sh-panel"):
            heading("What was tried, the best first")
            if len(self.runs) > MOST_ROWS:
                ui.label(f"the first {MOST_ROWS} of {len(self.runs)}").classes("sh-hint")
            ui.html(
                f"<table class='sh-table'><thead><tr>{head}</tr></thead><tbody>{body}</table>",
                sanitize=False,
            ).classes("sh-scroll")
