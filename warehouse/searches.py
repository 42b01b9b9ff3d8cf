"""Answers about searches: what they tried, what came of it, and what other tasks teach."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.journal.records import ParamValue
from warehouse.lookup import only_one

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

LEAST_RUNS = 5
"""Configurations that a past task must have tried to teach anything."""


@dataclass(frozen=True)
class Suggested:
    """A suggestion, and what came of it."""

    number: int
    batch: int
    job: str
    params: Mapping[str, Any]
    sampler: str
    why: tuple[str, float | None, float | None, float | None, float | None]
    """slot, mean, deviation, prior and evidence."""
    run_id: str | None
    status: str | None
    """Of its run; None where none began."""
    reason: str | None
    """Who stopped it."""
    monitor: str | None
    mode: str | None
    values: Mapping[str, tuple[float, str]]
    """Metric -> its value, and which end of it is better; empty where it is not known."""


@dataclass(frozen=True)
class PastRun:
    """A run of another task."""

    task: str
    params: Mapping[str, tuple[str, float | None]]
    """Param -> its value as text, and as a number where it is one."""
    value: float
    """Less is better; infinity where it diverged."""


def begun(con: DuckDBPyConnection, search_id: str) -> str | None:
    """When a search began, as ISO 8601; None where there is none of the id."""
    row = con.execute(
        "SELECT min(begun_at) FROM searches WHERE search_id = ?", [search_id]
    ).fetchone()
    return None if row is None or row[0] is None else str(row[0].isoformat())


def suggested(
    con: DuckDBPyConnection, search_id: str, metrics: Sequence[str] = ()
) -> list[Suggested]:
    """The trials of a search in their order, with the values of the metrics.

    metrics: as `run_values` has them; what the run monitors is always there.
    """
    rows = con.execute(
        """
        SELECT
            t.number, t.batch, t.job, t.params, t.sampler,
            t.slot, t.mean, t.deviation, t.prior, t.evidence, t.run_id, t.status, t.reason,
            r.monitor, r.mode,
            list(v.metric ORDER BY v.metric), list(v.value ORDER BY v.metric),
            list(v.mode ORDER BY v.metric)
        FROM trials AS t
        LEFT JOIN runs AS r ON r.run_id = t.run_id
        LEFT JOIN run_values AS v
            ON v.run_id = t.run_id
            AND (v.metric = r.monitor OR list_contains($2::VARCHAR[], v.metric))
        WHERE t.search_id = $1
        GROUP BY ALL
        ORDER BY t.number
        """,
        [search_id, list(metrics)],
    ).fetchall()
    return [
        Suggested(
            number, batch, job, json.loads(params), sampler,
            (slot, mean, deviation, prior, evidence), run_id, status, reason, monitor, mode,
            {
                name: (math.nan if value is None else value, way or "")
                for name, value, way in zip(names, values, ways, strict=True)
                if name is not None
            },
        )
        for number, batch, job, params, sampler, slot, mean, deviation, prior, evidence,
            run_id, status, reason, monitor, mode, names, values, ways in rows
    ]  # fmt: skip


def metrics_of(con: DuckDBPyConnection, run_ids: Sequence[str]) -> list[str]:
    """What there is of runs that a search may better or bound."""
    rows = con.execute(
        "SELECT DISTINCT metric FROM run_values WHERE run_id IN (SELECT unnest($1::VARCHAR[])) "
        "ORDER BY metric",
        [list(run_ids)],
    ).fetchall()
    return [metric for (metric,) in rows]


def past_runs(
    con: DuckDBPyConnection,
    varied: Sequence[str],
    ignored: Sequence[str],
    own: Sequence[ParamValue],
    identity: str,
    metric: str,
    before: str,
) -> list[PastRun]:
    """Runs of other tasks that ended before a moment, task by task, the oldest first.

    A task is the data, and all of the config that does not vary. Runs that failed are left out.

    varied: the params that vary; of components that vary, all params do.
    ignored: keys of the config in which runs of one task may differ.
    own, identity: the params and the data of the task that is none of them.
    """
    rows = con.execute(
        PAST,
        {
            "varied": list(varied),
            "ignored": list(ignored),
            "names": [one["name"] for one in own],
            "texts": [one["value"] for one in own],
            "numbers": [one["number"] for one in own],
            "identity": identity,
            "metric": metric,
            "before": before,
            "least": LEAST_RUNS,
        },
    ).fetchall()
    return [
        PastRun(task, {name: (text, number) for name, text, number in params}, value)
        for task, params, value in rows
    ]


# A run that diverged has failed, and says so: the sentence is the engines'.
PAST = """
WITH judged AS (
    SELECT
        r.run_id,
        json_extract_string(r.data, '$.identity') AS identity,
        r.dataset,
        coalesce(v.mode, r.mode) AS mode,
        CASE
            WHEN r.status = 'failed' OR v.value IS NULL OR NOT isfinite(v.value)
                THEN 'Infinity'::DOUBLE
            WHEN coalesce(v.mode, r.mode) = 'max' THEN -v.value
            ELSE v.value
        END AS value
    FROM runs AS r
    ANTI JOIN deleted AS d ON d.run_id = r.run_id
    LEFT JOIN run_values AS v ON v.run_id = r.run_id AND v.metric = $metric
    WHERE
        (
            r.status = 'finished'
            OR r.reason = 'pruned'
            OR (r.status = 'failed' AND starts_with(r.error, 'the loss became '))
        )
        AND (v.value IS NOT NULL OR r.monitor = $metric)
        AND r.ended_at < $before::TIMESTAMPTZ
        AND r.replay_of IS NULL
),

