"""Whether journals, rows and weights files agree."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.database import create, in_words, open_file
from warehouse.ingest import overlay
from warehouse.journals import read, waiting
from warehouse.place import Place
from warehouse.rebuild import load_archive
from warehouse.snapshot import snapshot

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHOWN = 5
"""Runs named for each kind of difference."""


def verify(place: Place) -> list[str]:
    """What is wrong, a sentence each; the caller holds the lock."""
    problems = list(_journals(place))
    with tempfile.TemporaryDirectory(prefix="sweephouse-") as folder:
        path = Path(folder) / "again.duckdb"
        create(path)
        con = open_file(path, place)
        with con, in_words(place):
            problems += load_archive(con, place)
            overlay(con, place, waiting(place))
            name = str(snapshot(place)).replace("'", "''")
            con.execute(f"ATTACH '{name}' AS live (READ_ONLY)")
            problems += _rows(con)
            problems += _files(con, place)
    return problems


def _journals(place: Place) -> Iterator[str]:
    """Waiting journals that will not go in."""
    for found in waiting(place):
        try:
            reading = read(found.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"{found.path.name} cannot be read: {error.strerror}"
            continue
        if reading.newer:
            yield f"{found.path.name} {reading.newer}"
        for line in reading.bad:
            if not line.torn:
                yield f"{found.path.name} line {line.number}: {line.reason}"


def _rows(con: DuckDBPyConnection) -> Iterator[str]:
    """Rows of the database that are not what the journals say."""
    tables = con.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = 'live' "
        "AND table_name <> 'migrations' ORDER BY table_name"
    ).fetchall()
    for (table,) in tables:
        ours, theirs = f"again.main.{table}", f"live.main.{table}"
        for first, second, what in (
            (theirs, ours, "rows that no journal has"),
            (ours, theirs, "rows missing that their journals have"),
        ):
            rows = con.execute(
                f"SELECT DISTINCT run_id FROM (FROM {first} EXCEPT ALL FROM {second}) "
                "ORDER BY run_id"
            ).fetchall()
            if rows:
                yield f"{table}: {what}, of {_some([run_id for (run_id,) in rows])}"
    # Lines set aside as bad leave such a gap.
    rows = con.execute(
        "SELECT r.run_id, r.epochs, count(e.epoch) FROM live.runs AS r "
        "LEFT JOIN live.epochs AS e USING (run_id) WHERE r.status <> 'running' "
        "GROUP BY ALL HAVING r.epochs <> count(e.epoch) ORDER BY r.run_id"
    ).fetchall()
    for run_id, said, there in rows:
        yield f"run {run_id} says that it trained {said} epochs, {there} are there"


def _files(con: DuckDBPyConnection, place: Place) -> Iterator[str]:
    """Weights files and artifacts that are gone or are not what was saved."""
    rows = con.execute(
        "SELECT uri, sha256, bytes, list(DISTINCT run_id ORDER BY run_id) FROM ("
        "SELECT run_id, uri, sha256, bytes FROM live.weights UNION ALL "
        "SELECT run_id, uri, sha256, bytes FROM live.artifacts) "
        "WHERE run_id NOT IN (SELECT run_id FROM live.deleted) GROUP BY ALL ORDER BY uri"
    ).fetchall()
    for uri, digest, size, runs in rows:
        path = place.folder / uri
        try:
            if path.stat().st_size != size:
                yield f"{path} has {path.stat().st_size} bytes, not {size}; of {_some(runs)}"
                continue
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            yield f"{path} cannot be read ({error.strerror}); of {_some(runs)}"
            continue
        if found != digest:
            yield f"{path} is not what was saved: its sha256 is {found}; of {_some(runs)}"


def _some(runs: list[str | None]) -> str:
    named = ", ".join(str(run_id) for run_id in runs[:SHOWN])
    return f"run {named}" + (f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else "")
