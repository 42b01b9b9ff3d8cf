"""Runs removed for good: rows, journals, care, and the files that nobody else needs.

They are deleted first, as `delete` does it; then their files go, what is archived of them, and
last their rows. Killed at any point, the same command finds them still there and goes on.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import WarehouseError
from runner.journal.records import Care, Dataset, Record, SkippedRuns
from warehouse.care import entry, write
from warehouse.garbage import YOUNG, mentioned, now_of, stat_of
from warehouse.ingest.ingest import ingest
from warehouse.ingest.purged import KEPT
from warehouse.journals.archive import rewrite
from warehouse.journals.read import CARE, JUDGEMENT, waiting
from warehouse.lookup import SHORT
from warehouse.place import Place
from warehouse.rebuild import ENDING, archived, missing_runs
from warehouse.result import SyncResult
from warehouse.snapshot import newest

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

PROFILES = "data-profiles.json"
"""What the runner remembers of data that the warehouse has been told of."""


@dataclass(frozen=True)
class Purge:
    """What is to go with some runs."""

    runs: list[str]
    files: list[Path]
    """Weights and artifacts that no other run refers to or was made from."""
    archives: list[Path]
    """Journals of theirs and of their judgements."""
    bytes: int
    """What all of these take on the disk."""
    kept: dict[Path, str]
    """Weights of theirs that stay -> a run that was made from them."""
    heirs: list[Dataset] = field(default_factory=list)
    """What they alone have said of data, to be said by others that trained on them."""
    forgets: bool = False
    """Whether nobody trained on some of these data but they."""


def planned(place: Place, runs: Sequence[str]) -> Purge:
    """What would go with the runs; the caller holds the lock.

    Raises WarehouseError where one of them is training, or another run that may be about to refer
    to the same files.
    """
    active = [j.run_id for j in waiting(place) if j.state in ("running", "silent")]
    for run_id in runs:
        if run_id in active:
            raise WarehouseError(
                f"run {run_id[-SHORT:]} is running, or its process may yet go on: purge it when "
                "it has ended"
            )
    with newest(place) as con:
        if missing := missing_runs(con, place):
            where, how = str(place.database), "run `python -m warehouse rebuild`"
            if place.lake is not None:
                where, how = place.lake.shown, "bring them there by `python -m warehouse push`"
            raise WarehouseError(
                f"{len(missing)} archived runs are not in {where}, so it is not known which files "
                f"they need; {how} first"
            )
        con.execute("CREATE TEMP TABLE going AS SELECT unnest($1::VARCHAR[]) AS run_id", [[*runs]])
        uris = [uri for (uri,) in con.execute(_FILES).fetchall()]
        needed = con.execute(_NEEDED).fetchall()
        judgements = con.execute(
            "SELECT judgement_id FROM judgements SEMI JOIN going USING (run_id)"
        ).fetchall()
        heirs = list(_heirs(con))
        said = con.execute("SELECT count(*) FROM datasets SEMI JOIN going USING (run_id)")
        forgets = said.fetchall() != [(len(heirs),)]
    named = mentioned(place)
    files, total = [], 0
    for uri in uris:
        if uri in named or (file := stat_of(place, uri)) is None:
            continue
        if active and now_of(place) - file.st_mtime <= YOUNG:
            raise WarehouseError(
                f"{place.folder / uri} is younger than an hour, and run {active[0][-SHORT:]} is "
                "training, which may be about to store the same: purge when it has ended"
            )
        files.append(place.folder / uri)
        total += file.st_size
    names = [*runs, *(f"{JUDGEMENT}{judgement}" for (judgement,) in judgements)]
    archives = [place.archive / f"{name}{ENDING}" for name in names]
    archives = [path for path in archives if path.is_file()]
    total += sum(path.stat().st_size for path in archives)
    kept = {place.folder / uri: child for uri, child in needed}
    return Purge([*runs], files, archives, total, kept, heirs, forgets)


def purge(place: Place, what: Purge) -> None:
    """Remove it; the caller holds the lock."""
    _record(place, [*what.heirs, *(entry("delete", run_id) for run_id in what.runs)])
    if what.forgets:
        # Else the next run on data that nobody speaks of any more would not tell of them.
        (place.folder / PROFILES).unlink(missing_ok=True)
    for path in what.files:
        _unlink(path)
    _forget_care(place, set(what.runs))
    for run_id in what.runs:
        for path in place.rejected.glob(f"{run_id}.*"):
            _unlink(path)
    for path in reversed(what.archives):  # a run's own after those of its judgements
        _unlink(path)
    # Once more: what was said of the data goes with the rows of who has said it first.
    _record(place, [*what.heirs, *(entry("purge", run_id) for run_id in what.runs)])


def _record(place: Place, records: Sequence[Record]) -> None:
    """Write the records into a journal of care, and take it in."""
    write(place, records)
    result = SyncResult()
    ingest(place, result.add)
    if result.problems:
        raise WarehouseError(f"the runs are not purged: {result.problems[0]}")


def _unlink(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise WarehouseError(f"{path} cannot be removed ({error.strerror})") from error


def _forget_care(place: Place, runs: set[str]) -> None:
    """Take what archived journals of care say of the runs out of them, but for KEPT."""
    for path in archived(place):
        if not path.name.startswith(CARE):
            continue
        lines = gzip.decompress(path.read_bytes()).split(b"\n")
        left = [_without(line, runs) for line in lines]
        if left == lines:
            continue
        if any(left):
            rewrite(path, b"\n".join(line for line in left if line) + b"\n")
        else:
            _unlink(path)


def _without(line: bytes, runs: set[str]) -> bytes:
    """The line without the runs; empty where nothing is left of it."""
    body: Any = None
    with suppress(ValueError, RecursionError):
        body = json.loads(line)
    if not isinstance(body, dict):
        return line
    named = body.get("run_id")
    if body.get("record") == Care.record:
        return b"" if named in runs and body.get("action") not in KEPT else line
    if body.get("record") == Dataset.record:
        return b"" if named in runs else line
    if body.get("record") != SkippedRuns.record or not isinstance(named, list):
        return line
    left = [place for place, run_id in enumerate(named) if run_id not in runs]
    if len(left) == len(named) or len(named) != len(body.get("job", ())):
        return line
    body |= {key: [body[key][place] for place in left] for key in ("run_id", "job")}
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() if left else b""


def _heirs(con: DuckDBPyConnection) -> Iterator[Dataset]:
    """What the runs alone have said of data, for the first other run on each."""
    for identity, heir in con.execute(_HEIRS).fetchall():
        (head,) = con.execute(
            "SELECT name, source, query, rows FROM datasets WHERE identity = ?", [identity]
        ).fetchall()
        (lists,) = con.execute(_LISTS, [identity]).fetchall()
        yield Dataset(heir, identity, *head, *(values or [] for values in lists))


_LISTS = """
SELECT
    list(name ORDER BY position), list(type ORDER BY position), list(missing ORDER BY position),
    list(distinct_values ORDER BY position), list(min ORDER BY position),
    list(max ORDER BY position), list(mean ORDER BY position), list(std ORDER BY position),
    list(q25 ORDER BY position), list(q50 ORDER BY position), list(q75 ORDER BY position)
