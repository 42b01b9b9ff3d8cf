"""Whether journals, rows and weights files agree."""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tempfile
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from runner.errors import WarehouseError
from runner.journal.weights import path_of
from runner.system.databases import literal
from warehouse.database import (
    changes,
    create,
    in_words,
    refuse_without_index,
    table_names,
    writing,
)
from warehouse.ingest.ingest import overlay
from warehouse.ingest.sums import OF_OTHERS, unchanged
from warehouse.journals.read import JournalFile, read, waiting
from warehouse.place import Place
from warehouse.rebuild import ENDING, archived, load_archive
from warehouse.snapshot import copy_database

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

SHOWN = 5
"""Runs named for each kind of difference."""


def going_on(journals: Sequence[JournalFile]) -> list[str]:
    """The runs among waiting journals that may still write, and so are not compared."""
    return [journal.run_id for journal in journals if journal.state in ("running", "silent")]


def verify(place: Place, journals: Sequence[JournalFile] | None = None) -> list[str]:
    """Compare everything: a sentence for each thing that is wrong; the caller holds the lock.

    Two databases are compared, of one moment: what all journals say, and a copy of the one that is
    there with the journals that wait laid over it.

    journals: those that wait, where the caller has looked already.
    """
    place.check()
    journals = waiting(place) if journals is None else journals
    ended = [journal for journal in journals if journal.state in ("ended", "abandoned")]
    problems = list(_unread(journals))
    with tempfile.TemporaryDirectory(prefix="sweephouse-") as folder, in_words(place):
        copy, again = Path(folder) / "live.duckdb", Path(folder) / "again.duckdb"
        if place.database.exists():
            copy_database(place, copy)
        else:
            refuse_without_index(place)
            create(copy)
        with writing(copy, place) as writer:
            changed = changes(writer.con)
            sure = _sure(writer.con, place) if not changed else set()
            if not changed:
                overlay(writer, place, ended)
                writer.con.execute("CHECKPOINT")
        create(again)
        with writing(again, place, folders=[Path(folder)]) as writer:
            problems += load_archive(writer, place, but=sure)
            overlay(writer, place, ended)
            con = writer.con
            con.execute(f"ATTACH {literal(str(copy))} AS live (READ_ONLY)")
            if changed:
                how = "`python -m warehouse rebuild` sets it aside and makes it again"
                return [*problems, *(f"{sentence}; {how}" for sentence in changed)]
            problems += _rows(con, [*going_on(journals), *sure])
            problems += _files(con, place)
    return problems


def _unread(journals: Sequence[JournalFile]) -> Iterator[str]:
    """Waiting journals that will not go in."""
    for journal in journals:
        if journal.state == "odd":
            yield f"{journal.name} is no journal"
            continue
        try:
            reading = read(journal.path)
        except FileNotFoundError:
            continue
        except OSError as error:
            yield f"{journal.name} cannot be read: {error.strerror}"
            continue
        if reading.newer:
            yield f"{journal.name} {reading.newer}"
        for line in reading.bad:
            if not line.torn:
                yield f"{journal.name} line {line.number}: {line.reason}"


def _sure(con: DuckDBPyConnection, place: Place) -> set[str]:
    """The runs that need no comparing: archived as they went in, and their rows are the same.

    A dataset's row is of the first of its runs, so that one is compared beside all others.
    """
    first = {run_id for (run_id,) in con.execute("SELECT run_id FROM datasets").fetchall()}
    recorded = unchanged(con)
    paths = [path for path in archived(place) if _run_id(path) in recorded.keys() - first]
    # Decompressing and hashing let other threads go on.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        present = pool.map(_digest, paths)
        return {
            _run_id(path)
            for path, digest in zip(paths, present, strict=True)
            if digest == recorded[_run_id(path)]
        }


def _run_id(path: Path) -> str:
    return path.name.removesuffix(ENDING)


