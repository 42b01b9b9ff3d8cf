"""SQL: an editor, the worked queries, the result as a grid and as a chart."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from typing import Any

from nicegui import ui
from starlette.requests import Request

from runner.errors import WarehouseError
from warehouse.page import charts
from warehouse.page.address import keep
from warehouse.page.curves_panel import draw
from warehouse.page.feed import Answer, Feed
from warehouse.page.grid import plain
from warehouse.page.site import PATIENCE, TOOL, Site, text
from warehouse.worked import questions

LIMIT = 1000
MOST_ROWS = 1_000_000
FIRST = "FROM leaderboard\nORDER BY monitor, rank\nLIMIT 20"
CHARTS = {"none": "no chart", "line": "line", "scatter": "scatter", "bar": "bar"}


def add(site: Site) -> None:
    """The page /sql."""

    @ui.page("/sql", response_timeout=PATIENCE)
    async def sql(request: Request) -> None:
        await site.arrive()
        with site.frame("SQL", here="/sql"):
            await SqlPage(site, request.query_params.get("query", "")).draw()


def worked() -> dict[str, str]:
    """Name -> text of the worked queries."""
    return {name: question.sql.strip() for name, question in questions().items()}


def completions(feed: Feed) -> list[dict[str, str]]:
    """What the editor completes: tables, columns, macros, each with its comment."""
    options: dict[str, dict[str, str]] = {}
    for word, kind, comment, owner in feed.ask("words").rows:
        detail = f"{kind} of {owner}" if owner else kind
        if word in options:
            options[word]["detail"] += f", {owner}" if owner else ""
            continue
        kinds = {"column": "property", "macro": "function"}
        options[word] = {
            "label": word,
            "type": kinds.get(kind, "class"),
            "detail": detail,
            "info": comment or "",
        }
    return list(options.values())


class SqlPage:
    """One visitor's query and its answer."""

    def __init__(self, site: Site, query: str) -> None:
        self.site = site
        self.text = query or FIRST
        self.answer: Answer | None = None
        self.wish = {"kind": "none", "x": "", "y": "", "by": ""}

    async def draw(self) -> None:
        """The editor; a query that came with the address runs only when somebody says so."""
        queries = await asyncio.to_thread(worked)
        with ui.element("div").classes("sh-panel"):
            with ui.element("div").classes("sh-bar"):
                with ui.button("Worked queries", icon="menu_book").props(TOOL), ui.menu():
                    for name, query in queries.items():
                        ui.menu_item(name.replace("_", " "), lambda query=query: self._take(query))
                with ui.button("Tables", icon="table_chart").props(TOOL), ui.menu():
                    for word, kind, *_ in (await self.site.ask("words")).rows:
                        if kind in ("table", "view"):
                            ui.menu_item(word, lambda w=word: self._take(f"FROM {w}\nLIMIT 100"))
                ui.space()
                self.limit = ui.number("rows", value=LIMIT, min=1, max=100_000, format="%d")
                self.limit.props("dense outlined").style("width: 100px")
            self.editor = ui.codemirror(
                self.text, language="SQL", on_change=self._typed, line_wrapping=True
            ).classes("sh-editor")
            words = json.dumps(await asyncio.to_thread(completions, self.site.feed))
            ui.run_javascript(f"sweephouse.complete({self.editor.id}, {words})")
            with ui.element("div").classes("sh-bar"):
                self.button = ui.button("Run  (Ctrl+Enter)", on_click=self._run).props(
                    "dense no-caps"
                )
                ui.button("CSV", icon="download", on_click=self._csv).props(TOOL)
                ui.button("Parquet", icon="download", on_click=self._parquet).props(TOOL)
                self.hint = ui.label().classes("sh-hint")
            self.editor.on("keydown.ctrl.enter", self._run)
        self.problem = ui.element("div").classes("sh-panel")
        self.problem.set_visibility(False)
        self.result = ui.element("div").classes("sh-panel")
        self.result.set_visibility(False)

    def _typed(self, event: Any) -> None:
        self.text = event.value

    async def _take(self, query: str) -> None:
        self.text = query
        self.editor.set_value(query)
        await self._run()

    async def _run(self) -> None:
        query, limit = self.text, int(self.limit.value or LIMIT)
        keep(query=query if len(query) < 4000 else "")
        self.button.props("loading")
        try:
            self.answer = await asyncio.to_thread(self.site.feed.ask_freely, query, limit)
        except WarehouseError as error:
            self.answer = None
            self._show_problem(str(error))
            return
        finally:
            self.button.props(remove="loading")
        self.problem.set_visibility(False)
        self._show()

    def _show_problem(self, sentence: str) -> None:
        self.hint.text = ""
        self.result.set_visibility(False)
        self.problem.clear()
        with self.problem:
            ui.html(f"<pre class='sh-pre sh-failed'>{text(sentence)}</pre>", sanitize=False)
        self.problem.set_visibility(True)

    def _show(self) -> None:
        answer = self.answer
        assert answer is not None
        more = ", and there are more" if answer.is_cut else ""
        self.hint.text = f"{len(answer.rows):,} rows{more}, {answer.seconds:.2f} s"
        self.result.clear()
        self.result.set_visibility(bool(answer.columns))
        with self.result:
            self._draw_choice(answer)
            self.chart = ui.echart({"series": []}).classes("sh-chart")
            self._draw_chart()
            ui.aggrid(
                {
                    "columnDefs": _definitions(answer),
                    "rowData": [
                        {f"c{place}": plain(value) for place, value in enumerate(row)}
                        for row in answer.rows
                    ],
                    "defaultColDef": {
                        "sortable": True,
                        "resizable": True,
                        "filter": True,
                        "cellDataType": False,
                    },
                    "suppressFieldDotNotation": True,
                    "enableCellTextSelection": True,
                    "rowHeight": 32,
                    "headerHeight": 36,
                },
                auto_size_columns=False,
            ).classes("sh-grid sh-answer")

    def _draw_choice(self, answer: Answer) -> None:
        numbers = [
            name
            for name, kind in zip(answer.columns, answer.types, strict=True)
            if is_number(kind)
        ]
        wish = self.wish
        if wish["x"] not in answer.columns:
            wish["x"] = answer.columns[0] if answer.columns else ""
        if wish["y"] not in numbers:
            wish["y"] = next((n for n in numbers if n != wish["x"]), "")
        if wish["by"] not in answer.columns:
            wish["by"] = ""
        with ui.element("div").classes("sh-bar"):
            ui.toggle(CHARTS, value=wish["kind"]).props(
                "dense no-caps unelevated size=12px"
            ).on_value_change(lambda e: self._wish("kind", e.value))
            for name, choices in (
                ("x", answer.columns),
                ("y", numbers),
                ("by", ["", *answer.columns]),
            ):
                ui.select(
                    {c: c or "none" for c in dict.fromkeys(choices)},
                    value=wish[name] if wish[name] in choices else None,
                    label=name,
                ).props("dense outlined").style("min-width: 130px").on_value_change(
                    lambda e, name=name: self._wish(name, e.value or "")
                )

    def _wish(self, name: str, value: str) -> None:
        self.wish[name] = value
        self._draw_chart()

    def _draw_chart(self) -> None:
        self.chart.set_visibility(self.wish["kind"] != "none")
        if self.answer is not None and self.wish["kind"] != "none" and self.wish["y"]:
            draw(self.chart, chart_of(self.answer, **self.wish))

    async def _csv(self) -> None:
        answer = await self._all()
        if answer is not None:
            out = io.StringIO()
            writer = csv.writer(out)
            writer.writerow(answer.columns)
            writer.writerows([[plain(value) for value in row] for row in answer.rows])
            ui.download.content(out.getvalue(), "query.csv", "text/csv")

    async def _parquet(self) -> None:
        try:
            content = await asyncio.to_thread(self.site.feed.parquet, self.text, MOST_ROWS)
        except WarehouseError as error:
            ui.notify(str(error), type="negative")
            return
        ui.download.content(content, "query.parquet", "application/vnd.apache.parquet")

    async def _all(self) -> Answer | None:
        """The answer without the limit of what is shown."""
        try:
            return await asyncio.to_thread(self.site.feed.ask_freely, self.text, MOST_ROWS)
        except WarehouseError as error:
            ui.notify(str(error), type="negative")
            return None


