"""`purge`: runs removed for good."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from rich.filesize import decimal

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.aliases import aliases_of
from warehouse.commands import within
from warehouse.commands.output import emit, short
from warehouse.ingest.ingest import sync
from warehouse.lake.apart import call
from warehouse.lookup import SHORT, find_run, find_sweep
from warehouse.place import BusyError, Place, this_host
from warehouse.purge import Purge, planned, purge
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

    from warehouse.commands import Words

AGE = re.compile(r"(\d+(?:\.\d+)?)([mhdw])")
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = 36_500.0
"""Days of the longest age."""


def add(words: Words) -> None:
    """`purge` and what narrows it."""
    parser = words.add_parser(
        "purge",
        help="remove runs for good",
        description="List what would go with some runs: rows, journals, tags and notes, weights "
        "and artifacts that no other run needs; --yes removes it, and nothing brings it back. A "
        "run that is training or has an alias stays.",
    )
    parser.add_argument("run_ids", metavar="RUN", nargs="*")
    parser.add_argument("--sweep", metavar="ID", help="the runs of this sweep (head or tail)")
    parser.add_argument(
        "--keep-best", metavar="N", type=int, help="but for the N best of that sweep"
    )
    parser.add_argument(
        "--older-than", metavar="AGE", help="only those that ended so long ago: 90m, 12h, 30d, 8w"
    )
    parser.add_argument("--yes", action="store_true", help="remove them")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """List them, and remove them if asked to."""
    place = Place.of(arguments.results)
    place.check()
    _check_words(arguments)
    if not place.folder.is_dir():
        raise WarehouseError(f"there is nothing in {place.folder}")
    host = place.ingest_host()
    if host not in (None, this_host()):
        raise BusyError(f"the machine {host} ingests into {place.folder}: purge there")
    sync(place.folder, wait=10.0)
    with connect(place.folder) as con:
        runs = _chosen(con, arguments)
        if not runs:
            say("there is no such run to purge")
            return 0
        rows = con.execute(_ROWS, [runs]).fetchall()
    with place.locked(wait=10.0):
        what = planned(place, runs)
        if not arguments.yes:
            columns = ("run", "status", "dataset", "monitor", "best", "ended", "tags")
            emit(columns, [[row[0][-SHORT:], *map(short, row[1:])] for row in rows], "table")
        for path, child in what.kept.items():
            say(f"kept: {path}, which run {child[-SHORT:]} was made from")
        if arguments.yes:
            if place.lake is None:
                purge(place, what)
            else:
                call(place.lake, purge, place, what)
    did = "purged" if arguments.yes else "to purge:"
    say(f"{did} {_words(what)}{'' if arguments.yes else '; --yes removes them for good'}")
    if arguments.yes and (asides := sorted(place.folder.glob("warehouse.duckdb.*-*"))):
        say(f"{asides[0]} was set aside by `rebuild` and may still hold rows of theirs")
    return 0


def _words(what: Purge) -> str:
    """`3 runs, 8 files, 1.2 MB`."""
    files = len(what.files) + len(what.archives)
    counted = [(len(what.runs), "run"), (files, "file")]
    return ", ".join(
        [*(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counted), decimal(what.bytes)]
    )


def _check_words(arguments: argparse.Namespace) -> None:
    if arguments.run_ids and (arguments.sweep or arguments.keep_best is not None):
        raise WarehouseError("purge takes runs by name or of a --sweep, not both")
    if arguments.keep_best is not None:
        if arguments.sweep is None:
            raise WarehouseError("--keep-best needs --sweep ID: the best of which sweep?")
        within("--keep-best", arguments.keep_best, 0, 1_000_000)
    if not arguments.run_ids and arguments.sweep is None and arguments.older_than is None:
        raise WarehouseError("say which runs: RUN..., --sweep ID or --older-than AGE")


def _age(text: str) -> timedelta:
    """The age that `30d` and the like say."""
    found = AGE.fullmatch(text.strip().lower())
    if found is None or float(found[1]) > LONGEST:
        raise WarehouseError(
            f"--older-than {text!r} is not valid: give a number and m, h, d or w, such as 30d"
        )
    return timedelta(**{UNITS[found[2]]: float(found[1])})


def _chosen(con: DuckDBPyConnection, arguments: argparse.Namespace) -> list[str]:
    """The runs that the words choose; of those that are not named, none that must stay."""
    if arguments.run_ids:
        runs = list(dict.fromkeys(find_run(con, text) for text in arguments.run_ids))
        if arguments.older_than is not None:
            runs = _older(con, runs, arguments.older_than)
        if named := aliases_of(con, runs):
            alias, run_id = named[0]
            raise WarehouseError(
                f"run {run_id[-SHORT:]} is @{alias}: take the name away first, by "
                f"`python -m warehouse alias {alias} --remove`, or give it to another run"
            )
        return runs
    sweep = find_sweep(con, arguments.sweep) if arguments.sweep is not None else None
    rows = con.execute(_OF_SWEEP, [sweep, arguments.keep_best or 0]).fetchall()
    runs = [run_id for (run_id,) in rows]
    if arguments.older_than is not None:
        runs = _older(con, runs, arguments.older_than)
    stay = {run_id: f"it is @{alias}" for alias, run_id in aliases_of(con, runs)}
    query = "SELECT run_id FROM runs WHERE status = 'running'"
    stay |= {run_id: "it is running" for (run_id,) in con.execute(query).fetchall()}
    for run_id in runs:
        if run_id in stay:
            say(f"left out: run {run_id[-SHORT:]}, {stay[run_id]}")
    return [run_id for run_id in runs if run_id not in stay]


def _older(con: DuckDBPyConnection, runs: Sequence[str], age: str) -> list[str]:
    """Those of the runs that ended, or where it is not known began, so long ago."""
    rows = con.execute(
        "SELECT run_id FROM runs WHERE run_id IN (SELECT unnest($1::VARCHAR[])) "
        "AND coalesce(ended_at, started_at) < now() - $2::INTERVAL ORDER BY run_id",
        [list(runs), _age(age)],
    ).fetchall()
    return [run_id for (run_id,) in rows]


_ROWS = """
SELECT
    r.run_id, r.status, r.dataset, r.monitor,
    (SELECT any_value(best) FROM leaderboard AS l WHERE l.run_id = r.run_id),
    coalesce(r.ended_at, r.started_at),
    (SELECT list(tag ORDER BY tag) FROM tags AS t WHERE t.run_id = r.run_id)
FROM runs AS r
WHERE r.run_id IN (SELECT unnest($1::VARCHAR[]))
ORDER BY r.run_id
"""
# The best of a sweep are so among all that it names; of those that it names, it has trained some.
_OF_SWEEP = """
WITH kept AS (
    SELECT run_id
    FROM leaderboard
    WHERE $1::VARCHAR IS NOT NULL AND rank IS NOT NULL AND isfinite(best)
        AND run_id IN (FROM members($1))
    QUALIFY row_number() OVER (PARTITION BY dataset, monitor ORDER BY rank, run_id) <= $2
)

SELECT run_id FROM runs
WHERE ($1::VARCHAR IS NULL OR sweep_id = $1) AND run_id NOT IN (FROM kept)
ORDER BY run_id
"""
