"""`verify`: whether journals, rows and weights agree."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import say
from warehouse.journals.read import waiting
from warehouse.place import Place
from warehouse.verify import going_on, verify

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """`verify`."""
    parser = words.add_parser(
        "verify",
        help="check journals, rows and weights files",
        description="Check that every journal can be read, that the rows are what the journals "
        "say, and that every weights file is what was saved. Exit code 1 if anything is wrong.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Print what is wrong."""
    place = Place.of(arguments.results)
    place.check()
    place.refuse_lake(
        "verify",
        "`verify --lake none` compares this folder's own",
    )
    if not place.folder.is_dir():
        say(f"there is nothing in {place.folder}")
        return 0
    with place.locked(wait=10.0):
        journals = waiting(place)
        problems = verify(place, journals)
    for problem in problems:
        say(problem)
    if running := len(going_on(journals)):
        say(f"{running} {'run goes' if running == 1 else 'runs go'} on, not compared")
    say("all is well" if not problems else f"{len(problems)} wrong")
    return 1 if problems else 0
