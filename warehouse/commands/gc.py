"""`gc`: weights and artifacts that no live run refers to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from warehouse.care import collect, collectable
from warehouse.ingest import sync
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`gc`."""
    own = words.add_parser(
        "gc",
        help="remove weights and artifacts that no run refers to",
        description="List the weights files and artifacts that no run refers to which is not "
        "deleted; --yes removes them. Files younger than an hour stay, and so does what a "
        "journal names that is not taken in yet.",
    )
    own.add_argument("--yes", action="store_true", help="remove them")
    own.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them, and remove them if asked to."""
    place = Place.of(arguments.results)
    if not place.folder.is_dir():
        print(f"there is nothing in {place.folder}")
        return 0
    sync(place.folder, wait=10.0)
    with place.locked(wait=10.0):
        files = collectable(place)
        total = sum(path.stat().st_size for path in files)
        if arguments.yes and files:
            collect(place, files)
    for path in files:
        print(path)
    what = f"{len(files)} file{'' if len(files) == 1 else 's'}, {total} bytes"
    if arguments.yes:
        sync(place.folder, wait=10.0)
        print(f"removed {what}")
    else:
        print(f"{what} to remove" + ("; --yes removes them" if files else ""))
    return 0
