"""`sync` and `path`: take in what waits; say where everything lies."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.system.terminal import complain, say
from warehouse.commands import within
from warehouse.ingest.ingest import sync
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words

LONGEST = 1_000_000_000
"""Seconds that can be waited: a lifetime, and no infinity."""


def add(words: Words) -> None:
    """`sync` and `path`."""
    parser = words.add_parser(
        "sync",
        help="take waiting journals in",
        description="Take the journals of ended and lost runs into the warehouse. Exit code 1 "
        "if some had to wait or could not go in.",
    )
    parser.add_argument(
        "--wait",
        type=float,
        default=10.0,
        metavar="SECONDS",
        help="how long to wait for another process at work (default: 10)",
    )
    parser.set_defaults(run=run)
    path = words.add_parser(
        "path",
        help="where the database file, or the lake, is",
        description="Print where the database file is, or which lake is in its place.",
    )
    path.set_defaults(run=run_path)


def run(arguments: argparse.Namespace) -> int:
    """Ingest and say what came of it."""
    within("--wait", arguments.wait, 0, LONGEST)
    result = sync(arguments.results, wait=arguments.wait)
    say(result.sentence())
    for problem in result.problems:
        complain(problem)
    return 1 if result.reason or result.problems else 0


def run_path(arguments: argparse.Namespace) -> int:
    """Print the path of the database, or the lake."""
    place = Place.of(arguments.results)
    say(str(place.database) if place.lake is None else place.lake.shown)
    return 0
