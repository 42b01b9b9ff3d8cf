"""Files of runs on their way: to the lake before their rows go in, and from it by need.

A results folder is what they come from, and the cache that they are fetched into.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from runner.journal.records import Artifact, Weights
from runner.journal.results import mark_results
from runner.journal.weights import ARTIFACTS, FOLDER, path_of
from runner.system.paths import open_plain
from warehouse.journals.lines import Fields
from warehouse.journals.read import Reading, Row
from warehouse.lake.objects import Objects, new_beside
from warehouse.lake.opening import LakeError

Tell = Callable[[int, int], object]
"""Told how many are done, and of how many."""
TOGETHER = 8
"""Files on their way at one time: a small one is mostly waiting for the other side."""
_NAMING = (Weights.record, Artifact.record)
"""The records that name a file."""
_FOLDERS = ((FOLDER,), (ARTIFACTS,))


def untold(done: int, of: int) -> None:
    """Tell nobody."""


@dataclass
class Upload:
    """Journals whose files are in the lake, and what that took."""

    readings: list[Reading] = field(default_factory=list)
    """As they were given, but without the records of files that nobody has any more."""
    files: int = 0
    """Those that were not there before."""
    bytes: int = 0
    """Of these."""
    found: dict[str, Fields] = field(default_factory=dict)
    """The records, by their uri, of those that were there before."""
    problems: list[str] = field(default_factory=list)
    """A sentence each about a record that is left out."""


def upload(
    objects: Objects,
    results: Path,
    readings: Sequence[Reading],
    tell: Tell = untold,
) -> Upload:
    """Bring what the journals name into the lake, all of it before this returns.

    tell: told after each file how many are done, and of how many. Raises LakeError where the
    place cannot be reached or has no rights for us; what has gone up by then stays, and is not
    sent again.
    """
    named: dict[str, Fields] = {}
    for reading in readings:
        for row in reading.rows:
            if row.kind in _NAMING:
                named.setdefault(row.fields["uri"], row.fields)
    done = Upload()
    absent: dict[str, str] = {}
    pool = ThreadPoolExecutor(TOGETHER)
    try:
        outcomes = pool.map(lambda fields: _bring(objects, results, fields), named.values())
        for number, (uri, outcome) in enumerate(zip(named, outcomes, strict=True), 1):
            if isinstance(outcome, str):
                absent[uri] = outcome
            elif outcome:
                done.files += 1
                done.bytes += named[uri]["bytes"]
            else:
                done.found[uri] = named[uri]
            tell(number, len(named))
    finally:
        pool.shutdown(cancel_futures=True)
    for reading in readings:
        gone = [row for row in reading.rows if row.kind in _NAMING and row.fields["uri"] in absent]
        done.problems += (f"run {_run_of(row)}: {absent[row.fields['uri']]}" for row in gone)
        done.readings.append(_without(reading, gone))
    return done


def bring_again(objects: Objects, results: Path, found: Mapping[str, Fields]) -> None:
    """Bring those files once more that were there, and that `tidy` has removed since.

    The caller keeps others from removing files. Raises LakeError where one is gone for good.
    """
    with ThreadPoolExecutor(TOGETHER) as pool:
        for outcome in pool.map(lambda fields: _bring(objects, results, fields), found.values()):
            if isinstance(outcome, str):
                raise LakeError(f"{outcome}: it has just gone; the next `sync` goes on")


def fetch(objects: Objects, results: Path, uri: str, sha256: str) -> Path:
    """The file below the results folder, brought there from the lake if it is not there yet.

    Raises LakeError where the lake has none, or what comes is not what was stored.
    """
    path = path_of(results, uri)
    if path.exists():
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        mark_results(results)
        with new_beside(path) as draft:
            if not objects.get(sha256, draft):
                raise LakeError(f"{uri} is neither in {results} nor in the lake")
            with draft.open("rb") as file:
                if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                    raise LakeError(f"the lake's {uri} is not what was stored: its sha256 differs")
    except OSError as error:
        raise LakeError(f"{path} cannot be written ({error.strerror})") from error
    return path


def _bring(objects: Objects, results: Path, fields: Fields) -> bool | str:
    """Whether the file was sent, False where it was there; else why its record is left out."""
    uri, digest = fields["uri"], fields["sha256"]
    inside = PurePosixPath(uri)
    if inside.parts[:1] not in _FOLDERS or inside.name.partition(".")[0] != digest:
        return f"{uri} is no name of a stored file, so its record is left out of the lake"
    try:
        with open_plain(path_of(results, uri), follow_links=True) as file:
            sound = hashlib.file_digest(file, "sha256").hexdigest() == digest
        why = "was altered"
    except OSError as error:
        sound, why = False, f"cannot be read ({error.strerror})"
    if sound:
        return objects.put(digest, results / uri)
    if objects.exists(digest):  # from another machine
        return False
    return f"{results / uri} {why}, so its record is left out of the lake"


def _run_of(row: Row) -> str:
    return str(row.fields["run_id"])


def _without(reading: Reading, gone: Iterable[Row]) -> Reading:
    left_out = {row.line for row in gone}
    if not left_out:
        return reading
    rows = [row for row in reading.rows if row.line not in left_out]
    return dataclasses.replace(reading, rows=rows)
