"""`ui`: look at runs in a browser."""

from __future__ import annotations

import argparse
import os
import sys
import threading
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.listening import (
    address_of,
    checked_token,
    listen,
    new_token,
    refuse_open,
)
from runner.system.terminal import say
from warehouse.commands import within
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words

PORT = 8600
LOOPBACK = "127.0.0.1"
EXTRA = "pip install 'sweephouse[ui]'"


def add(words: Words) -> None:
    """`ui` and where it listens."""
    parser = words.add_parser(
        "ui",
        help="look at runs in a browser",
        description="Open a page on this machine: all runs, their curves, SQL. It reads "
        "snapshots, fetches nothing from the internet, and needs the link that it prints.",
    )
    parser.add_argument("--host", default=LOOPBACK, help=f"listen there (default: {LOOPBACK})")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"listen there; 0: any (default: {PORT})"
    )
    parser.add_argument(
        "--token",
        help="the word that the link carries (default: a new one each time); "
        "needed where other machines can reach the page",
    )
    parser.add_argument("--no-browser", action="store_true", help="print the link, open nothing")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until somebody stops it."""
    within("--port", arguments.port, 0, 65535)
    if find_spec("nicegui") is None:
        raise WarehouseError(f"the page needs NiceGUI: {EXTRA}")
    from warehouse.page.feed import Feed

    refuse_open(arguments.host, arguments.token)
    token = new_token() if arguments.token is None else checked_token(arguments.token)
    feed = Feed(Place.of(arguments.results))
    listener = listen(arguments.host, arguments.port)
    with listener:
        with ThreadPoolExecutor(1) as reading:  # while the toolkit is imported
            first = reading.submit(feed.refresh)
            from warehouse.page.app import build, serve

            first.result()
        app = build(feed)
        link = f"{address_of(listener, arguments.host)}/?token={token}"
        say(f"{feed.place.folder} is shown at\n\n  {link}\n\nCtrl-C ends it.")
        sys.stdout.flush()
        if not arguments.no_browser and _has_browser():
            threading.Timer(0.5, _open, [link]).start()
        try:
            serve(app, listener, token, arguments.host)
        finally:
            feed.close()
    return 0


def _has_browser() -> bool:
    """Whether a window can open; a browser inside of this terminal would take it away."""
    if sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _open(link: str) -> None:
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(link)
