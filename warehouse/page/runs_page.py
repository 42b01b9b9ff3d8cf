"""The first page: the grid of all runs, and beneath it what the chosen ones look like."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nicegui import ui
from starlette.requests import Request

from warehouse.page import grid
from warehouse.page.actions import Actions
from warehouse.page.address import join, keep, reload_with, split
from warehouse.page.curves_panel import CurvesPanel
from warehouse.page.feed import Change, Table
from warehouse.page.params_panel import ParamsPanel
from warehouse.page.site import PATIENCE, TOOL, Site, copyable, empty
from warehouse.page.views import Views

FIRST = "python -m runner"
STATUSES = ("running", "finished", "stopped", "failed", "lost")


def add(site: Site) -> None:
    """The page /."""

    @ui.page("/", response_timeout=PATIENCE)
    async def runs(request: Request) -> None:
        await site.arrive()
        with site.frame("Runs", here="/"):
            if site.feed.run_ids:
                await RunsPage(site, request.query_params).draw()
            else:
                _draw_first(site)


def _draw_first(site: Site) -> None:
    """What somebody sees who has not trained anything yet."""
    empty(f"No run in {site.feed.place.folder} yet. The first one:", FIRST)
    with ui.element("div").classes("sh-empty"):
        ui.label("And a sweep of four:")
        copyable(f"{FIRST} --multirun optimizer.learning_rate=0.01,0.001 architecture.width=32,64")
        ui.label("This page shows them as soon as they begin.")

    async def reload(_: Change) -> None:
        ui.navigate.reload()

    site.listen(reload)


class RunsPage:
    """One visitor's grid and panels."""

    def __init__(self, site: Site, query: Mapping[str, str]) -> None:
        self.site = site
        self.query = query
        self.chosen: list[str] = [r for r in query.get("runs", "").split(",") if r]
        self.columns: list[str] = []
        self.names: Table

    async def draw(self) -> None:
        """Everything on it."""
        self.names = await self.site.ask("column_names")
        asked = [c for c in split(self.query.get("cols", "")) if grid.known(c)]
        self.columns = asked or grid.default_columns(self.names.rows)
        words = json.dumps(self.columns).replace("<", "\\u003c")
        ui.add_head_html(f"<script>sweephouse.prefetch({words})</script>")
        self.actions = Actions(self.site, lambda: self.chosen)
        self._draw_bar()
        self.grid = ui.aggrid(self._options(), auto_size_columns=False).classes("sh-grid")
        self._draw_panels()
        ui.on("sh-chosen", self._choose)
        ui.on("sh-filtered", self._filter)
        self.site.listen(self._change)

    def _draw_bar(self) -> None:
        with ui.element("div").classes("sh-bar"):
            ui.html(
                "<input class='sh-search' type='search' placeholder='Search all columns  ( / )' "
                "aria-label='search' oninput='sweephouse.search(this.value)'>",
                sanitize=False,
            )
            ui.html(
                "<div class='sh-chips'>"
                + "".join(
                    f"<button class='sh-chip sh-{status}' data-status='{status}' "
                    f"onclick='sweephouse.toggleStatus(this.dataset.status)'>{status}</button>"
                    for status in STATUSES
                )
                + "</div>",
                sanitize=False,
            )
            ui.html("<span class='sh-count'></span>", sanitize=False)
            ui.space()
            self.actions.draw()
            self._draw_columns()
            Views(self.site).draw()
            button = ui.button("CSV").props(TOOL)
            button.on("click", js_handler="() => sweephouse.csv()")
            button.tooltip("the rows that are shown, as CSV")

    def _draw_columns(self) -> None:
        with ui.dialog() as dialog, ui.card().style("width: 560px; max-width: 95vw"):
            ui.label("Columns").classes("sh-heading")
            select = ui.select(
                {column: _label(column) for column in self._all_columns()},
                value=list(self.columns),
                multiple=True,
                with_input=True,
                label="type to search",
            ).props("use-chips dense outlined")
            select.classes("full-width")
            with ui.element("div").classes("sh-bar"):
                ui.button("Show", on_click=lambda: self._show(select.value)).props("dense")
                ui.button("As at first", on_click=lambda: self._show([])).props("flat dense")
                ui.button("Cancel", on_click=dialog.close).props("flat dense")
        ui.button("Columns", on_click=dialog.open).props("flat dense no-caps size=13px")

    def _all_columns(self) -> list[str]:
        facts = [column for column in grid.FACTS if column != "run_id"]
        more = [f"{kind}:{name}" for kind, name, *_ in self.names.rows]
        last = [f"last:{name}" for kind, name, *_ in self.names.rows if kind == "metric"]
        return list(dict.fromkeys([*self.columns, *facts, *more, *last]))

    def _show(self, columns: list[str]) -> None:
        """Open the page with other columns; the rest of the address stays."""
        reload_with(cols=join(columns))

    def _options(self) -> dict[str, Any]:
        numeric = {
            f"{kind}:{name}": True for kind, name, *_ in self.names.rows if kind != "param"
        } | {f"last:{name}": True for kind, name, *_ in self.names.rows if kind == "metric"}
        numeric |= {f"param:{name}": True for name in self._numeric_params()}
        return {
            "columnDefs": grid.definitions(self.columns, numeric),
            "context": {"columns": self.columns},
            "defaultColDef": {
                "sortable": True,
                "resizable": True,
                "width": 125,
                "minWidth": 70,
                "cellDataType": False,
            },
            "rowData": [],
            "rowSelection": {
                "mode": "multiRow",
                "selectAll": "filtered",
                "enableClickSelection": True,
                "enableSelectionWithoutKeys": False,
            },
            "selectionColumnDef": {"pinned": "left", "width": 44},
            "rowHeight": 32,
            "headerHeight": 36,
            "animateRows": False,
            "cacheQuickFilter": True,
            "includeHiddenColumnsInQuickFilter": True,
            "suppressFieldDotNotation": True,
            "suppressColumnVirtualisation": False,
            "tooltipShowDelay": 600,
            "overlayNoRowsTemplate": "<span>no such run</span>",
            ":getRowId": "params => params.data.c0",
            ":isExternalFilterPresent": "sweephouse.isFiltered",
            ":doesExternalFilterPass": "sweephouse.passes",
            ":onGridReady": "event => sweephouse.ready(event.api)",
            ":onSelectionChanged": "sweephouse.selectionChanged",
            ":onFilterChanged": "sweephouse.filterChanged",
            ":onSortChanged": "sweephouse.sortChanged",
        }

    def _numeric_params(self) -> list[str]:
        names = [c.partition(":")[2] for c in self.columns if c.startswith("param:")]
        return [name for (name,) in self.site.feed.ask("numeric_params", names=names).rows]

    def _draw_panels(self) -> None:
        tab = "params" if self.query.get("tab") == "params" else "curves"
        self.tab = tab
        with ui.element("div").classes("sh-panel"):
            with ui.tabs(on_change=self._tab).props("dense align=left no-caps") as tabs:
                first = ui.tab("curves", "Curves")
                second = ui.tab("params", "Params")
            shown = second if tab == "params" else first
            with ui.tab_panels(tabs, value=shown, animated=False, keep_alive=False):
                with ui.tab_panel("curves"):
                    self.curves = CurvesPanel(self.site, self.query)
                    self.curves.draw()
                with ui.tab_panel("params"):
                    self.params = ParamsPanel(self.site, self.query, self.names)
                    self.params.draw()

    async def _tab(self, event: Any) -> None:
        self.tab = event.value
        keep(tab="" if event.value == "curves" else event.value)
        if event.value == "params":
            self.params.only = await ui.run_javascript("return sweephouse.shownIds()", timeout=5)
        await self._update()

    async def _choose(self, event: Any) -> None:
        there = self.site.feed.run_ids
        self.chosen = [run_id for run_id in event.args or [] if run_id in there]
        self.actions.update()
        await self._update()

    async def _filter(self, event: Any) -> None:
        self.params.only = event.args
        if self.tab == "params":
            await self._update()

    async def _update(self) -> None:
        if self.tab == "curves":
            await self.curves.show(self.chosen)
        else:
            await self.params.show(self.chosen)

    async def _change(self, change: Change) -> None:
        """Something is new: the grid fetches it, and curves of runs that train move."""
        ui.run_javascript("sweephouse.refresh()")
        if self.tab == "curves" and (not self.chosen or change.changed & set(self.chosen)):
            await self.curves.show(self.chosen)


def _label(column: str) -> str:
    kind, colon, name = column.partition(":")
    return f"{kind}: {name}" if colon and column not in grid.FACTS else grid.FACTS[column]
