"""`rebuild`: the database again, from the journals."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import complain, say
from warehouse.place import Place
from warehouse.rebuild import of_the_user, rebuild

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`rebuild`."""
    parser = words.add_parser(
        "rebuild",
        help="make the database again from the journals",
        description="Make the database again from the archived journals. The old one is set "
        "aside beside it, whole, never deleted.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Rebuild and say what came of it."""
    place = Place.of(arguments.results)
    place.check()
    place.refuse_lake(
        "rebuild",
        "it has what every machine's journals say; `rebuild --lake none` makes the warehouse "
        "of this folder's journals",
    )
    if not place.folder.is_dir():
        say(f"there is nothing in {place.folder} to rebuild from")
        return 0
    with place.locked(wait=10.0):
        result, kept = rebuild(place)
    say(f"{place.database} made again: {result.sentence()}")
    if kept:
        say(f"the old one is kept as {kept}")
        if added := of_the_user(kept):
            say(f"what was added to it is there alone: {'; '.join(added)}")
    for problem in result.problems:
        complain(problem)
    return 1 if result.problems else 0
