"""Tag, note, name and delete runs from the page: the same records as the commands write."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from nicegui import ui

from runner.errors import WarehouseError
from warehouse.aliases import in_turn, name_runs
from warehouse.care import entry, record
from warehouse.page.address import join
from warehouse.page.site import TOOL, Site, short

DONE = {"tag": "tagged", "untag": "untagged", "note": "noted", "delete": "deleted"}


class Actions:
    """The buttons, and what they ask before they do it."""

    def __init__(self, site: Site, chosen: Callable[[], Sequence[str]]) -> None:
        self.site = site
        self.chosen = chosen
        self._buttons: list[ui.button] = []

    def draw(self) -> None:
        """Buttons, of which none can be pressed before a run is chosen."""
        self._add("Compare", "compare_arrows", self._compare)
        self._add("Tag", "sell", lambda: self._ask("tag", "Tag", "the tag"))
        self._add("Alias", "alternate_email", self._ask_alias)
        self._add("Note", "edit_note", lambda: self._ask("note", "Write a note", "the note"))
        self._add("Delete", "delete", self._ask_to_delete)
        self.update()

    def _add(self, name: str, icon: str, do: Callable[[], None]) -> None:
        button = ui.button(name, icon=icon, on_click=do).props(TOOL)
        self._buttons.append(button)

    def update(self) -> None:
        """Make the buttons fit what is chosen."""
        count = len(self.chosen())
        for button in self._buttons:
            button.set_enabled(count > (1 if button.text == "Compare" else 0))

    def _compare(self) -> None:
        ui.navigate.to(f"/compare?runs={join(list(self.chosen()[:50]))}")

    def _ask(self, action: str, title: str, what: str) -> None:
        runs = list(self.chosen())
        with ui.dialog(value=True) as dialog, ui.card().style("width: 420px; max-width: 95vw"):
            ui.label(f"{title}: {_count(runs)}").classes("sh-heading")
            text = ui.input(what).props("autofocus dense outlined").classes("full-width")
            with ui.element("div").classes("sh-bar"):

                async def do(kind: str) -> None:
                    if not text.value.strip():
                        ui.notify(f"{what} is empty", type="warning")
                        return
                    dialog.close()
                    await self._record(kind, runs, text.value.strip())

                ui.button(title, on_click=lambda: do(action)).props("dense")
                if action == "tag":
                    ui.button("Take it away", on_click=lambda: do("untag")).props("flat dense")
                ui.button("Cancel", on_click=dialog.close).props("flat dense")
            text.on("keydown.enter", lambda: do(action))

    def _ask_alias(self) -> None:
        runs = list(self.chosen())
        with ui.dialog(value=True) as dialog, ui.card().style("width: 420px; max-width: 95vw"):
            ui.label(f"Alias: {_count(runs)}").classes("sh-heading")
            hint = "Commands take @NAME where they take a run."
            if len(runs) > 1:
                hint += f" These will be NAME-1 to NAME-{len(runs)}, in the order of the choice."
            ui.label(hint).classes("sh-hint")
            text = ui.input("the alias").props("autofocus dense outlined").classes("full-width")
            with ui.element("div").classes("sh-bar"):

                async def do() -> None:
                    aliases = in_turn(text.value.strip().removeprefix("@"), runs)
                    try:
                        place, move = self.site.feed.place, move_them.value
                        await asyncio.to_thread(name_runs, place, aliases, move, "tick Move")
                    except (WarehouseError, OSError) as error:
                        _complain(error)
                        return
                    dialog.close()
                    ui.notify(f"{_count(runs)}: {', '.join(f'@{name}' for name in aliases)}")

                ui.button("Name", on_click=do).props("dense")
                ui.button("Cancel", on_click=dialog.close).props("flat dense")
                move_them = ui.checkbox("Move").props("dense")
                move_them.tooltip("Take the name from the run that has it")
            text.on("keydown.enter", do)

    def _ask_to_delete(self) -> None:
        runs = list(self.chosen())
        with ui.dialog(value=True) as dialog, ui.card().style("max-width: 95vw"):
            ui.label(f"Delete {_count(runs)}?").classes("sh-heading")
            ui.label(
                "They are hidden. `python -m warehouse undelete` brings them back, "
                "until `gc` has taken their weights."
            ).classes("sh-hint")

            async def do() -> None:
                dialog.close()
                await self._record("delete", runs, None)

            with ui.element("div").classes("sh-bar"):
                ui.button("Delete", on_click=do).props("dense color=negative")
                ui.button("Cancel", on_click=dialog.close).props("flat dense")

    async def _record(self, action: str, runs: Sequence[str], text: str | None) -> None:
        entries = [entry(action, run_id, text) for run_id in runs]
        try:
            await asyncio.to_thread(record, self.site.feed.place, entries)
        except (WarehouseError, OSError) as error:
            _complain(error)
            return
        ui.notify(f"{DONE[action]} {_count(runs)}")


def _complain(error: Exception) -> None:
    ui.notify(str(error), type="negative", close_button=True, timeout=0)


def _count(runs: Sequence[str]) -> str:
    return f"run {short(runs[0])}" if len(runs) == 1 else f"{len(runs)} runs"