def _digest(path: Path) -> str | None:
    """The hash of an archived journal, uncompressed; None where it cannot be read."""
    try:
        return hashlib.sha256(gzip.decompress(path.read_bytes())).hexdigest()
    except (OSError, EOFError, zlib.error):
        return None


def _rows(con: DuckDBPyConnection, left_out: Sequence[str]) -> Iterator[str]:
    """Rows of the database that are not what the journals say.

    left_out: the runs whose own journals were not read again; a later judgement's are.
    """
    con.execute("CREATE TEMP TABLE left_out AS SELECT unnest($1::VARCHAR[]) AS run_id", [left_out])
    tables = con.execute(
        "SELECT table_name, bool_or(column_name = 'judgement_id'), "
        "bool_or(column_name = 'run_id') FROM duckdb_columns() "
        "WHERE database_name = 'again' AND table_name IN (SELECT unnest($1)) "
        "AND table_name NOT IN ('migrations', 'row_sums') GROUP BY ALL ORDER BY ALL",
        [table_names()],
    ).fetchall()
    for table, has_judgement, has_run in tables:
        ours, theirs = f"again.main.{table}", f"live.main.{table}"
        of_run = " AND judgement_id IS NULL" if has_judgement else ""
        left = f"coalesce(run_id IN (FROM left_out), false){of_run}"
        whose = "run_id" if has_run else "search_id"
        compared = "" if table in OF_OTHERS else f"WHERE NOT ({left})"
        for first, second, fault in (
            (theirs, ours, "rows that no journal has"),
            (ours, theirs, "rows missing that their journals have"),
        ):
            rows = con.execute(
                f"SELECT DISTINCT {whose} FROM (FROM {first} {compared} EXCEPT ALL "
                f"FROM {second} {compared}) ORDER BY {whose}"
            ).fetchall()
            if rows:
                yield f"{table}: {fault}, of {_some([one for (one,) in rows])}"
    # Lines set aside as bad leave such a gap.
    rows = con.execute(
        "SELECT r.run_id, r.epochs, count(e.epoch) FROM live.runs AS r "
        "LEFT JOIN live.epochs AS e USING (run_id) WHERE r.status <> 'running' "
        "GROUP BY ALL HAVING r.epochs <> count(e.epoch) ORDER BY r.run_id"
    ).fetchall()
    for run_id, expected, count in rows:
        yield f"run {run_id} says that it trained {expected} epochs, {count} are there"


def _files(con: DuckDBPyConnection, place: Place) -> Iterator[str]:
    """Weights files and artifacts that are gone or are not what was saved."""
    rows = con.execute(
        "SELECT uri, sha256, bytes, list(DISTINCT run_id ORDER BY run_id) FROM ("
        "SELECT run_id, uri, sha256, bytes FROM live.weights UNION ALL "
        "SELECT run_id, uri, sha256, bytes FROM live.artifacts) AS stored "
        "WHERE NOT EXISTS (SELECT 1 FROM live.deleted AS d WHERE d.run_id = stored.run_id) "
        "GROUP BY ALL ORDER BY uri"
    ).fetchall()
    for uri, digest, size, runs in rows:
        try:
            path = path_of(place.folder, uri)
        except WarehouseError as error:
            yield f"{error}; of {_some(runs)}"
            continue
        try:
            stored = path.stat()
            if not stat.S_ISREG(stored.st_mode):
                yield f"{path} is no plain file; of {_some(runs)}"
                continue
            if stored.st_size != size:
                yield f"{path} has {stored.st_size} bytes, not {size}; of {_some(runs)}"
                continue
            with path.open("rb") as file:
                actual = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            yield f"{path} cannot be read ({error.strerror}); of {_some(runs)}"
            continue
        if actual != digest:
            yield f"{path} is not what was saved: its sha256 is {actual}; of {_some(runs)}"


def _some(runs: list[str | None]) -> str:
    named = ", ".join(str(run_id) for run_id in runs[:SHOWN])
    return f"run {named}" + (f" and {len(runs) - SHOWN} more" if len(runs) > SHOWN else "")
