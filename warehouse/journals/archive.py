"""The place of journals after COMMIT: compressed in the archive, or set aside with a report."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from runner.errors import WarehouseError
from warehouse.journals.read import JournalFile, Reading
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.result import SyncResult

Verdict = Literal["new", "there", "twice", "other", "newer", "no run", "refused", "purged"]
"""`there`: this very journal is in already. `other`: its run id is, with other content. `twice`:
another journal of the run is in this batch; one at a time. `refused`: DuckDB cannot take it.
`purged`: its run is gone for good."""
MANY = 32
"""From here on one sync of the whole system is cheaper than one a file."""


class Taken(NamedTuple):
    """The outcome of one journal; `reading` is without the records that were refused."""

    journal: JournalFile
    reading: Reading
    verdict: Verdict
    reason: str | None = None
    """Why it was refused whole."""


def keep(place: Place, done: list[Taken], result: SyncResult) -> None:
    """Archive journals that are in; a silent one stays, its process may yet go on.

    Raises WarehouseError where the archive cannot be written; the journals then stay.
    """
    try:
        place.archive.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise WarehouseError(
            f"{place.archive} is a file where the folder of archived journals should be; "
            "move it away"
        ) from None
    finished = []
    for journal, reading, *_ in done:
        report_lines(place, journal, reading, result)
        if journal.state == "silent":
            continue
        target = place.archive / f"{reading.run_id}.jsonl.gz"
        try:
            content = journal.path.read_bytes()
            # The time is left out of the header: equal journals make equal archives.
            _write(target, gzip.compress(content, 6, mtime=0), durable=len(done) < MANY)
        except (IsADirectoryError, FileNotFoundError) as error:
            result.problems.append(f"{journal.name}: {target} cannot be written: {error.strerror}")
            continue
        finished.append(journal.path)
    if len(done) >= MANY:
        os.sync()
    for path in finished:
        path.unlink(missing_ok=True)


def report_lines(place: Place, journal: JournalFile, reading: Reading, result: SyncResult) -> None:
    """Set a journal's bad lines aside, each with its number and the reason."""
    # What a killed process leaves is no news; the archive keeps it like any other byte.
    bad = [line for line in reading.bad if not (line.torn and journal.state != "ended")]
    if not bad:
        return
    rows = []
    for line in bad:
        result.problems.append(f"{journal.name} line {line.number}: {line.reason}")
        rows.append(
            json.dumps(
                {
                    "journal": journal.name,
                    "line": line.number,
                    "reason": line.reason,
                    "text": line.text.decode("utf-8", "backslashreplace"),
                }
            )
        )
    content = ("\n".join(rows) + "\n").encode()
    try:
        place.rejected.mkdir(parents=True, exist_ok=True)
        _write(place.rejected / f"{reading.run_id}.lines.jsonl", content, durable=True)
    except FileExistsError:  # the archive keeps the lines all the same
        result.problems.append(_no_folder(place))


def set_aside(place: Place, taken: Taken, result: SyncResult) -> None:
    """Report a journal that cannot go in, and move it out of the way unless its time may come."""
    journal, reading, verdict, reason = taken
    name = journal.name
    if verdict == "newer":
        result.problems.append(f"{name} {reading.newer}: it waits for a newer Sweephouse")
        return
    is_moved = journal.state != "silent"  # else its process may yet go on
    then = "set aside" if is_moved else "left where it is"
    if verdict == "no run":
        why = f"it has no run_start, {then}"
    elif verdict == "purged":
        why = f"its run was purged, {then}"
    elif verdict == "refused":
        why = f"it cannot go in ({reason}), {then}"
    else:
        why = f"run {reading.run_id} is there already with other content; the first is kept"
    if is_moved:
        report_lines(place, journal, reading, result)
    result.problems.append(f"{name}: {why}")
    if is_moved:
        _move_away(place, journal.path, result)


def set_odd_aside(place: Place, journal: JournalFile, result: SyncResult) -> None:
    """Move away what lies among the journals and is none, with its reason."""
    mode = journal.path.lstat().st_mode
    kind = next((word for is_one, word in _KINDS if is_one(mode)), "something")
    result.problems.append(f"{journal.name}: it is {kind}, no journal, set aside")
    _move_away(place, journal.path, result)


_KINDS = (
    (stat.S_ISREG, "a file with a name that no run has"),
    (stat.S_ISLNK, "a link"),
    (stat.S_ISDIR, "a folder"),
    (stat.S_ISFIFO, "a pipe"),
    (stat.S_ISSOCK, "a socket"),
)
_LONGEST_NAME = 200
"""Bytes of a file's name that leave room for a number behind it."""


def _move_away(place: Place, path: Path, result: SyncResult) -> None:
    """Into `rejected`, under its name or one that is still free."""
    name = os.fsdecode(os.fsencode(path.name)[:_LONGEST_NAME])
    target = place.rejected / name
    number = 1
    try:
        place.rejected.mkdir(parents=True, exist_ok=True)
        while os.path.lexists(target):
            number += 1
            target = place.rejected / f"{name}.{number}"
        with contextlib.suppress(FileNotFoundError):
            path.rename(target)
    except FileExistsError:
        result.problems.append(_no_folder(place))
    except OSError as error:
        result.problems.append(f"{place.rejected} cannot be written: {error.strerror}")


def _no_folder(place: Place) -> str:
    return f"{place.rejected} is a file where the folder of what was set aside should be"


def rewrite(path: Path, content: bytes) -> None:
    """Give an archived journal other content, whole or not at all."""
    _write(path, gzip.compress(content, 6, mtime=0), durable=True)


def _write(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file's content, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    if os.path.lexists(fresh) and not stat.S_ISREG(fresh.lstat().st_mode):
        # Somebody's link or pipe has the name.
        fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(fresh, flags, 0o644), "wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(fresh, path)
