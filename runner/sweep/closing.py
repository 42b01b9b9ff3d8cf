"""The closing words of a sweep: how many runs, what failed, the best, and what made them so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.errors import WarehouseError
from runner.sweep.search_closing import BEST, LEAST_SHARE, MOVED, search_lines
from runner.sweep.searching import Search
from runner.sweep.summary import asking, results_words
from runner.system.terminal import say

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

NOT_BEGUN = 20
"""Jobs of a sweep that a limit ended that are listed."""
Failure = tuple[str, str, str, str]

# A run that was interrupted and is trained by a later try of the same sweep.
TRIED_AGAIN = """
EXISTS (
    SELECT 1 FROM runs AS later
    WHERE later.sweep_id = runs.sweep_id AND later.fingerprint = runs.fingerprint
        AND later.run_id > runs.run_id AND runs.status IN ('lost', 'stopped')
)
"""
NAMED = f"""
WITH named AS (
    SELECT
        l.run_id,
        p.value AS dataset,
        l.monitor,
        l.mode,
        l.best,
        l.best_epoch,
        l.reason,
        s.job,
        s.trained
    FROM leaderboard AS l
    JOIN sweep_runs AS s ON s.run_id = l.run_id
    LEFT JOIN params AS p ON p.run_id = l.run_id AND p.name = 'dataset'
    WHERE s.sweep_id = $1 AND isfinite(l.best)
        AND l.run_id NOT IN (SELECT run_id FROM runs WHERE sweep_id = $1 AND {TRIED_AGAIN})
)
"""
VARIED = """
, varied AS (
    SELECT name
    FROM params JOIN named USING (run_id)
    WHERE name NOT IN ('results', 'print_every', 'on_end')
    GROUP BY name
    HAVING count(DISTINCT coalesce(value, '')) > 1 OR count(*) < (SELECT count(*) FROM named)
)
"""
# How much of the differences a param explains: the share of the variance that lies between its
# values, or where nearly each run has a value of its own, the squared rank correlation.
EFFECTS = """
, ranked AS (
    SELECT
        p.name,
        p.value,
        n.best,
        rank() OVER (PARTITION BY p.name ORDER BY p.number) AS place,
        rank() OVER (PARTITION BY p.name ORDER BY n.best) AS rank
    FROM params AS p JOIN varied USING (name) JOIN named AS n USING (run_id)
    WHERE n.monitor = $2 AND n.dataset IS NOT DISTINCT FROM $3
),

of_param AS (
    SELECT
        name,
        count(*) AS runs,
        count(DISTINCT value) AS values,
        corr(place, rank) ** 2 AS ordered,
        avg(best) AS mean,
        var_pop(best) AS variance
    FROM ranked
    GROUP BY name
),

of_value AS (
    SELECT name, value, count(*) AS runs, avg(best) AS mean
    FROM ranked
    GROUP BY name, value
)

SELECT
    p.name,
    CASE
        WHEN p.values > p.runs / 2 AND p.values > 3 THEN p.ordered
        ELSE fsum(v.runs * (v.mean - p.mean) ** 2) / (p.runs * p.variance)
    END AS share,
    CASE $4 WHEN 'max' THEN arg_max(v.value, v.mean) ELSE arg_min(v.value, v.mean) END,
    CASE $4 WHEN 'max' THEN max(v.mean) ELSE min(v.mean) END,
    CASE $4 WHEN 'max' THEN arg_min(v.value, v.mean) ELSE arg_max(v.value, v.mean) END,
    CASE $4 WHEN 'max' THEN min(v.mean) ELSE max(v.mean) END
