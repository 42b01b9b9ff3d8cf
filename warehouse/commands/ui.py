"""`ui`: look at runs in a browser."""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import threading
import webbrowser
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
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
    from warehouse.page.guard import is_loopback

    if arguments.token is None and not is_loopback(arguments.host):
        raise WarehouseError(
            f"--host {arguments.host} can be reached by other machines: choose a word that they "
            "must know, with --token WORD"
        )
    token = _token(arguments.token)
    feed = Feed(Place.of(arguments.results))
    listener = _listen(arguments.host, arguments.port)
    with listener:
        with ThreadPoolExecutor(1) as reading:  # while the toolkit is imported
            first = reading.submit(feed.refresh)
            from warehouse.page.app import build, serve

            first.result()
        app = build(feed)
        port = listener.getsockname()[1]
        name = f"[{arguments.host}]" if ":" in arguments.host else arguments.host
        if arguments.host in ("0.0.0.0", "::"):
            name = socket.gethostname()
        link = f"http://{name}:{port}/?token={token}"
        say(f"{feed.place.folder} is shown at\n\n  {link}\n\nCtrl-C ends it.")
        sys.stdout.flush()
        if not arguments.no_browser and _has_browser():
            threading.Timer(0.5, _open, [link]).start()
        try:
            serve(app, listener, token, arguments.host)
        finally:
            feed.close()
    return 0


def _token(chosen: str | None) -> str:
    if chosen is None:
        return secrets.token_urlsafe(18)
    if not chosen.isascii() or not all(c.isalnum() or c in "-_.~" for c in chosen) or not chosen:
        raise WarehouseError("--token may hold letters, digits and - _ . ~, at least one")
    return chosen


def _listen(host: str, port: int) -> socket.socket:
    """An open socket. Raises WarehouseError where there can be none."""
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise WarehouseError(f"--host {host} is no address of this machine") from error
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(128)
    except OSError as error:
        listener.close()
        raise WarehouseError(
            f"port {port} of {host} cannot be used ({error.strerror}); another page may be open "
            "there: --port takes another, --port 0 any that is free"
        ) from error
    return listener


def _has_browser() -> bool:
    """Whether a window can open; a browser inside of this terminal would take it away."""
    if sys.platform == "darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))


def _open(link: str) -> None:
    with suppress(webbrowser.Error, OSError):
        webbrowser.open(link)
