"""One run: what it was, what came of it, and how to use it again."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import ui
from starlette.requests import Request

from runner.errors import WarehouseError
from warehouse.lookup import find_run
from warehouse.page import run_charts
from warehouse.page.artifacts import IMAGES, TEXTS, content_of, path_of
from warehouse.page.curves_panel import CurvesPanel
from warehouse.page.feed import Change, Feed, Table
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

PARTS = (
    "facts",
    "outcomes",
    "evaluations",
    "classes",
    "components",
    "layers",
    "tensors",
    "weights",
    "artifacts",
    "evaluators",
    "failure",
    "notes",
    "lineage",
    "confusion",
    "points",
    "worst",
    "by_epoch",
    "system",
)
LONGEST_TEXT = 100_000
MOST_ROWS = 500
COMMANDS = (
    "python -m runner replay {run}",
    "python -m runner restore {run} --to model.keras",
    "python -m runner predict {run} --source new.csv --to predictions.parquet",
    "python -m warehouse show {run}",
)


def add(site: Site) -> None:
    """The page /run/ID."""

    @ui.page("/run/{name}", response_timeout=PATIENCE)
    async def run(name: str, request: Request) -> None:
        await site.arrive()
        try:
            run_id = await asyncio.to_thread(find, site.feed, name)
        except WarehouseError as error:
            with site.frame("No such run"):
                empty(str(error))
            return
        with site.frame(f"Run {short(run_id)}"):
            page = RunPage(site, run_id, request.query_params.get("other", ""))
            await page.draw()


def find(feed: Feed, name: str) -> str:
    """The full id of a run. Raises WarehouseError where the name is none's or several runs'."""
    with feed.cursor() as cursor:
        return find_run(cursor, name)


class RunPage:
    """All that is known of one run."""

    def __init__(self, site: Site, run_id: str, other: str) -> None:
        self.site = site
        self.run_id = run_id
        self.other = other
        self.parts: dict[str, Table] = {}
        self.drawn: dict[str, ui.echart] = {}

    async def draw(self) -> None:
        """The parts that there are."""
        await self._read()
        self._head()
        self.live = ui.element("div").classes("sh-panel")
        with self.live:
            self.curves = CurvesPanel(self.site, {})
            self.curves.draw()
        await self.curves.show([self.run_id])
        with ui.element("div").classes("sh-two"):
            self._panel("Facts", self._facts)
            await self._params()
        self._charts()
        self.moving = ui.element("div").classes("sh-two")
        self._move()
        self._tables()
        self._files()
        self._commands()
        self.site.listen(self._change)

    async def _read(self) -> None:
        for part in PARTS:
            self.parts[part] = await self.site.ask(f"run_{part}", run=self.run_id)

    async def _change(self, change: Change) -> None:
        if self.run_id not in change.changed:
            return
        before = self.parts["facts"].rows
        await self._read()
        await self.curves.show([self.run_id])
        self._move()
        self.head.refresh()
        if before and before[0][0] != self.parts["facts"].rows[0][0]:
            ui.navigate.reload()  # it has ended: evaluations and files are there now

    def _head(self) -> None:
        @ui.refreshable
        def head() -> None:
            fact = self.parts["facts"].by_name()[0]
            with ui.element("div").classes("sh-bar"):
                ui.label(f"Run {short(self.run_id)}").classes("sh-title")
                ui.label(fact["status"]).classes(f"sh-{fact['status']}").style("font-weight: 600")
                ui.label(fact["experiment"] or "")
                if fact["epochs"]:
                    ui.label(f"epochs: {fact['epochs']}, seconds: {fact['seconds'] or 0:.4g}")
                if fact["sweep_id"]:
                    ui.link("its sweep", sweep_path(fact["sweep_id"]))
            for kind, words in ((row[1], row[2]) for row in self.parts["notes"].rows):
                ui.label(f"{kind}: {words}").classes("sh-hint")
            if fact["error"]:
                ui.label(fact["error"]).classes("sh-failed")

        self.head = head
        head()
        failure = self.parts["failure"].rows
        if failure and failure[0][1]:
            with ui.element("div").classes("sh-panel"):
                heading("Traceback")
                _pre(failure[0][1])

    def _panel(self, title: str, fill: Any) -> None:
        with ui.element("div").classes("sh-panel"):
            heading(title)
            fill()

    def _facts(self) -> None:
        fact = self.parts["facts"].by_name()[0]
        rows = [
            (name.replace("_", " "), value)
            for name, value in fact.items()
            if value not in (None, [], {}) and name not in ("status", "error")
        ]
        table(("", ""), rows, classes="sh-facts")

    async def _params(self) -> None:
        other = None
        sentence = ""
        if self.other:
            try:
                other = await asyncio.to_thread(find, self.site.feed, self.other)
            except WarehouseError as error:
                sentence = str(error)
        rows = (await self.site.ask("run_params", run=self.run_id, other=other)).rows
        with ui.element("div").classes("sh-panel"):
            heading("Config")
            with ui.element("div").classes("sh-bar"):
                box = ui.input("beside another run (id)", value=self.other).props("dense outlined")
                box.on(
                    "keydown.enter",
                    lambda: ui.navigate.to(f"{run_path(self.run_id)}?other={box.value}"),
                )
            if sentence:
                ui.label(sentence).classes("sh-failed")
            if other is None:
                table(("param", "value"), [row[:2] for row in rows])
            else:
                differing = [row[:3] for row in rows if row[3]]
                ui.label(f"{len(differing)} of {len(rows)} params differ").classes("sh-hint")
                table(("param", "this run", short(other)), differing, classes="sh-differs")
                with ui.expansion("the same in both").props("dense"):
                    table(("param", "value"), [row[:2] for row in rows if not row[3]])

    def _tables(self) -> None:
        with ui.element("div").classes("sh-two"):
            for part, title in (
                ("outcomes", "Metrics"),
                ("evaluations", "Evaluations"),
                ("classes", "Classes"),
                ("components", "Components"),
                ("weights", "Weights"),
                ("lineage", "Lineage"),
                ("worst", "Worst examples"),
                ("evaluators", "Evaluators"),
            ):
                self._table(part, title)
        for part, title in (("layers", "Layers"), ("tensors", "Weight statistics")):
            self._table(part, title)

    def _table(self, part: str, title: str) -> None:
        answer = self.parts[part]
        if not answer.rows:
            return
        keep = [
            place
            for place, _ in enumerate(answer.columns)
            if any(row[place] is not None for row in answer.rows)
        ]
        links = {
            at: run_path for at, place in enumerate(keep) if answer.columns[place] == "run_id"
        }
        with ui.element("div").classes("sh-panel"):
            heading(title)
            if len(answer.rows) > MOST_ROWS:
                ui.label(f"the first {MOST_ROWS} of {len(answer.rows)}").classes("sh-hint")
            table(
                [answer.columns[place].replace("_", " ") for place in keep],
                [[row[place] for place in keep] for row in answer.rows[:MOST_ROWS]],
                links=links,
            )

    def _charts(self) -> None:
        """Those of one split, the test if there is one; the others a click away."""
        by_split = run_charts.by_split(self.parts["confusion"].rows, self.parts["points"].rows)
        splits = sorted(by_split, key=lambda split: (split != "test", split != "val", split))
        if splits:
            _draw_all(by_split[splits[0]])
        for split in splits[1:]:
            with ui.expansion(f"The same on {split}").props("dense").classes("full-width"):
                _draw_all(by_split[split])

    def _move(self) -> None:
        """Draw what a run adds to while it trains; charts that are there get their new points."""
        charts = run_charts.by_epoch(self.parts["by_epoch"].rows)
        charts += run_charts.system(self.parts["system"].rows)
        for title, options in charts:
            name = title.partition(",")[0]
            if (chart := self.drawn.get(name)) is not None:
                chart.options.update(options)
                chart.update()
                continue
            with self.moving:
                self.drawn[name] = _draw(title, options)

    def _files(self) -> None:
        for number, (kind, uri, size) in enumerate(self.parts["artifacts"].rows):
            address = f"/artifact/{self.run_id}/{number}"
            path = path_of(self.site.feed, uri or "")
            suffix = path.suffix.lower() if path else ""
            with ui.element("div").classes("sh-panel"):
                heading(f"{kind} ({size or 0:,} bytes)")
                if suffix in IMAGES:
                    ui.html(f"<img class='sh-image' src='{text(address)}' alt=''>", sanitize=False)
                elif path and suffix in TEXTS and (content := content_of(path, LONGEST_TEXT)):
                    _pre(content.decode("utf-8", "replace"))
                else:
                    ui.link("download", address)

    def _commands(self) -> None:
        with ui.element("div").classes("sh-panel"):
            heading("Use it again")
            for command in COMMANDS:
                copyable(command.format(run=self.run_id))


def _draw_all(charts: list[run_charts.Titled]) -> None:
    with ui.element("div").classes("sh-two"):
        for title, options in charts:
            _draw(title, options)


def _draw(title: str, options: dict[str, Any]) -> ui.echart:
    with ui.element("div").classes("sh-panel"):
        heading(title)
        return ui.echart(options).classes("sh-chart sh-small")


def _pre(words: str) -> None:
    ui.html(f"<pre class='sh-pre'>{text(words)}</pre>", sanitize=False)
