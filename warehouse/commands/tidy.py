"""`tidy`: a team's lake kept in order."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.commands import within
from warehouse.lake.address import ENVIRONMENT
from warehouse.lake.apart import call
from warehouse.lake.tidying import KEPT_DAYS, tidy
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words

LONGEST = 36_500.0
"""Days that can be asked for."""


def add(words: Words) -> None:
    """`tidy`."""
    parser = words.add_parser(
        "tidy",
        help="merge the files of a lake, and drop its old states",
        description="Write what waits in a lake's catalog into files, merge small ones, drop the "
        "states of before that --as-of could read, and remove what nobody needs. Merging happens "
        "by itself, too, every so many ingests.",
    )
    parser.add_argument(
        "--keep",
        type=float,
        default=KEPT_DAYS,
        metavar="DAYS",
        help=f"for how long --as-of can read what was (default: {KEPT_DAYS:g}); 0: nothing of "
        "before, so that purged runs are gone from the disk, too, and such files of theirs as are "
        "older than a day",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Tidy the lake and say what came of it."""
    within("--keep", arguments.keep, 0, LONGEST)
    lake = Place.of(arguments.results).lake
    if lake is None:
        raise WarehouseError(
            f"tidy is for a team's lake, and none is named: give --lake or {ENVIRONMENT}"
        )
    say(f"{lake.shown}: {call(lake, tidy, lake, arguments.keep).sentence()}")
    return 0