FROM dataset_columns
WHERE identity = ?
"""
_HEIRS = """
SELECT d.identity, arg_min(r.run_id, (r.started_at, r.run_id))
FROM datasets AS d
SEMI JOIN going USING (run_id)
JOIN runs AS r ON json_extract_string(r.data, '$.identity') = d.identity
WHERE r.run_id NOT IN (FROM going)
GROUP BY d.identity
"""
# Weights that a run was made from stay where the run stays, also when the other is long gone.
_STORED = """
WITH stored AS (
    SELECT run_id, uri FROM weights
    UNION
    SELECT run_id, uri FROM artifacts
),

made_from AS (
    SELECT p.run_id, w.uri
    FROM parents AS p
    JOIN weights AS w ON w.run_id = p.parent_id
    WHERE p.weights_id IS NULL OR p.weights_id = w.weights_id OR p.sha256 = w.sha256
    UNION
    SELECT run_id, concat('weights/', sha256[:2], '/', sha256, '.safetensors')
    FROM parents
    WHERE sha256 IS NOT NULL AND parent_id NOT IN (SELECT run_id FROM runs)
)
"""
_FILES = f"""{_STORED}
SELECT DISTINCT s.uri
FROM (FROM stored UNION FROM made_from WHERE uri NOT IN (SELECT uri FROM stored)) AS s
SEMI JOIN going USING (run_id)
WHERE s.uri IS NOT NULL AND s.uri NOT IN (
    SELECT uri FROM stored ANTI JOIN going USING (run_id) WHERE uri IS NOT NULL
    UNION
    SELECT uri FROM made_from ANTI JOIN going USING (run_id) WHERE uri IS NOT NULL
)
ORDER BY s.uri
"""
_NEEDED = f"""{_STORED}
SELECT m.uri, min(m.run_id)
FROM made_from AS m
ANTI JOIN going USING (run_id)
WHERE m.uri IN (SELECT uri FROM stored SEMI JOIN going USING (run_id))
GROUP BY m.uri
ORDER BY m.uri
"""
