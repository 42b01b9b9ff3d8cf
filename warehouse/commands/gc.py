"""`gc`: weights and artifacts that only deleted runs refer to."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from rich.filesize import decimal

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.garbage import collect, collectable
from warehouse.ingest.ingest import sync
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words


MOST = 0.75
"""The share of the store that goes without `--all`."""


def add(words: Words) -> None:
    """`gc`."""
    parser = words.add_parser(
        "gc",
        help="remove weights and artifacts of deleted runs",
        description="List the weights files and artifacts that only deleted runs refer to; --yes "
        "removes them. What a run that is not deleted was made from stays, and so do files "
        "younger than an hour, what a journal names that is not taken in yet, and every file "
        "that no run has stored there.",
    )
    parser.add_argument("--yes", action="store_true", help="remove them")
    parser.add_argument(
        "--all",
        action="store_true",
        help=f"even if several runs' are more than {MOST:.0%}% of the bytes that are stored",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them, and remove them if asked to."""
    place = Place.of(arguments.results)
    place.check()
    place.refuse_lake(
        "gc",
        "whether others need a file is not known here; `purge` removes runs for good, and "
        "`tidy` what is left of them",
    )
    if not place.folder.is_dir():
        say(f"there is nothing in {place.folder}")
        return 0
    sync(place.folder, wait=10.0)
    with place.locked(wait=10.0):
        garbage = collectable(place)
        files = garbage.files
        # One run that was deleted is plainly meant, however little there is besides.
        if arguments.yes and not arguments.all and garbage.share > MOST and len(garbage.runs) > 1:
            raise WarehouseError(
                f"the files of {len(garbage.runs)} deleted runs are {decimal(garbage.bytes)} of "
                f"the {decimal(garbage.stored)} that are stored, more than {MOST:.0%}: if all of "
                "them are to go, say `gc --yes --all`"
            )
        if arguments.yes and files:
            collect(place, garbage)
    for path in files:
        say(str(path))
    what = f"{len(files)} file{'' if len(files) == 1 else 's'}, {decimal(garbage.bytes)}"
    if arguments.yes:
        sync(place.folder, wait=10.0)
        say(f"removed {what}")
    else:
        say(f"{what} to remove" + ("; --yes removes them" if files else ""))
    return 0
