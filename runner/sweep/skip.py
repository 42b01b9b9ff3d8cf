"""Which planned runs need not be trained: they are in the warehouse, or asked for twice."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import warehouse
from runner.journal.file import write_journal
from runner.journal.ids import new_run_id, now
from runner.journal.records import SkippedRuns
from runner.journal.results import JOURNALS
from runner.sweep.plan import Run
from runner.system.terminal import complain
from warehouse.journals.read import CARE
from warehouse.lake.opening import LakeError
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

Known = Mapping[Path, "DuckDBPyConnection | None"]
"""Results folder -> what it was found to have; None where that was nothing."""

# Which earlier statuses `retry` trains again.
AGAIN = {
    "all": {"failed", "lost", "stopped"},
    "failed": {"failed"},
    "lost": {"lost", "stopped"},
    "nothing": set(),
}


@dataclass(frozen=True)
class Skipped:
    """Why a run need not be trained."""

    run_id: str
    """The run that has what would come of it."""
    reason: str
    best: float | None = None
    """The monitor's best value there, where it is known already."""
    earlier: bool = True
    """Whether it is an earlier command's run, rather than one of this."""


def skipped(
    runs: Sequence[Run],
    multirun: bool,
    tried: str | None,
    before: dict[str, Run] | None = None,
    known: Known | None = None,
) -> dict[str, Skipped]:
    """Run id -> why it need not be trained; one look into each warehouse, whatever the number.

    tried: a sweep of which whatever was tried is not tried again.
    before: runs of the same sweep by fingerprint; those that are new are added.
    known: the folders that need not be looked into anew.
    """
    before = {} if before is None else before
    asked = [run for run in runs if tried is not None or _may_skip(run, multirun)]
    skips: dict[str, Skipped] = {}
    for results in dict.fromkeys(run.results for run in asked):
        here = [run for run in asked if run.results == results]
        skips |= _in_warehouse(results, here, multirun, tried, known or {})
        skips |= _twice([run for run in here if run.run_id not in skips], before)
    return skips


def record_skipped(sweep_id: str, runs: Sequence[Run], skips: Mapping[str, Skipped]) -> None:
    """Record which earlier runs a sweep names, in their results folders.

    Raises JournalError where that cannot be written.
    """
    earlier = [run for run in runs if run.run_id in skips and skips[run.run_id].earlier]
    for results in dict.fromkeys(run.results for run in earlier):
        here = [run for run in earlier if run.results == results]
        record = SkippedRuns(
            entry_id=new_run_id(),
            sweep_id=sweep_id,
            skipped_at=now(),
            run_id=[skips[run.run_id].run_id for run in here],
            job=[" ".join(run.overrides) for run in here],
        )
        write_journal(results / JOURNALS, f"{CARE}{record.entry_id}", [record])


def _may_skip(run: Run, multirun: bool) -> bool:
    """Whether the run is one that `skip` may leave out."""
    skip = run.config.settings.skip
    return skip == "finished" or (skip == "auto" and multirun)


def _looking_into(results: Path, known: Known) -> AbstractContextManager[DuckDBPyConnection]:
    """A connection to what a warehouse has, or was found to have."""
    if (there := known.get(results)) is not None:
        return nullcontext(there)
    warehouse.sync(results)
    return warehouse.connect(results)


def _in_warehouse(
    results: Path,
    runs: Sequence[Run],
    multirun: bool,
    tried: str | None,
    known: Known,
) -> dict[str, Skipped]:
    """The runs that a warehouse has, or that its user does not want again."""
    is_new = results in known and known[results] is None
    if is_new or not Place.of(results).has_runs:  # nothing was ever trained there
        return {}
    try:
        looking = _looking_into(results, known)
    except LakeError as error:
        if any(run.config.settings.skip == "finished" for run in runs):
            raise
        complain(f"warning: what is finished is not known, and all jobs are trained: {error}")
        return {}
    with looking as connection:
        earlier = warehouse.latest_runs(connection, [run.fingerprint for run in runs])
        of_sweep = _runs_of_sweep(connection, tried) if tried is not None else set()
        ended = _ended_early(connection, [same[0][0] for same in earlier.values()])
        skips = {}
        for run in runs:
            same = earlier.get(run.fingerprint, [])
            skip = _reason(run, same, of_sweep, _may_skip(run, multirun), ended)
            if skip is not None:
                skips[run.run_id] = skip
        best = _best(connection, {skip.run_id for skip in skips.values()})
        asked = {run.run_id: _evaluators(run) for run in runs}
        there = {skip.run_id for run_id, skip in skips.items() if asked[run_id]}
        looked = _looked_at(connection, there) if there else {}
    return {
        run_id: Skipped(
            skip.run_id,
            skip.reason + _without(skip.run_id, asked[run_id] - looked.get(skip.run_id, set())),
            best.get(skip.run_id),
        )
        for run_id, skip in skips.items()
    }


