"""`tag`, `note`, `delete`, `undelete`: what people say about runs."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.aliases import aliases_of
from warehouse.care import entry, record
from warehouse.lookup import SHORT, find_run
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words


def add(words: Words) -> None:
    """The four of them."""
    tag = words.add_parser("tag", help="tag a run", description="Give a run tags, or take them.")
    tag.add_argument("run_ids", metavar="RUN", nargs=1)
    tag.add_argument("texts", metavar="TAG", nargs="+")
    tag.add_argument("--remove", action="store_true", help="take the tags away")
    tag.set_defaults(run=run, action="tag")
    note = words.add_parser("note", help="write a note", description="Write a note about a run.")
    note.add_argument("run_ids", metavar="RUN", nargs=1)
    note.add_argument("texts", metavar="TEXT", nargs=1)
    note.set_defaults(run=run, action="note")
    for action, what in (
        ("delete", "hide runs; `undelete` brings them back until `gc` took their weights"),
        ("undelete", "bring deleted runs back"),
    ):
        parser = words.add_parser(action, help=what.split(";")[0], description=what.capitalize())
        parser.add_argument("run_ids", metavar="RUN", nargs="+")
        parser.set_defaults(run=run, action=action, texts=[None])


def run(arguments: argparse.Namespace) -> int:
    """Record it."""
    place = Place.of(arguments.results)
    action = "untag" if getattr(arguments, "remove", False) else arguments.action
    if any(text is not None and not text.strip() for text in arguments.texts):
        raise WarehouseError(f"the {arguments.action} is empty")
    with connect(place.folder) as con:
        runs = [find_run(con, text) for text in arguments.run_ids]
        gone = con.execute(
            "SELECT count(*) FROM weights JOIN care ON care.text = weights.uri "
            "WHERE care.action = 'collect' AND weights.run_id IN (SELECT unnest($1))",
            [runs],
        ).fetchone()
        if action == "delete" and (named := aliases_of(con, runs)):
            alias, run_id = named[0]
            raise WarehouseError(
                f"run {run_id[-SHORT:]} is @{alias}: take the name away first, by "
                f"`python -m warehouse alias {alias} --remove`, or give it to another run"
            )
    record(place, [entry(action, run_id, text) for run_id in runs for text in arguments.texts])
    done = {"tag": "tagged", "untag": "untagged", "note": "noted"}.get(action, f"{action}d")
    say(f"{done} {', '.join(run_id[-SHORT:] for run_id in runs)}")
    if action == "undelete" and gone and gone[0]:
        print("gc has removed weights of theirs; their rows are all there")
    return 0
