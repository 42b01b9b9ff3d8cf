"""Several runs beside each other: what differs first, then what came of it."""

from __future__ import annotations

import asyncio
from typing import Any

from nicegui import ui
from starlette.requests import Request

from runner.errors import WarehouseError
from warehouse.page.address import split
from warehouse.page.curves_panel import CurvesPanel
from warehouse.page.feed import Change
from warehouse.page.run_page import find
from warehouse.page.site import PATIENCE, Site, empty, heading, run_path, short, table, text

MOST = 50
TITLES = {
    "param": "Params",
    "data": "Data",
    "component": "Components",
    "code": "Code and machine",
    "version": "Versions",
    "outcome": "Outcomes",
}


def add(site: Site) -> None:
    """The page /compare?runs=a,b,c."""

    @ui.page("/compare", response_timeout=PATIENCE)
    async def compare(request: Request) -> None:
        await site.arrive()
        names = split(request.query_params.get("runs", ""))[:MOST]
        with site.frame("Compare"):
            runs, problems = await asyncio.to_thread(_find_all, site, names)
            for sentence in problems:
                ui.label(sentence).classes("sh-failed")
            if len(runs) < 2:
                empty("Choose two runs or more in the grid, then press Compare.")
                return
            await _draw(site, runs, request)


def _find_all(site: Site, names: list[str]) -> tuple[list[str], list[str]]:
    runs: list[str] = []
    problems: list[str] = []
    for name in names:
        try:
            run_id = find(site.feed, name)
        except WarehouseError as error:
            problems.append(str(error))
            continue
        if run_id not in runs:
            runs.append(run_id)
    return runs, problems


async def _draw(site: Site, runs: list[str], request: Request) -> None:
    facts = await site.ask("compare_facts", runs=runs)
    kinds: dict[str, dict[str, dict[str, Any]]] = {}
    for _, kind, name, run_id, value in facts.rows:
        kinds.setdefault(kind, {}).setdefault(name, {})[run_id] = value
    ui.label(f"{len(runs)} runs").classes("sh-title")
    same: list[tuple[str, str, Any]] = []
    for kind, title in TITLES.items():
        differing = []
        for name, values in kinds.get(kind, {}).items():
            row = [values.get(run_id) for run_id in runs]
            if kind != "outcome" and len(set(row)) == 1:
                same.append((kind, name, row[0]))
            else:
                differing.append((name, row))
        if differing:
            with ui.element("div").classes("sh-panel"):
                heading(title)
                _table(runs, differing)
    with ui.element("div").classes("sh-panel"):
        curves = CurvesPanel(site, request.query_params)
        curves.draw()
    await curves.show(runs)
    with ui.element("div").classes("sh-panel"), ui.expansion(f"{len(same)} facts are the same"):
        table(("kind", "name", "value"), same)

    async def change(news: Change) -> None:
        if news.changed & set(runs):
            await curves.show(runs)

    site.listen(change)


def _table(runs: list[str], rows: list[tuple[str, list[Any]]]) -> None:
    head = "".join(f"<th><a href='{text(run_path(r))}'>{text(short(r))}</a></th>" for r in runs)
    body = "".join(
        f"<tr><td>{text(name)}</td>" + "".join(f"<td>{text(_number(v))}</td>" for v in row)
        for name, row in rows
    )
    ui.html(
        f"<table class='sh-table'><thead><tr><th></th>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>",
        sanitize=False,
    ).classes("sh-scroll")


def _number(value: Any) -> Any:
    """A number that came as text, with as many digits as people read."""
    try:
        return float(value) if "." in value or "e" in value else value
    except (TypeError, ValueError):
        return value
