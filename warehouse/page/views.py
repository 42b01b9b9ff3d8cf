"""Saved views: addresses with a name, in one file of the results folder."""

from __future__ import annotations

import json
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from nicegui import ui

from runner.errors import WarehouseError
from runner.system.paths import open_plain
from warehouse.page.site import TOOL, Site

FILE = "page-views.json"
MOST = 200
LONGEST = 1_000_000
"""Bytes of the file that are read."""


def saved(folder: Path) -> dict[str, str]:
    """Name -> address; empty where there is no such file, or none of ours."""
    try:
        with open_plain(folder / FILE) as file:
            content = json.loads(file.read(LONGEST))
    except (OSError, ValueError):
        return {}
    if not isinstance(content, dict):
        return {}
    return {
        name: address
        for name, address in content.items()
        if isinstance(address, str) and address.startswith("/?")
    }


def save(folder: Path, name: str, address: str | None) -> None:
    """Keep an address under a name, or forget it. Raises WarehouseError where that fails."""
    views = saved(folder)
    views.pop(name, None)
    if address is not None:
        if len(views) >= MOST:
            raise WarehouseError(f"there are {MOST} views already; forget one first")
        views[name] = address
    draft = None
    try:
        with tempfile.NamedTemporaryFile("w", dir=folder, delete=False, encoding="utf-8") as file:
            draft = file.name
            json.dump(views, file, ensure_ascii=False, indent=1)
        os.replace(draft, folder / FILE)
    except OSError as error:
        if draft is not None:
            with suppress(OSError):
                Path(draft).unlink()
        raise WarehouseError(f"the view cannot be saved in {folder} ({error.strerror})") from error


class Views:
    """The menu of saved views."""

    def __init__(self, site: Site) -> None:
        self.folder = site.feed.place.folder

    def draw(self) -> None:
        """A button with a menu."""
        with (
            ui.button("Views").props(TOOL),
            ui.menu(),
        ):
            self._list()

    @ui.refreshable_method
    def _list(self) -> None:
        for name, address in sorted(saved(self.folder).items()):
            with ui.element("div").classes("sh-bar").style("padding: 2px 8px; flex-wrap: nowrap"):
                ui.link(name, address).classes("sh-nav").style("padding: 6px")
                ui.space()
                ui.button(icon="close", on_click=lambda n=name: self._keep(n, None)).props(
                    "flat dense round size=xs"
                )
        with ui.element("div").classes("sh-bar").style("padding: 8px; flex-wrap: nowrap"):
            box = ui.input("save this view as").props("dense outlined")
            ui.button("Save", on_click=lambda: self._save(box.value)).props("dense flat")

    async def _save(self, name: str) -> None:
        if not name.strip():
            ui.notify("the view needs a name", type="warning")
            return
        query = await ui.run_javascript("return location.search")
        self._keep(name.strip(), f"/{query or '?'}")

    def _keep(self, name: str, address: str | None) -> None:
        try:
            save(self.folder, name, address)
        except WarehouseError as error:
            ui.notify(str(error), type="negative")
            return
        self._list.refresh()
