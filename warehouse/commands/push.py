"""`push`: what this results folder has, into the team's lake."""

from __future__ import annotations

import argparse
import time
from typing import TYPE_CHECKING

from rich.filesize import decimal

from runner.errors import WarehouseError
from runner.system.terminal import complain, say
from warehouse.lake.address import ENVIRONMENT, FORM
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.commands import Words
    from warehouse.lake.push import Progress, Pushed

OFTEN = 2.0
"""Seconds between two lines about how far it is."""


def add(words: Words) -> None:
    """`push`."""
    parser = words.add_parser(
        "push",
        help="bring local results into the team's lake",
        description="Bring all runs that this results folder has taken in into a lake: their "
        "journals, weights and artifacts, later evaluations, tags, aliases and notes, searches. "
        "What is there stays as it is: pushing twice, or the same run from two machines, is once. "
        "A local purge or gc is no business of the lake's. Exit code 1 if something could not go "
        "in.",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Push, and say what that did."""
    from warehouse.lake.apart import call
    from warehouse.lake.push import push

    place = Place.of(arguments.results)
    if place.lake is None:
        raise WarehouseError(f"push where to? give --lake, or {ENVIRONMENT}: {FORM}")
    if not place.folder.is_dir():
        raise WarehouseError(f"there is nothing in {place.folder} to push")
    pushed = call(place.lake, push, place, place.lake, tell=_Teller())
    say(f"pushed {_words(pushed)} to {place.lake.shown}")
    for problem in pushed.problems:
        complain(problem)
    return 1 if pushed.problems else 0


class _Teller:
    """A line now and then about how far it is."""

    def __init__(self) -> None:
        self._said = time.monotonic()

    def __call__(self, now: Progress) -> None:
        if time.monotonic() - self._said < OFTEN:
            return
        self._said = time.monotonic()
        complain(
            f"{now.done} of {now.of} journals, {now.runs} new runs, {now.files} files "
            f"({decimal(now.bytes)})"
        )


def _words(pushed: Pushed) -> str:
    """`3 runs, 8 files, 1.2 MB (2 runs were there)`."""
    counted = [(len(pushed.runs), "run"), (pushed.files, "file")]
    said = ", ".join(f"{n} {word}{'' if n == 1 else 's'}" for n, word in counted)
    said += f", {decimal(pushed.bytes)}"
    if pushed.others:
        said += f", {pushed.others} journal{'' if pushed.others == 1 else 's'} beside runs"
    if pushed.there:
        said += f" ({pushed.there} run{' was' if pushed.there == 1 else 's were'} there)"
    return said
