"""`plot`: one figure as a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.system.terminal import say
from warehouse.commands.selection import add_selection, selected
from warehouse.commands.target import target, write
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from warehouse.commands import Words
    from warehouse.report.gather import Chosen

KINDS = ("curves", "scatter", "parallel", "confusion", "importance")
ENDINGS = ("svg", "png", "pdf", "html", "json")


def add(words: Words) -> None:
    """`plot KIND RUN... -o FILE`."""
    parser = words.add_parser(
        "plot",
        help="one figure as a file",
        description="Draw one figure of the chosen runs: curves (a metric by epoch), scatter "
        "(--x against --y), parallel (params and outcome), confusion (of the best of them), "
        "importance (what mattered). Needs the extra `report`.",
    )
    parser.add_argument("kind", metavar="KIND", choices=KINDS, help=", ".join(KINDS))
    add_selection(parser)
    parser.add_argument("--metric", help="of curves: which (default: loss)")
    parser.add_argument("--split", choices=("train", "val"), help="of curves: only this one")
    parser.add_argument("--x", metavar="NAME", help="of scatter: a param or metric")
    parser.add_argument(
        "--y", metavar="NAME", help="of scatter and parallel: the outcome (default: the monitor)"
    )
    parser.add_argument("--colour", "--color", metavar="NAME", help="of scatter: a third one")
    parser.add_argument("--log", action="store_true", help="log axes, where values are positive")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        required=True,
        metavar="FILE",
        help="ending in " + ", ".join(f".{ending}" for ending in ENDINGS),
    )
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Draw it."""
    file = target(arguments.output, ENDINGS, Place.of(arguments.results))
    need_extra()
    from warehouse.figures.render import render
    from warehouse.report.gather import Chosen

    with connect(arguments.results) as con:
        chart = _chart(Chosen.of(con, selected(con, arguments)), arguments)
    write(file, render(chart, file.suffix[1:].lower(), arguments.kind))
    say(f"wrote {file}")
    return 0


def need_extra() -> None:
    """Raise WarehouseError unless what draws is installed."""
    try:
        import altair  # noqa: F401
        import pandas  # noqa: F401
        import vl_convert  # noqa: F401
    except ModuleNotFoundError as error:
        raise WarehouseError(
            f"figures need {error.name}, which is not installed: pip install 'sweephouse[report]'"
        ) from error


def _chart(chosen: Chosen, arguments: argparse.Namespace) -> Any:
    """The figure that was asked for."""
    import pandas

    from warehouse.figures.confusion import confusion
    from warehouse.figures.curves import curves
    from warehouse.figures.importance import importance
    from warehouse.figures.parallel import parallel
    from warehouse.figures.scatter import scatter

    log = True if arguments.log else None
    if arguments.kind == "curves":
        metric = arguments.metric or "loss"
        split = arguments.split or ("val" if len(chosen.ids) > 10 else None)
        return curves(chosen.curves(metric, split), metric, log)
    if arguments.kind == "scatter":
        x, y = arguments.x or (chosen.params or ["seed"])[0], arguments.y or chosen.monitor
        columns = {"run": chosen.table["run_id"].map(chosen.labels)}
        columns |= {"x": chosen.column(x), "y": chosen.column(y)}
        if arguments.colour:
            columns["colour"] = chosen.column(arguments.colour)
        return scatter(pandas.DataFrame(columns), x, y, arguments.colour, log)
    if arguments.kind == "parallel":
        outcome = arguments.y or chosen.monitor
        return parallel(chosen.parallel(arguments.y), outcome, chosen.mode_of(outcome))
    if arguments.kind == "importance":
        effects = chosen.effects()
        if not len(effects):
            raise WarehouseError("no param varies between the chosen runs that ended well")
        return importance(effects, chosen.monitor)
    split, pairs = chosen.confusion(chosen.ids[0])
    if not len(pairs):
        raise WarehouseError(f"run {chosen.ids[0]} has no confusion: it classifies nothing")
    return confusion(pairs, f"{chosen.labels[chosen.ids[0]]}, {split}")
