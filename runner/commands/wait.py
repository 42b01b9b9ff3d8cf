"""`wait`: until a sweep is over, whoever trains it; then its closing words and its exit code."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import ConfigError
from runner.system.terminal import complain, say

if TYPE_CHECKING:
    from runner.commands import Words

TIME_IS_UP = 124
"""The exit code where the sweep takes longer, as `timeout` has it."""


def add(words: Words) -> None:
    """`wait SWEEP`."""
    parser = words.add_parser(
        "wait",
        help="until a sweep is over; then what it printed in the end",
        description="Wait until a sweep is over, of this machine's other shell, of Ray or of "
        "SLURM, saying how far it is; then print its closing words and exit as it does. Ctrl-C "
        "ends the waiting alone.",
    )
    parser.add_argument(
        "sweep",
        metavar="SWEEP",
        nargs="?",
        help="the sweep's id, or either end of it (default: the one that began last)",
    )
    parser.add_argument(
        "--timeout",
        metavar="SECONDS",
        type=float,
        help=f"wait no longer than that; the exit code is then {TIME_IS_UP}",
    )
    parser.add_argument("--results", type=Path, help="the results folder (default: ./results)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Wait, and print the closing words; the exit code."""
    from runner.sweep.waiting import Telling, Watching, conclude
    from warehouse.place import Place

    seconds = arguments.timeout
    if seconds is not None and not 0 <= seconds < float("inf"):
        raise ConfigError(f"--timeout {seconds:g} is not valid: give seconds, from 0 on")
    results = Place.of(arguments.results).folder
    sweep_id = _sweep(results, arguments.sweep)
    say(f"waiting for sweep {sweep_id}")
    telling = Telling()
    with Watching(results, sweep_id) as watching:
        try:
            for progress in watching.until_over(seconds):
                telling.tell(progress)
        finally:
            telling.close()
    if not progress.over:
        complain(f"--timeout {seconds:g} is over and the sweep is not: {progress.words()}")
        return TIME_IS_UP
    return conclude(results, sweep_id, progress)


def _sweep(results: Path, text: str | None) -> str:
    """The id of the sweep that is meant; WarehouseError where there is none."""
    import warehouse
    from runner.sweep.manifest import sweeps_of
    from warehouse.lookup import find_sweep

    begun = sweeps_of(results)
    with warehouse.connect(results) as connection:
        if text is not None:
            return find_sweep(connection, text, begun)
        rows = connection.execute("SELECT sweep_id FROM sweeps").fetchall()
    known = begun | {sweep_id for (sweep_id,) in rows}
    if not known:
        raise ConfigError(f"no sweep has begun in {results}: --multirun begins one")
    return max(known)
