"""The server: guarded pages over one feed, and the data that browsers fetch from it."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    suppress,
)
from importlib import resources
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse
from fastapi.staticfiles import StaticFiles
from nicegui import ui

from runner.system.listening import answer
from warehouse.page import compare_page, grid, run_page, runs_page, sql_page, sweep_page
from warehouse.page.artifacts import artifact
from warehouse.page.feed import Feed
from warehouse.page.guard import Guard
from warehouse.page.site import Site

TICK = 0.5
"""Seconds between two looks at the folder."""
SHARE = 4.0
"""How many times what a look costs in CPU the page then waits, so that runs keep the machine."""
PIECE = 2_000
"""Rows of the grid that are sent at once."""
FAVICON = "🧹"


def build(feed: Feed) -> FastAPI:
    """The app over a feed that has been read once."""
    site = Site(feed)
    app = FastAPI(openapi_url=None, lifespan=_watching(site))
    with resources.as_file(resources.files("warehouse.page").joinpath("assets")) as assets:
        app.mount("/assets", StaticFiles(directory=Path(assets)))
    _add_data(app, feed)
    for page in (runs_page, run_page, compare_page, sweep_page, sql_page):
        page.add(site)
    ui.run_with(
        app,
        title="Sweephouse",
        favicon=FAVICON,
        dark=None,
        tailwind=False,
        binding_refresh_interval=None,
        show_welcome_message=False,
        reconnect_timeout=10.0,
    )
    return app


def serve(app: FastAPI, listener: socket.socket, token: str, host: str) -> None:
    """Answer on an open socket until somebody stops the process."""
    port = listener.getsockname()[1]
    guarded = Guard(app, token, host, port)
    answer(guarded, listener, lifespan="on", ws_ping_interval=30.0)


def _watching(site: Site) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    """A lifespan during which the folder is watched, once for all visitors."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(_watch(site))
        yield
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task

    return lifespan


async def _watch(site: Site) -> None:
    """Look at the folder while somebody looks at the page."""
    while True:
        spent = _cpu()
        try:
            if site.has_visitors:
                await asyncio.to_thread(site.feed.refresh)
                await site.tell()
        except Exception:  # whatever it was, the next look may go well
            logging.getLogger(__name__).exception("the newest state could not be shown")
        await asyncio.sleep(max(TICK, SHARE * (_cpu() - spent)))


def _cpu() -> float:
    """Seconds of CPU that this process and its children have taken."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _as_json(head: dict[str, Any], rows: list[list[Any]]) -> Iterator[str]:
    """An object with `rows` last, piece by piece: the whole text of 100,000 takes 20 MB, twice."""
    yield json.dumps(head, allow_nan=False)[:-1] + ', "rows": ['
    for first in range(0, len(rows), PIECE):
        piece = json.dumps(rows[first : first + PIECE], allow_nan=False)[1:-1]
        yield (", " if first else "") + piece
    yield "]}"


def _add_data(app: FastAPI, feed: Feed) -> None:
    @app.get("/data/runs")
    def runs(request: Request) -> Response:
        """The rows of the grid, or what of them has changed since a generation."""
        columns = [c for c in request.query_params.getlist("column") if grid.known(c)]
        since = int(request.query_params.get("since") or 0)
        generation = feed.generation
        changed, removed = feed.changes(since)
        rows = grid.rows(feed, columns, changed if since else None)
        head = {"generation": generation, "removed": sorted(removed)}
        return StreamingResponse(_as_json(head, rows), media_type="application/json")

    @app.get("/artifact/{run_id}/{number}")
    def file(run_id: str, number: int) -> Response:
        """A file that came of a run."""
        return artifact(feed, run_id, number)