def _evaluators(run: Run) -> set[str]:
    return {choice.component.name for choice in run.config.chosen["evaluator"]}


def _without(run_id: str, evaluators: set[str]) -> str:
    """What to type to have evaluators look at an earlier run which they did not see yet."""
    if not evaluators:
        return ""
    names = ",".join(sorted(evaluators))
    command = f"python -m runner evaluate {run_id[-8:]} evaluator=[{names}]"
    return f", and was not looked at by {names}: {command}"


def _reason(
    run: Run,
    earlier: Sequence[tuple[str, str]],
    tried: set[str],
    skips: bool,
    ended: Mapping[str, tuple[str, Any]],
) -> Skipped | None:
    """Why an earlier run will do, if one does.

    earlier: runs of the same fingerprint as (run id, status), the newest first. ended: run id ->
    what stopped it, pruner or max_seconds, as the config named it.
    """
    for run_id, status in earlier:
        if run_id in tried or (skips and status == "finished"):
            return Skipped(run_id, f"is run {run_id}, {status}")
    settings = run.config.settings
    by, limit = ended.get(earlier[0][0] if earlier else "", ("", None))
    if skips and by == "pruned" and limit == settings.search.pruner:
        return Skipped(earlier[0][0], f"is run {earlier[0][0]}, pruned by the same pruner")
    if skips and by == "own_max_seconds" and limit >= (settings.max_seconds or math.inf):
        return Skipped(earlier[0][0], f"is run {earlier[0][0]}, stopped by max_seconds={limit:g}")
    retry = settings.retry
    if skips and earlier and earlier[0][1] not in AGAIN[retry] | {"running"}:
        run_id, status = earlier[0]
        return Skipped(run_id, f"is run {run_id}, {status}, and retry={retry}")
    return None


def _twice(runs: Iterable[Run], first: dict[str, Run]) -> dict[str, Skipped]:
    """The runs of which one of the same fingerprint comes before; adds the others to those."""
    skips = {}
    for run in runs:
        twin = first.setdefault(run.fingerprint, run)
        if twin is not run:
            asked = " ".join(twin.overrides) or "the default experiment"
            reason = f"is the same run as {asked}"
            skips[run.run_id] = Skipped(twin.run_id, reason, earlier=False)
    return skips


def _runs_of_sweep(connection: DuckDBPyConnection, sweep_id: str) -> set[str]:
    rows = connection.execute("SELECT run_id FROM runs WHERE sweep_id = ?", [sweep_id]).fetchall()
    return {run_id for (run_id,) in rows}


def _ended_early(
    connection: DuckDBPyConnection, run_ids: Sequence[str]
) -> dict[str, tuple[str, Any]]:
    """Run id -> what stopped it: the reason, and pruner or seconds as the config named them."""
    rows = connection.execute(
        "SELECT run_id, reason, json_extract(config, CASE reason WHEN 'pruned' "
        "THEN '$.search.pruner' ELSE '$.max_seconds' END) FROM runs "
        "WHERE reason IN ('pruned', 'own_max_seconds') "
        "AND run_id IN (SELECT unnest($1::VARCHAR[]))",
        [run_ids],
    ).fetchall()
    return {run_id: (by, json.loads(named)) for run_id, by, named in rows if named is not None}


def _best(connection: DuckDBPyConnection, run_ids: set[str]) -> dict[str, float | None]:
    """Run id -> the monitor's best value."""
    rows = connection.execute(
        "SELECT run_id, best FROM leaderboard WHERE run_id IN (SELECT unnest($1::VARCHAR[]))",
        [list(run_ids)],
    ).fetchall()
    return dict(rows)


def _looked_at(connection: DuckDBPyConnection, run_ids: set[str]) -> dict[str, set[str]]:
    """Run id -> the evaluators that looked at its kept weights."""
    rows = connection.execute(
        "SELECT run_id, list(evaluator) FROM evaluator_calls WHERE NOT training "
        "AND error IS NULL AND run_id IN (SELECT unnest($1::VARCHAR[])) GROUP BY run_id",
        [list(run_ids)],
    ).fetchall()
    return {run_id: set(names) for run_id, names in rows}
