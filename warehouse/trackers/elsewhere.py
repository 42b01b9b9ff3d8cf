"""Files that stay where they are: what there is, by name and address; nothing of them is read."""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from warehouse.trackers.foreign import ElsewhereFile

MOST = 10_000
"""Files of a run that are listed."""


def files_below(place: str) -> list[ElsewhereFile]:
    """The files below a folder; of a place that is elsewhere, or gone, its address."""
    parts = urlsplit(place)
    folder = Path(unquote(parts.path) if parts.scheme == "file" else place)
    if parts.scheme not in ("", "file") or not folder.is_dir():
        return [ElsewhereFile("", place)]
    found: list[ElsewhereFile] = []
    for below, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            file = Path(below, name)
            if len(found) == MOST:
                return found
            if file.is_file():
                path = file.relative_to(folder).as_posix()
                found.append(ElsewhereFile(path, str(file.absolute()), file.stat().st_size))
    return found
