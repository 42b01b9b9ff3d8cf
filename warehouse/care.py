"""What people do to kept runs: said in journals of its own, so that a rebuild keeps it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from runner.errors import WarehouseError
from runner.journal import Journal
from runner.records import Care, new_run_id, now
from warehouse.ingest import sync
from warehouse.journals import CARE
from warehouse.place import Place
from warehouse.rebuild import missing_runs
from warehouse.snapshot import snapshot

YOUNG = 3600.0
"""Seconds for which gc leaves any weights alone: a run saves first and refers to them after."""
_URI = re.compile(rb'"uri"\s*:\s*"([^"]+)"')


def entry(action: str, run_id: str | None, text: str | None = None) -> Care:
    """One thing done now."""
    return Care(
        entry_id=new_run_id(),
        action=action,  # type: ignore[arg-type]
        entered_at=now(),
        run_id=run_id,
        text=text,
    )


def record(place: Place, entries: Iterable[Care]) -> None:
    """Write what was done into a journal, and take it in if nobody is at work there."""
    _write(place, entries)
    sync(place.folder, wait=5.0)


def collectable(place: Place) -> list[Path]:
    """The weights files and artifacts that gc may remove; the caller holds the lock."""
    import duckdb

    folders = [folder for folder in (place.weights, place.artifacts) if folder.is_dir()]
    if not folders:
        return []
    with duckdb.connect(str(snapshot(place)), read_only=True) as con:
        if missing := missing_runs(con, place):
            raise WarehouseError(
                f"{len(missing)} archived runs are not in {place.database}, so nothing can be "
                "said about their weights; `python -m warehouse rebuild` first"
            )
        rows = con.execute(
            "SELECT uri FROM (SELECT run_id, uri FROM weights UNION ALL "
            "SELECT run_id, uri FROM artifacts) "
            "WHERE run_id NOT IN (SELECT run_id FROM deleted)"
        ).fetchall()
    held = {uri for (uri,) in rows} | _mentioned(place)
    now = place.now()
    files = (path for folder in folders for path in folder.rglob("*") if path.is_file())
    return sorted(
        path
        for path in files
        if path.relative_to(place.folder).as_posix() not in held
        and now - path.stat().st_mtime > YOUNG
    )


def collect(place: Place, files: list[Path]) -> None:
    """Remove weights files, said in a journal first; the caller holds the lock."""
    _write(place, [entry("collect", None, f.relative_to(place.folder).as_posix()) for f in files])
    for path in files:
        # A run that saves equal weights touches the file and refers to it.
        with suppress(FileNotFoundError):
            if place.now() - path.stat().st_mtime > YOUNG:
                path.unlink()


def _write(place: Place, entries: Iterable[Care]) -> None:
    with Journal(place.journals, f"{CARE}{new_run_id()}") as journal:
        for each in entries:
            journal.append(each)
        journal.finish()


def _mentioned(place: Place) -> set[str]:
    """The weights that journals name which are not in, sound or not: not ours to judge."""
    found: set[str] = set()
    for folder in (place.journals, place.rejected):
        for path in folder.glob("*.jsonl*"):
            found |= {uri.decode("utf-8", "replace") for uri in _URI.findall(path.read_bytes())}
    return found
