"""`report`: chosen runs as one file to send."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.journal.ids import now
from runner.system.terminal import say
from warehouse.commands.plot import need_extra
from warehouse.commands.selection import add_selection, selected
from warehouse.commands.target import refuse_kept, target, write
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words
    from warehouse.report.content import Block
    from warehouse.report.gather import Chosen


def add(words: Words) -> None:
    """`report RUN... -o FILE`."""
    parser = words.add_parser(
        "report",
        help="chosen runs as one page to send",
        description="Write what the chosen runs came to into one file: table, curves, parallel "
        "coordinates, what mattered, evaluations, differences. A page (.html) needs no other file "
        "and no network; Markdown (.md) shows the figures of --figures. Needs the extra `report`.",
    )
    add_selection(parser)
    parser.add_argument("--title", help="its heading")
    parser.add_argument(
        "--figures", metavar="DIR", type=Path, help="the same figures there, as SVG and PNG"
    )
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("report.html"),
        metavar="FILE",
        help=".html or .md (default: report.html)",
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Write it."""
    place = Place.of(arguments.results)
    file = target(arguments.output, ("html", "htm", "md"), place)
    need_extra()
    from warehouse.report.content import blocks, commands
    from warehouse.report.gather import Chosen
    from warehouse.report.markdown import markdown
    from warehouse.report.page import page

    with connect(place.folder) as con:
        chosen = Chosen.of(con, selected(con, arguments))
        content = list(blocks(chosen, place.folder))
    title = arguments.title or _title(chosen, arguments)
    subtitle = _subtitle(chosen)
    pictures = _draw(content, arguments.figures, file, place) if arguments.figures else {}
    go_on = commands(chosen)
    if file.suffix.lower() == ".md":
        text = markdown(title, subtitle, content, go_on, pictures)
    else:
        text = page(title, subtitle, content, go_on)
    write(file, text.encode("utf-8", "backslashreplace"))
    say(f"wrote {file}" + (f" and {len(pictures)} figures" if pictures else ""))
    return 0


def _title(chosen: Chosen, arguments: argparse.Namespace) -> str:
    names = [name for name in chosen.table["experiment"].unique() if isinstance(name, str)]
    about = ", ".join(names[:3]) or "runs"
    if arguments.sweep:
        return f"{about}: sweep {chosen.table['sweep_id'].iloc[0]}"
    return f"{about}: the best {len(chosen.ids)}" if arguments.best else about


def _subtitle(chosen: Chosen) -> str:
    counts = chosen.table["status"].value_counts()
    counted = ", ".join(f"{count} {status}" for status, count in counts.items())
    best = chosen.table["best"].iloc[0]
    reached = f"; best {chosen.monitor} {best:.6g}" if best == best else ""
    number = len(chosen.ids)
    moment = now()[:16].replace("T", " ")
    return f"{number} run{'' if number == 1 else 's'} ({counted}){reached}; {moment} UTC"


def _draw(content: Sequence[Block], folder: Path, file: Path, place: Place) -> dict[str, str]:
    """Write the figures; the name of each -> its PNG, as seen from the report's folder."""
    from warehouse.figures.render import render
    from warehouse.report.content import Figure, Picture

    folder = folder.expanduser()
    refuse_kept(folder, place)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(f"--figures {folder} cannot be made ({error.strerror})") from error
    pictures = {}
    seen_from = os.path.relpath(folder, file.absolute().parent)
    for block in content:
        if isinstance(block, Figure):
            for form in ("svg", "png"):
                write(folder / f"{block.name}.{form}", render(block.chart, form))
            pictures[block.name] = f"{seen_from}/{block.name}.png"
        elif isinstance(block, Picture):
            write(folder / f"{block.name}{block.ending}", block.content)
            pictures[block.name] = f"{seen_from}/{block.name}{block.ending}"
    return pictures
