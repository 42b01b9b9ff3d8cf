"""Files that came of a run, as a browser may show them."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from fastapi import Response

from runner.errors import WarehouseError
from runner.system.paths import open_plain
from warehouse.lookup import fetch
from warehouse.page.feed import Feed

LARGEST = 20_000_000
"""Bytes of a file that is shown; larger ones are only named."""
IMAGES = {".svg": "image/svg+xml", ".png": "image/png", ".jpg": "image/jpeg", ".gif": "image/gif"}
TEXTS = {".txt", ".md", ".json", ".csv", ".yaml", ".log", ".diff"}
POLICY = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"
SEALED = {"content-security-policy": POLICY}
"""A picture may come from anybody: no script of it runs, and nothing is fetched for it."""


def path_of(feed: Feed, uri: str) -> Path | None:
    """The file of an artifact; None where it would lie outside of the results folder."""
    folder = feed.place.folder.resolve()
    path = (folder / uri).resolve()
    return path if path.is_relative_to(folder / "artifacts") else None


def content_of(path: Path, most: int = LARGEST) -> bytes | None:
    """The bytes of a plain file that is not too large; None otherwise."""
    try:
        with open_plain(path) as file:
            content = file.read(most + 1)
    except OSError:
        return None
    return content if len(content) <= most else None


def artifact(feed: Feed, run_id: str, number: int) -> Response:
    """The file, by its place in the list of the run's artifacts."""
    rows = feed.ask("run_artifacts", run=run_id).rows
    if not 0 <= number < len(rows):
        return Response("there is no such file", status_code=404, media_type="text/plain")
    path = path_of(feed, uri := rows[number][1] or "")
    if path is not None:
        with suppress(WarehouseError):  # from a team's lake, whose files are named by their hash
            fetch(uri, path.name.partition(".")[0], feed.place.folder)
    content = content_of(path) if path else None
    if path is None or content is None:
        return Response("the file is not there", status_code=404, media_type="text/plain")
    suffix = path.suffix.lower()
    kind = IMAGES.get(suffix, "text/plain" if suffix in TEXTS else "application/octet-stream")
    return Response(content, media_type=kind, headers=SEALED)