said AS (
    SELECT run_id, name, value AS text, number FROM params SEMI JOIN judged USING (run_id)
    UNION ALL
    SELECT NULL, unnest($names::VARCHAR[]), unnest($texts::VARCHAR[]), unnest($numbers::DOUBLE[])
),

-- As `runs.config_hash`, without what varies; a hash for each row, whose sum knows no order.
fixed AS (
    SELECT
        run_id,
        sum(hash(
            name,
            CASE
                WHEN number = trunc(number) AND abs(number) < 1e15 THEN number::BIGINT::VARCHAR
                ELSE text
            END
        )) AS config
    FROM said
    WHERE
        name NOT IN (SELECT unnest($varied::VARCHAR[]))
        AND split_part(name, '.', 1) NOT IN (SELECT unnest($varied::VARCHAR[]))
        AND split_part(name, '.', 1) NOT IN (SELECT unnest($ignored::VARCHAR[]))
    GROUP BY run_id
),

varying AS (
    SELECT run_id, list((name, text, number) ORDER BY name) AS params
    FROM said
    WHERE run_id IS NOT NULL AND name IN (SELECT unnest($varied::VARCHAR[]))
    GROUP BY run_id
),

grouped AS (
    SELECT
        j.run_id,
        p.params,
        j.value,
        min(j.run_id) OVER task AS first,
        j.dataset,
        count(*) OVER (PARTITION BY j.identity, f.config, j.mode, p.params) AS repeats
    FROM judged AS j
    JOIN fixed AS f ON f.run_id = j.run_id
    JOIN varying AS p ON p.run_id = j.run_id
    WHERE
        j.identity IS DISTINCT FROM $identity
        OR f.config <> (SELECT config FROM fixed WHERE run_id IS NULL)
    WINDOW task AS (PARTITION BY j.identity, f.config, j.mode)
),

counted AS (
    SELECT *, sum(1.0 / repeats) OVER (PARTITION BY first) AS configurations FROM grouped
)

SELECT concat(dataset, ' ', right(first, 8)) AS task, params, value
FROM counted
WHERE configurations > $least - 0.5
ORDER BY first, run_id
"""


def find_search(con: DuckDBPyConnection, text: str) -> str:
    """The full id of the search that `text` names: its own or a sweep's, or the head or tail."""
    wanted = text.strip().lower()
    rows = con.execute(
        "SELECT search_id FROM searches "
        "WHERE starts_with(search_id, $1) OR ends_with(search_id, $1) "
        "OR starts_with(sweep_id, $1) OR ends_with(sweep_id, $1) "
        "GROUP BY search_id ORDER BY max(begun_at)",
        [wanted],
    ).fetchall()
    ids = [search_id for (search_id,) in rows]
    if not wanted or not ids:
        raise WarehouseError(
            f"there is no search {text!r}; `python -m warehouse sql 'FROM searches'` lists them"
        )
    return only_one(ids, text, "searches")
