"""Answers about runs that the runner and the commands need."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError, choices
from runner.journal.weights import path_of
from warehouse.place import Place

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHORT = 8
"""How much of a run id's tail makes its short id."""


@dataclass(frozen=True)
class WeightsFile:
    """Saved weights of a run and where they lie."""

    weights_id: str
    run_id: str
    epoch: int
    role: str
    path: Path
    sha256: str
    bytes: int
    format: str


def find_run(con: DuckDBPyConnection, text: str) -> str:
    """The full id of the run that `text` names: an id, its head or tail if unique, or @alias."""
    wanted = text.strip().lower()
    if wanted.startswith("@"):
        return _aliased(con, text.strip().removeprefix("@"))
    rows = con.execute(
        "SELECT run_id FROM runs WHERE starts_with(run_id, $1) OR ends_with(run_id, $1) "
        "ORDER BY run_id",
        [wanted],
    ).fetchall()
    ids = [run_id for (run_id,) in rows]
    if not wanted or not ids:
        _refuse_purged(con, wanted)
        known = [run_id for (run_id,) in con.execute("SELECT run_id FROM runs").fetchall()]
        raise WarehouseError(
            f"there is no run {text!r}{_near(known, wanted)}; "
            "`python -m warehouse runs` lists them"
        )
    return only_one(ids, text, "runs")


def _refuse_purged(con: DuckDBPyConnection, wanted: str) -> None:
    """Raise WarehouseError where the one run that is meant was purged."""
    rows = con.execute(
        "SELECT run_id, max(entered_at)::DATE FROM care WHERE action = 'purge' AND $1 <> '' "
        "AND (starts_with(run_id, $1) OR ends_with(run_id, $1)) GROUP BY run_id",
        [wanted],
    ).fetchall()
    if len(rows) == 1:
        raise WarehouseError(f"run {rows[0][0][-SHORT:]} was purged on {rows[0][1]}")


def only_one(ids: Sequence[str], text: str, kind: str) -> str:
    """The one id that `text` names: a whole one before those that begin or end like it.

    kind: what they are of, such as "runs". Raises WarehouseError where it names several.
    """
    if (wanted := text.strip().lower()) in ids:
        return wanted
    if len(ids) > 1:
        shown = ", ".join(ids[:3]) + (", ..." if len(ids) > 3 else "")
        raise WarehouseError(f"{text!r} names {len(ids)} {kind} ({shown}); give more of the id")
    return str(ids[0])


def _aliased(con: DuckDBPyConnection, alias: str) -> str:
    """The run that an alias names."""
    named = dict(con.execute("SELECT alias, run_id FROM aliases").fetchall())
    if alias not in named:
        raise WarehouseError(f"there is no alias '{alias}': {choices(alias, named)}")
    return str(named[alias])


def _near(ids: Iterable[str], wanted: str) -> str:
    """The end of a sentence about an unknown one: ids that are nearly it, short ones for short."""
    by_tail = {each[-max(len(wanted), 4) :]: each for each in ids}
    near = difflib.get_close_matches(wanted, by_tail, n=3)
    return f" (near: {', '.join(near)})" if near else ""


def weights_of(
    con: DuckDBPyConnection,
    run_id: str,
    results: str | os.PathLike[str] | None = None,
    role: str | None = None,
) -> list[WeightsFile]:
    """The saved weights of a run, the newest epoch first; of one role, if asked for."""
    folder = Place.of(results).folder
    rows = con.execute(
        "SELECT weights_id, run_id, epoch, role, uri, sha256, bytes, format FROM weights "
        "WHERE run_id = $1 AND ($2 IS NULL OR role = $2) ORDER BY epoch DESC, weights_id DESC",
        [run_id, role],
    ).fetchall()
    return [
        WeightsFile(weights_id, run, epoch, kind, path_of(folder, uri), sha256, size, form)
        for weights_id, run, epoch, kind, uri, sha256, size, form in rows
    ]


def fetch(uri: str, sha256: str, results: str | os.PathLike[str] | None = None) -> Path:
    """Where a stored file lies; brought there from the team's lake where it is not there yet.

    Where there is no lake it may not be there. Raises WarehouseError where the lake does not
    have it, or cannot be reached.
    """
    place = Place.of(results)
    path = path_of(place.folder, uri)
    if place.lake is None or path.exists():
        return path
    from warehouse.lake.files import fetch as fetch_from
    from warehouse.lake.objects import objects_of

    return fetch_from(objects_of(place.lake), place.folder, uri, sha256)


def latest_runs(
    con: DuckDBPyConnection, fingerprints: Iterable[str]
) -> dict[str, list[tuple[str, str]]]:
    """Fingerprint -> its runs that are not deleted, as (run id, status), the newest first."""
    rows = con.execute(
        "SELECT fingerprint, run_id, status FROM runs ANTI JOIN deleted USING (run_id) "
        "WHERE fingerprint IN (SELECT unnest($1::VARCHAR[])) ORDER BY run_id DESC",
        [list(fingerprints)],
    ).fetchall()
    runs: dict[str, list[tuple[str, str]]] = {}
    for fingerprint, run_id, status in rows:
        runs.setdefault(fingerprint, []).append((run_id, status))
    return runs


def find_sweep(con: DuckDBPyConnection, text: str, others: Iterable[str] = ()) -> str:
    """The full id of the sweep that `text` names: a full id, or its head or tail if unique.

    others: ids of sweeps of which no run has begun.
    """
    wanted = text.strip().lower()
    rows = con.execute("SELECT sweep_id FROM sweeps").fetchall()
    known = sorted({*others} | {sweep_id for (sweep_id,) in rows})
    ids = [each for each in known if each.startswith(wanted) or each.endswith(wanted)]
    if not wanted or not ids:
        raise WarehouseError(
            f"there is no sweep {text!r}{_near(known, wanted)}; "
            "`python -m warehouse sql 'FROM sweeps'` lists them"
        )
    return only_one(ids, text, "sweeps")
