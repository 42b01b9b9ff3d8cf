"""What the pages share: the feed, who is looking, and the frame around every page."""

from __future__ import annotations

import asyncio
import html
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nicegui import Client, ui

from runner.errors import WarehouseError
from warehouse.lookup import SHORT
from warehouse.page.feed import Change, Feed, Table
from warehouse.page.grid import plain

Listener = Callable[[Change], Awaitable[None]]
PATIENCE = 30.0
"""Seconds that a page may take to be drawn."""
PAGES = {"/": "Runs", "/sweeps": "Sweeps", "/sql": "SQL"}
HEAD = '<link rel="stylesheet" href="/assets/page.css"><script src="/assets/page.js"></script>'
TOOL = "flat dense no-caps size=13px"
ICON = "flat dense round"
"""How a button looks that is an icon alone."""
KEYS = (
    ("/", "search"),
    ("j  k", "next, previous run"),
    ("x", "choose the run, or leave it"),
    ("Enter", "open the run"),
    ("c", "compare the chosen runs"),
    ("Esc", "clear the search, then the choice"),
)


@dataclass
class Visit:
    """A page that is open now."""

    client: Client
    problem: ui.label
    """Why the newest state cannot be shown, if it cannot."""
    seen: int
    """The generation that it shows."""
    listener: Listener | None = None


class Site:
    """The feed, and the pages that are open now."""

    def __init__(self, feed: Feed) -> None:
        self.feed = feed
        self._visits: dict[str, Visit] = {}

    @property
    def has_visitors(self) -> bool:
        """Whether a page is open anywhere."""
        return bool(self._visits)

    async def arrive(self) -> None:
        """See to it that a page begins with the newest state: nobody looks while none is open."""
        if not self._visits:
            with suppress(WarehouseError):  # it can be read once more than it can be now
                await asyncio.to_thread(self.feed.refresh)

    def listen(self, listener: Listener) -> None:
        """Tell this page of every change until it is closed."""
        self._visits[ui.context.client.id].listener = listener

    async def tell(self) -> None:
        """Tell every open page what has changed since it was told last."""
        for visit in list(self._visits.values()):
            if not visit.client.has_socket_connection:  # it may come, or come back
                continue
            with visit.client:
                _show_problem(visit.problem, self.feed.problem)
                if visit.seen < self.feed.generation:
                    change = self.feed.changes(visit.seen)
                    visit.seen = self.feed.generation
                    if visit.listener is not None:
                        await visit.listener(change)

    async def ask(self, name: str, /, **values: Any) -> Table:
        """The answer to one of our questions, while the server goes on with others."""
        return await asyncio.to_thread(self.feed.ask, name, **values)

    @contextmanager
    def frame(self, title: str, *, here: str = "") -> Iterator[None]:
        """The page around what a page shows."""
        ui.page_title(f"{title} · Sweephouse")
        ui.add_head_html(HEAD)
        dark = ui.dark_mode(None)
        ui.colors(primary="#3b6fd4")
        with ui.header().classes("sh-header"):
            ui.link("Sweephouse", "/").classes("sh-brand")
            for path, name in PAGES.items():
                ui.link(name, path).classes("sh-nav" + (" sh-here" if path == here else ""))
            ui.space()
            ui.label(self.feed.place.folder.name).classes("sh-folder").tooltip(
                str(self.feed.place.folder)
            )
            _keys_button()
            button = ui.button(icon="contrast").props(
                "flat dense round aria-label='dark or light'"
            )
            button.on("click", js_handler="() => sweephouse.toggleDark()")
            button.tooltip("dark or light")
        ui.on("sh-dark", lambda event: dark.set_value(event.args))
        ui.run_javascript("sweephouse.startTheme()")
        problem = ui.label().classes("sh-problem")
        problem.set_visibility(False)
        _show_problem(problem, self.feed.problem)
        client = ui.context.client
        self._visits[client.id] = Visit(client, problem, self.feed.generation)
        client.on_delete(lambda: self._visits.pop(client.id, None))
        with ui.element("main").classes("sh-main"):
            yield


def _keys_button() -> None:
    button = ui.button(icon="keyboard").props(ICON + " aria-label=keys").classes("sh-wide")
    rows = "".join(f"<tr><td><kbd>{key}</kbd><td>{does}" for key, does in KEYS)
    with button, ui.menu(), ui.element("div").classes("sh-keys"):
        ui.html(f"<table>{rows}</table>", sanitize=False)


def _show_problem(label: ui.label, problem: str) -> None:
    label.text = problem
    label.set_visibility(bool(problem))


def short(run_id: str) -> str:
    """The tail by which people call a run."""
    return run_id[-SHORT:]


def run_path(run_id: str) -> str:
    """Where a run is shown."""
    return f"/run/{quote(run_id, safe='')}"


def sweep_path(sweep_id: str) -> str:
    """Where a sweep is shown."""
    return f"/sweep/{quote(sweep_id, safe='')}"


def text(value: Any) -> str:
    """A value as escaped HTML."""
    if isinstance(value, float):
        return html.escape(f"{value:.6g}")
    shown = plain(value)
    return "" if shown is None else html.escape(str(shown))


def table(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    classes: str = "",
    links: Mapping[int, Callable[[str], str]] | None = None,
) -> None:
    """A small table; every value is escaped.

    links: place of a column -> address of what its values name.
    """
    first = rows[0] if rows else [None] * len(columns)
    head = "".join(
        f"<th class='{'sh-number' if _is_number(value) else ''}'>{text(column)}</th>"
        for column, value in zip(columns, first, strict=True)
    )
    body = "".join(
        "<tr>"
        + "".join(_cell(value, (links or {}).get(place)) for place, value in enumerate(row))
        + "</tr>"
        for row in rows
    )
    ui.html(
        f"<table class='sh-table {classes}'><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>",
        sanitize=False,
    ).classes("sh-scroll")


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _cell(value: Any, link: Callable[[str], str] | None) -> str:
    shown = text(value)  # quotes are escaped, too
    if link is not None and value is not None:
        target = html.escape(link(str(value)), quote=True)
        shown = f"<a href='{target}' title='{shown}'>{text(short(str(value)))}</a>"
    return f"<td class='sh-number'>{shown}</td>" if _is_number(value) else f"<td>{shown}</td>"


def heading(words: str) -> None:
    """A heading inside of a page."""
    ui.label(words).classes("sh-heading")


def empty(words: str, command: str = "") -> None:
    """What stands where nothing is to be seen yet, and the command that changes it."""
    with ui.element("div").classes("sh-empty"):
        ui.label(words)
        if command:
            copyable(command)


def copyable(command: str) -> None:
    """A command, with a button that copies it."""
    with ui.element("div").classes("sh-command"):
        ui.html(f"<code>{html.escape(command)}</code>", sanitize=False)
        ui.button(icon="content_copy", on_click=lambda: _copy(command)).props(
            "flat dense round size=sm aria-label=copy"
        )


def _copy(command: str) -> None:
    ui.clipboard.write(command)
    ui.notify("copied")
