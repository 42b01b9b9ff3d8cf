"""`curves`: metrics over epochs, drawn in the terminal."""

from __future__ import annotations

import argparse
import shutil
from typing import TYPE_CHECKING

from runner.errors import WarehouseError, choices
from warehouse.commands import within
from warehouse.commands.braille import plot
from warehouse.commands.output import add_format, console, emit, in_line
from warehouse.lookup import SHORT, find_run
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words

TALLEST = 1000
"""Lines that a drawing may have."""
COLOURS = ("cyan", "yellow", "magenta", "green", "red", "blue")


def add(words: Words) -> None:
    """`curves RUN...`."""
    parser = words.add_parser(
        "curves",
        help="draw metrics over epochs",
        description="Draw a metric of one or more runs over the epochs. One run: training and "
        "validation; several: validation, where there is one.",
    )
    parser.add_argument("run_ids", metavar="RUN", nargs="+")
    parser.add_argument("--metric", default="loss", help="(default: loss)")
    parser.add_argument("--split", choices=("train", "val"), help="only this split")
    parser.add_argument("--height", type=int, default=16, metavar="LINES", help="(default: 16)")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw the lines and say which is which."""
    from rich.text import Text

    within("--height", arguments.height, 1, TALLEST)
    drawn: dict[tuple[str, str], list[tuple[float, float]]] = {}
    with connect(arguments.results) as con:
        ids = [find_run(con, text) for text in arguments.run_ids]
        for run_id in ids:
            rows = con.execute(
                "SELECT split, epoch, value FROM curves WHERE run_id = $1 AND name = $2 "
                "ORDER BY split, epoch",
                [run_id, arguments.metric],
            ).fetchall()
            splits = {split for split, _, _ in rows}
            if arguments.split:
                splits &= {arguments.split}
            elif len(ids) > 1 and "val" in splits:
                splits = {"val"}
            for split, epoch, value in rows:
                if split in splits and value is not None:
                    drawn.setdefault((run_id, split), []).append((epoch, value))
        if not drawn:
            names = con.execute(
                "SELECT DISTINCT name FROM curves WHERE run_id IN (SELECT unnest($1))", [ids]
            ).fetchall()
            raise WarehouseError(
                f"nothing to draw for metric {arguments.metric!r}; "
                + choices(arguments.metric, (name for (name,) in names))
            )
    if arguments.format != "table":  # the points, whose drawing is for people
        rows = [
            (run_id, split, arguments.metric, epoch, value)
            for (run_id, split), line in drawn.items()
            for epoch, value in line
        ]
        emit(("run_id", "split", "metric", "epoch", "value"), rows, arguments.format)
        return 0
    screen = console()
    width = min(shutil.get_terminal_size().columns, 120)
    for row in plot(list(drawn.values()), width, max(arguments.height, 4)):
        line = Text()
        for character, index in row:
            line.append(character, COLOURS[index % len(COLOURS)] if index >= 0 else None)
        line.rstrip()
        screen.print(line)
    for index, ((run_id, split), points) in enumerate(drawn.items()):
        line = Text("── ", COLOURS[index % len(COLOURS)])
        line.append(in_line(f"{run_id[-SHORT:]} {split} {arguments.metric}: "), None)
        line.append(f"{points[0][1]:.6g} -> {points[-1][1]:.6g}", None)
        screen.print(line)
    return 0