FROM of_param AS p JOIN of_value AS v USING (name)
WHERE p.variance > 0 AND p.values > 1
GROUP BY p.name, p.runs, p.values, p.ordered, p.variance
ORDER BY share DESC NULLS LAST, p.name
LIMIT $5
"""


def failures_of(results: Path, sweep_id: str) -> Sequence[Failure]:
    """The runs of a sweep that did not end well: run id, status, overrides, error.

    A try that another of the same run has followed is none: its worker was lost, not the run.
    """
    with warehouse.connect(results) as connection:
        return connection.execute(
            "SELECT run_id, status, array_to_string(overrides, ' '), "
            "coalesce(error, 'its process is gone') "
            "FROM runs WHERE sweep_id = ? AND status IN ('failed', 'lost') "
            f"AND NOT {TRIED_AGAIN} ORDER BY run_id",
            [sweep_id],
        ).fetchall()


def cut_short(results: Path, sweep_id: str) -> int:
    """How many runs of a sweep were stopped since its time was up."""
    with warehouse.connect(results) as connection:
        query = "SELECT count(*) FROM runs WHERE sweep_id = ? AND reason = 'max_seconds'"
        [(count,)] = connection.execute(query, [sweep_id]).fetchall()
    return int(count)


def limit_lines(limit: str, stopped: int, not_begun: Sequence[str]) -> Iterator[str]:
    """The closing lines of a sweep that a limit ended: which one, and what it left out.

    limit: as it was typed. stopped: runs that ended early. not_begun: the overrides of jobs.
    """
    parts = [f"{stopped} stopped after their epoch"] * bool(stopped)
    parts += [f"{len(not_begun)} not begun"] * bool(not_begun)
    yield f"ended     by {limit}: {', '.join(parts)}; the same command goes on"
    for words in not_begun[:NOT_BEGUN]:
        yield f"not begun {words}"
    if len(not_begun) > NOT_BEGUN:
        yield f"not begun {len(not_begun) - NOT_BEGUN} more"


def values_of(results: Path, sweep_id: str) -> Sequence[tuple[float, str]]:
    """The best value of each run of a sweep, with its mode; none where nobody knows."""
    try:
        with warehouse.connect(results) as connection:
            query = f"{NAMED} SELECT best, mode FROM named"
            return connection.execute(query, [sweep_id]).fetchall()
    except WarehouseError:
        return []


def sum_up(
    results: Path,
    sweep_id: str,
    refused: Sequence[str],
    left_out: tuple[str, Sequence[str]] = ("", ()),
    search: Search | None = None,
) -> list[str]:
    """Print what the warehouse has of a sweep; a status for each run that failed or was cut short.

    refused: sentences about jobs that never began. left_out: the limit that ended the sweep, and
    the jobs that it kept from beginning. search: as in `sweep_lines`.
    """
    result = warehouse.sync(results, wait=10.0)
    try:
        failed = failures_of(results, sweep_id)
    except WarehouseError:
        say(f"warehouse {result.sentence()}")
        raise
    for line in sweep_lines(results, sweep_id, failed, refused, search):
        say(line)
    cut, (limit, not_begun) = cut_short(results, sweep_id), left_out
    if not_begun or cut:
        for line in limit_lines(limit or "sweep.max_seconds", cut, not_begun):
            say(line)
    if result.reason or result.problems:
        say(f"warehouse {result.sentence()}")
    return ["failed"] * len(failed) + ["limited"] * (cut + len(not_begun))


def sweep_lines(
    results: Path,
    sweep_id: str,
    failed: Sequence[Failure],
    refused: Sequence[str],
    search: Search | None = None,
) -> Iterator[str]:
    """The closing lines of a sweep: its runs, what failed or never began and why, the best.

    search: that it is part of, whose best are told instead.
    """
    with warehouse.connect(results) as connection:
        counts = connection.execute(
            "SELECT CASE WHEN trained = 'before' THEN 'trained before' "
            f"WHEN {TRIED_AGAIN} THEN 'interrupted and tried again' "
            "WHEN reason = 'pruned' THEN 'pruned' ELSE status END AS word, "
            "count(*) FROM sweep_runs JOIN runs USING (run_id) WHERE sweep_runs.sweep_id = ? "
            "GROUP BY word, trained ORDER BY trained DESC, word",
            [sweep_id],
        ).fetchall()
        if search is None:
            listed = [
                *_best_lines(connection, sweep_id),
                *_search_line(connection, sweep_id, results),
            ]
        else:
            listed = list(search_lines(connection, search))
    counted = ", ".join(f"{count} {word}" for word, count in counts) or "nothing trained"
    if refused:
        counted += f", {len(refused)} refused"
    yield ""
    yield f"sweep     {sweep_id}: {counted}"
    for run_id, status, overrides, error in failed:
        yield f"{status:<9} {run_id[-8:]}  {overrides}  {error}".rstrip()
    for sentence in refused:
        yield f"refused   {sentence}"
    yield from listed
    of_sweep = f"(SELECT run_id FROM sweep_runs WHERE sweep_id = '{sweep_id}')"
    where = f'"SELECT * FROM leaderboard WHERE run_id IN {of_sweep} ORDER BY rank"'
    yield f"compare   {asking(results)} sql {where}"


def _search_line(connection: DuckDBPyConnection, sweep_id: str, results: Path) -> Iterator[str]:
    """How to ask about the search that a sweep is a command of, if it is one of a search."""
    for (search_id,) in connection.execute(
        "SELECT DISTINCT search_id FROM searches WHERE sweep_id = ?", [sweep_id]
    ).fetchall():
        yield f"explain   python -m runner search explain {search_id}{results_words(results)}"


def _best_lines(connection: DuckDBPyConnection, sweep_id: str) -> Iterator[str]:
    """The best runs, and the params that moved what they monitor, by dataset and monitor."""
    groups = connection.execute(
        f"{NAMED} SELECT dataset, monitor, any_value(mode), count(*), "
        "count(*) FILTER (WHERE reason = 'pruned') FROM named "
        "GROUP BY dataset, monitor ORDER BY count(*) DESC, dataset, monitor",
        [sweep_id],
    ).fetchall()
    for dataset, monitor, mode, runs, pruned in groups:
        sign = "-" if mode == "max" else ""
        best = connection.execute(
            f"{NAMED} SELECT run_id, best, best_epoch, trained, job FROM named "
            "WHERE monitor = $2 AND dataset IS NOT DISTINCT FROM $3 "
            f"ORDER BY {sign}best, run_id LIMIT {BEST}",
            [sweep_id, monitor, dataset],
        ).fetchall()
        values = _varied(connection, sweep_id, [run_id for run_id, *_ in best])
        of_data = f" on {dataset}" if len(groups) > 1 else ""
        early = f", {pruned} pruned with the best of their epochs" if pruned else ""
        yield f"best      of {runs} by {monitor} ({mode}){of_data}{early}:"
        for place, (run_id, value, epoch, trained, job) in enumerate(best, 1):
            words = [f"{place:>9}", f"{value:<10.4g}", run_id[-8:], f"epoch {epoch:<4}"]
            words += [values.get(run_id) or job, "(trained before)" * (trained == "before")]
            yield " ".join(words).rstrip()
        effects = connection.execute(
            NAMED + VARIED + EFFECTS, [sweep_id, monitor, dataset, mode, MOVED]
        ).fetchall()
        for name, share, good, good_mean, bad, bad_mean in effects:
            if share is None or share < LEAST_SHARE:
                continue
            yield (
                f"moved     {name}: {share:.0%} of the differences; best {good} "
                f"(mean {good_mean:.4g}), worst {bad} (mean {bad_mean:.4g})"
            )


def _varied(connection: DuckDBPyConnection, sweep_id: str, runs: Sequence[str]) -> dict[str, str]:
    """Run id -> the params in which the runs of the sweep differ, as words."""
    rows: Sequence[tuple[str, Any]] = connection.execute(
        f"{NAMED} {VARIED} SELECT run_id, string_agg(concat(name, '=', value), ' ' ORDER BY name) "
        "FROM params JOIN varied USING (name) "
        "WHERE run_id IN (SELECT unnest($2::VARCHAR[])) GROUP BY run_id",
        [sweep_id, list(runs)],
    ).fetchall()
    return dict(rows)