def _definitions(answer: Answer) -> list[dict[str, Any]]:
    """The grid's columns; their fields are called by their places."""
    defined = []
    for place, (name, kind) in enumerate(zip(answer.columns, answer.types, strict=True)):
        each: dict[str, Any] = {"field": f"c{place}", "headerName": name, "headerTooltip": kind}
        if is_number(kind):
            each |= {"type": "rightAligned", ":valueFormatter": "sweephouse.number"}
        elif name == "run_id":
            each[":cellRenderer"] = "sweephouse.link"
        defined.append(each)
    return defined


def is_number(kind: str) -> bool:
    """Whether DuckDB's name of a type is that of a number."""
    return kind.split("(")[0] in {
        "NUMBER", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "UTINYINT", "USMALLINT",
        "UINTEGER", "UBIGINT", "UHUGEINT", "FLOAT", "DOUBLE", "DECIMAL",
    }  # fmt: skip


def chart_of(answer: Answer, kind: str, x: str, y: str, by: str) -> dict[str, Any]:
    """The answer as a line, a scatter or bars, one series for each value of `by`."""
    at_x, at_y = answer.columns.index(x), answer.columns.index(y)
    numeric = is_number(answer.types[at_x]) and kind != "bar"
    groups: dict[str, list[list[Any]]] = {}
    for row in answer.rows:
        group = str(plain(row[answer.columns.index(by)])) if by else y
        value = plain(row[at_y])
        where = plain(row[at_x])
        if isinstance(value, str) or (numeric and isinstance(where, str)):
            continue
        groups.setdefault(group, []).append([where if numeric else str(where), value])
    names = list(groups)[: charts.MOST_IN_LEGEND]
    if numeric and kind == "line":
        for name in names:
            groups[name].sort(key=lambda point: (point[0] is None, point[0]))
    options = charts.base(
        xAxis=charts.axis(x) if numeric else charts.axis(x, "category", nameGap=32),
        yAxis=charts.axis(y, nameGap=48),
        legend={
            "show": len(names) > 1,
            "type": "scroll",
            "top": 0,
            "textStyle": {"color": charts.GREY},
        },
        series=[
            {
                "type": kind,
                "name": name,
                "data": groups[name],
                "showSymbol": len(groups[name]) < 80,
            }
            for name in names
        ],
    )
    options["grid"]["top"] = 36
    return options
