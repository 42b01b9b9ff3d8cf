"""The closing words of a search: its best trials, what mattered, and how to train the winner."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from runner.components.search_types import Trial
from runner.errors import RunnerError
from runner.search.objectives import best_places, front
from runner.sweep.searching import Search
from runner.sweep.summary import results_words
from warehouse.searches import Suggested

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

BEST = 5
"""Trials, or runs of a sweep, that are listed."""
FRONT = 20
"""Those of a front that are listed."""
MOVED = 3
"""Params that are listed."""
NUMBER = re.compile(r"(?<![\w.])\d+\.\d{4,}(e-?\d+)?")
"""More digits than one wants to read."""
LEAST_SHARE = 0.01
"""A param that explains less of the differences moved nothing."""


def search_lines(connection: DuckDBPyConnection, search: Search) -> Iterator[str]:
    """The closing lines of a search, whichever of its commands trained what."""
    with suppress(RunnerError):  # the one that ended the search, if it does not answer
        search.read()
    rows, trials = search.ended
    if not rows:
        return
    several = search.plan.aims.count > 1
    usable = [place for place, trial in enumerate(trials) if trial.values[0] < float("inf")]
    yield (
        f"search    {search.search_id}: {len(rows)} trials by {rows[-1].sampler}, "
        f"{len(usable)} with a usable value"
    )
    if not usable:
        return
    metric, mode = search.metric(rows[usable[0]]), _mode(search, rows[usable[0]])
    yield from _front(search, rows, trials) if several else _best(search, rows, trials, mode)
    for name, effect, level, mean in connection.execute(
        "SELECT param, effect, best_level, best_mean FROM param_effects($1::VARCHAR[]) "
        "WHERE effect >= $2 AND list_contains($3, param) ORDER BY effect DESC, param LIMIT $4",
        [
            [rows[place].run_id for place in usable],
            LEAST_SHARE,
            [dimension.name for dimension in search.plan.space],
            MOVED,
        ],
    ).fetchall():
        level = NUMBER.sub(lambda match: f"{float(match[0]):.4g}", level)
        yield f"moved     {name}: {effect:.0%} of the variance; best {level} (mean {mean:.4g})"
    confirmed = _confirmed(connection, search, metric)
    for number, words in confirmed:
        yield f"confirmed {words}  trial {number}"
    if not several:
        winner = rows[best_places(trials, 1)[0]]
        # The best of a few is the best of all only where the best of all is among them.
        if winner.number in dict(confirmed):
            winner = next(row for row in rows if row.number == confirmed[0][0])
        overrides = shlex.join(search.words(winner))
        yield f"train it  python -m runner {overrides}".rstrip()
    results = results_words(search.plan.results)
    yield f"explain   python -m runner search explain {search.search_id}{results}"


def _confirmed(
    connection: DuckDBPyConnection, search: Search, metric: str
) -> Sequence[tuple[int, str]]:
    """The configurations with more seeds, the best first: the trial, the mean and its spread."""
    confirmed = []
    for number, seeds, usable, mean, deviation, low, high in connection.execute(
        "SELECT number, seeds, usable, mean, deviation, low, high FROM confirmed "
        "WHERE search_id = $1 AND mean IS NOT NULL ORDER BY place",
        [search.search_id],
    ).fetchall():
        spread = f" +- {deviation:.2g} ({low:.4g} to {high:.4g})" if deviation is not None else ""
        of = f"{usable} of {seeds}" if usable < seeds else f"{seeds}"
        confirmed.append((number, f"{mean:.4g}{spread} {metric} over {of} seeds"))
    return confirmed


def _best(
    search: Search, rows: Sequence[Suggested], trials: Sequence[Trial], mode: str
) -> Iterator[str]:
    """The best trials, the params that vary beside each."""
    places = best_places(trials, BEST)
    metric = search.metric(rows[places[0]])
    yield f"best      of {len(rows)} trials by {metric} ({mode}):"
    for place, which in enumerate(places, 1):
        row = rows[which]
        words = [f"{place:>9}", f"{row.values[metric][0]:<10.4g}", (row.run_id or "")[-8:]]
        yield " ".join([*words, f"trial {row.number:<4}", configuration(row.params)])


def _front(search: Search, rows: Sequence[Suggested], trials: Sequence[Trial]) -> Iterator[str]:
    """The trials that no other betters in all objectives, by the first."""
    names = search.plan.aims.objectives
    places = sorted(front(trials), key=lambda place: trials[place].values)
    yield f"front     {len(places)} of {len(rows)} trials, by {', '.join(names)}:"
    for which in places[:FRONT]:
        row = rows[which]
        values = [f"{row.values[name][0]:<10.4g}" for name in names]
        words = [" " * 9, *values, (row.run_id or "")[-8:], f"trial {row.number:<4}"]
        yield " ".join([*words, configuration(row.params)])
    if len(places) > FRONT:
        yield f"          and {len(places) - FRONT} more"


def configuration(params: Mapping[str, Any]) -> str:
    """A configuration to read, its numbers with four digits: `optimizer.learning_rate=0.02145`."""
    return " ".join(f"{name}={_short(value)}" for name, value in params.items())


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, str) else json.dumps(value, separators=(",", ":"))


def _mode(search: Search, row: Suggested) -> str:
    return row.values[search.metric(row)][1] or "min"
