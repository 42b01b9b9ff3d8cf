"""`top`: what trains now, how far sweeps are, and the best so far; again and again."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import time
from typing import TYPE_CHECKING, Any

from warehouse.commands import within
from warehouse.commands.output import add_format, emit, in_line, short
from warehouse.lookup import SHORT, find_sweep
from warehouse.place import Place
from warehouse.snapshot import connect

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from rich.console import RenderableType

    from warehouse.commands import Words

BUSY = 0.1
"""The share of its time that it works at most: over a large warehouse it looks less often."""
SHOWN = 8
"""Rows of each part."""
PARTS = {
    "sweeps": """
SELECT
    s.sweep_id AS sweep,
    s.runs - s.running AS done,
    s.planned,
    s.running,
    s.failed,
    s.skipped,
    b.monitor,
    b.best,
    s.started_at AS started
FROM sweeps AS s
LEFT JOIN (
    SELECT sweep_id, any_value(monitor) AS monitor,
        CASE any_value(mode) WHEN 'max' THEN max(best) ELSE min(best) END AS best
    FROM leaderboard
    WHERE best IS NOT NULL
    GROUP BY sweep_id
) AS b ON b.sweep_id = s.sweep_id
WHERE $sweep IS NULL OR s.sweep_id = $sweep
ORDER BY s.running > 0 DESC, s.started_at DESC
""",
    "running": """
SELECT
    r.run_id AS run,
    r.epochs AS epoch,
    try_cast(p.number AS BIGINT) AS epochs,
    r.monitor,
    m.last,
    m.at_best AS best,
    r.seconds,
    array_to_string(r.overrides, ' ') AS overrides
FROM runs AS r
ANTI JOIN deleted AS d ON d.run_id = r.run_id
LEFT JOIN params AS p ON p.run_id = r.run_id AND p.name = 'epochs'
LEFT JOIN run_metrics AS m
    ON m.run_id = r.run_id
    AND m.split = CASE WHEN starts_with(r.monitor, 'val_') THEN 'val' ELSE 'train' END
    AND m.name = CASE
        WHEN starts_with(r.monitor, 'val_') THEN substr(r.monitor, 5) ELSE r.monitor
    END
WHERE r.status = 'running' AND ($sweep IS NULL OR r.sweep_id = $sweep)
ORDER BY r.started_at DESC, r.run_id
""",
    "best": """
SELECT rank, run_id AS run, monitor, best, best_epoch AS epoch, seconds,
    array_to_string(overrides, ' ') AS overrides
FROM leaderboard
WHERE rank IS NOT NULL AND ($sweep IS NULL OR sweep_id = $sweep)
ORDER BY rank, dataset, monitor, run_id
""",
}
COUNTS = """
SELECT status, count(*) AS runs
FROM runs ANTI JOIN deleted USING (run_id)
WHERE run_id IN (FROM members($sweep))
GROUP BY status
ORDER BY status
"""


def add(words: Words) -> None:
    """`top`."""
    parser = words.add_parser(
        "top",
        help="what trains now, and the best so far",
        description="What trains now, how far sweeps are, and the best so far: on a terminal anew "
        "every few seconds until Ctrl-C, elsewhere once.",
    )
    parser.add_argument("--sweep", metavar="ID", help="of this sweep (head or tail of its id)")
    parser.add_argument("--every", type=float, default=2.0, metavar="SECONDS", help="(default: 2)")
    parser.add_argument("--once", action="store_true", help="on a terminal, too")
    add_format(parser)
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Look once, or until somebody has seen enough."""
    within("--every", arguments.every, 0.2, 3600)
    if arguments.format != "table":
        state = look(arguments.results, arguments.sweep)
        rows = [row for part in PARTS for row in _long(part, *state[part])]
        emit(("part", "row", "name", "value"), rows, arguments.format)
        return 0
    if arguments.once or not sys.stdout.isatty():
        counts = look(arguments.results, arguments.sweep)
        print(_counted(counts))
        for part in PARTS:
            columns, rows = counts[part]
            if rows:
                print(f"\n{part}")
                emit(columns, [list(map(short, row)) for row in rows], "table")
        return 0
    return _watch(arguments)


def _watch(arguments: argparse.Namespace) -> int:
    from rich.live import Live

    folder = Place.of(arguments.results).folder
    with Live(screen=True, auto_refresh=False) as live:
        while True:
            begun = time.monotonic()
            live.update(_screen(look(arguments.results, arguments.sweep), str(folder)))
            live.refresh()
            time.sleep(max(arguments.every, (time.monotonic() - begun) * (1 / BUSY - 1)))


def _fitting(rows: list[list[str]], columns: list[str]) -> list[list[str]]:
    """The cells, overrides cut to what the others leave of a line: numbers come first."""
    if "overrides" not in columns:
        return rows
    place = columns.index("overrides")
    widths = [max(len(cell) for cell in cells) for cells in zip(columns, *rows, strict=True)]
    room = shutil.get_terminal_size().columns - sum(w + 3 for w in widths) + widths[place]
    room = max(room, len("overrides"))
    for row in rows:
        # Where the results lie is said above.
        words = [word for word in row[place].split(" ") if not word.startswith("results=")]
        text = " ".join(words)
        row[place] = text if len(text) <= room else f"{text[: room - 1]}…"
    return rows


State = dict[str, tuple[list[str], list[tuple[Any, ...]]]]


def look(results: str | os.PathLike[str] | None, sweep: str | None) -> State:
    """All parts as columns and rows, and how many runs there are of each status."""
    with connect(results) as con:
        wanted = find_sweep(con, sweep) if sweep is not None else None
        state = {part: _ask(con, f"{text} LIMIT {SHOWN}", wanted) for part, text in PARTS.items()}
        return state | {"counts": _ask(con, COUNTS, wanted)}


def _ask(
    con: DuckDBPyConnection, query: str, sweep: str | None
) -> tuple[list[str], list[tuple[Any, ...]]]:
    rows = con.execute(query, {"sweep": sweep}).fetchall()
    columns = [name for name, *_ in con.description or ()]
    # The whole id of a sweep is what other commands take; of a run its tail is enough.
    place = columns.index("run") if "run" in columns else None
    return columns, [
        tuple(v[-SHORT:] if index == place else v for index, v in enumerate(row)) for row in rows
    ]


def _counted(state: State) -> str:
    _, counts = state["counts"]
    return ", ".join(f"{number} {status}" for status, number in counts) or "no run yet"


def _long(
    part: str, columns: list[str], rows: list[tuple[Any, ...]]
) -> list[tuple[str, int, str, Any]]:
    return [
        (part, number, name, value)
        for number, row in enumerate(rows, 1)
        for name, value in zip(columns, row, strict=True)
    ]


def _screen(state: State, folder: str) -> RenderableType:
    """What a terminal shows: the counts, then a table for each part that has rows."""
    from rich import box
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    shown: list[RenderableType] = [
        Text(f"{in_line(folder)}   {time.strftime('%H:%M:%S')}   {_counted(state)}", "bold"),
        Text(),
    ]
    for part in PARTS:
        columns, rows = state[part]
        if not rows:
            continue
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=part, title_justify="left")
        for name in columns:
            text = name in ("run", "sweep", "overrides", "monitor", "started")
            table.add_column(name, justify="left" if text else "right", no_wrap=True,
                             overflow="ellipsis")  # fmt: skip
        for cells in _fitting([[in_line(short(value)) for value in row] for row in rows], columns):
            table.add_row(*map(Text, cells))
        shown.append(table)
    shown.append(Text("Ctrl-C ends this; the runs go on", "dim"))
    return Group(*shown)
