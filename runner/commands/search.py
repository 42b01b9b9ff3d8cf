"""`search explain`: why each trial of a search was tried, and how well it was foretold.

And `search import`: the trials of a study of Optuna's as runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import ConfigError
from runner.system.terminal import say

if TYPE_CHECKING:
    from runner.commands import Words

Row = Sequence[Any]

TRIALS = """
SELECT
    number, value, slot, mean, deviation, came, prior, evidence, status, right(run_id, 8), params,
    metric, sampler, value IS NOT NULL AND value IS NOT DISTINCT FROM best_so_far AS is_best
FROM trials WHERE search_id = ? ORDER BY number
"""
FORETOLD = """
SELECT
    count(came) AS trials,
    corr(mean, came) AS correlation,
    avg((abs(missed_by) <= 2 * deviation)::INTEGER) AS within,
    avg(came) FILTER (prior > 0.5) AS with_history,
    avg(came) FILTER (prior <= 0.5) AS without
FROM trials WHERE search_id = ? AND mean IS NOT NULL
"""


def add(words: Words) -> None:
    """`search explain SEARCH`, `search import URL`."""
    parser = words.add_parser(
        "search",
        help="why the trials of a search were tried; a study of Optuna's into the warehouse",
        description="Why each trial of a search was tried, and how well it was foretold; or the "
        "trials of a study of Optuna's as runs, once each.",
    )
    parser.add_argument(
        "what",
        choices=["explain", "import"],
        help="explain: a line for each trial; import: runs of a study's trials",
    )
    parser.add_argument(
        "search",
        metavar="SEARCH|URL",
        help="the search, or a sweep that is part of it: the id, or either end of it; or where "
        "Optuna keeps the study: sqlite:///study.db",
    )
    parser.add_argument("--study", metavar="NAME", help="which, where Optuna keeps several there")
    parser.add_argument("--results", type=Path, help="the results folder (default: ./results)")
    parser.set_defaults(run=run)


def run(arguments: argparse.Namespace) -> int:
    """Do what the first word says; the exit code."""
    if arguments.what == "import":
        from runner.commands.study import import_study

        say(import_study(arguments.search, arguments.study, arguments.results))
        return 0
    if arguments.study is not None:
        raise ConfigError("--study names a study to import: search explain has no use for it")
    return explain(arguments)


def explain(arguments: argparse.Namespace) -> int:
    """Print a line for each trial, and how well all were foretold; the exit code."""
    import warehouse
    from warehouse.place import Place
    from warehouse.searches import find_search

    with warehouse.connect(Place.of(arguments.results).folder) as connection:
        search = find_search(connection, arguments.search)
        rows = connection.execute(TRIALS, [search]).fetchall()
        foretold = connection.execute(FORETOLD, [search]).fetchone()
    if not rows:
        say(f"search {search} has tried nothing yet")
        return 0
    metric = next((row[11] for row in rows if row[11]), "the monitor")
    say(f"search {search}: {len(rows)} trials by {rows[-1][12]}, {metric}")
    say("came: its quantile among the trials before it, 0 is the middle, less is better")
    titles = ["trial", metric, "why", "foretold", "came", "history", "run", "configuration"]
    cells = list(map(_cells, rows))
    # A sampler may foretell nothing, and know nothing of other tasks.
    kept = [place for place in range(len(titles)) if any(row[place] for row in cells)]
    table = [[row[place] for place in kept] for row in [titles, *cells]]
    widths = [max(len(row[place]) for row in table) for place in range(len(kept) - 1)]
    for row in table:
        padded = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        say("  ".join([*padded, row[-1]]).rstrip())
    for line in _foretold_lines(foretold):
        say(line)
    return 0


def _cells(row: Row) -> list[str]:
    """One trial; `*` marks one that was the best so far."""
    from runner.sweep.search_closing import configuration

    number, value, slot, mean, deviation, came, prior, evidence, status, run_id, params = row[:11]
    outcome = f"{value:.4g}" if value is not None else status or "never began"
    history = "" if prior is None else f"{prior:.0%}"
    if evidence is not None:
        history += f" (evidence {evidence:+.1f})"
    return [
        str(number),
        f"{outcome} *" if row[13] else outcome,
        slot or "",
        "" if mean is None else f"{mean:+.2f}" + (f" +- {deviation:.2f}" if deviation else ""),
        "" if came is None else f"{came:+.2f}",
        history.strip(),
        run_id or "",
        configuration(json.loads(params)),
    ]


def _foretold_lines(foretold: Row | None) -> list[str]:
    """How well the trials were foretold, as far as the sampler foretold anything."""
    if foretold is None or not foretold[0]:
        return []
    trials, correlation, within, with_history, without = foretold
    lines = [f"foretold  {trials} trials"]
    if correlation is not None:
        lines[0] += f", correlation with what came {correlation:.2f}"
    if within is not None:
        lines[0] += f"; {within:.0%} came within two deviations"
    if with_history is not None and without is not None:
        lines.append(
            f"history   trials that it chose came at {with_history:+.2f} in the mean, "
            f"the others at {without:+.2f}"
        )
    return lines
