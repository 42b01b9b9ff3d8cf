"""Where journals go after COMMIT: compressed into the archive, or set aside with a report."""

from __future__ import annotations

import contextlib
import gzip
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

from warehouse.journals import Found, Reading
from warehouse.place import Place

if TYPE_CHECKING:
    from warehouse.result import SyncResult

MANY = 32
"""From here on one sync of the whole system is cheaper than one a file."""


def keep(place: Place, done: list[tuple[Found, Reading]], result: SyncResult) -> None:
    """Archive journals that are in; a silent one stays, its process may yet go on."""
    place.archive.mkdir(parents=True, exist_ok=True)
    finished = []
    for found, reading in done:
        report_lines(place, found, reading, result)
        if found.state == "silent":
            continue
        target = place.archive / f"{reading.run_id}.jsonl.gz"
        content = found.path.read_bytes()
        # The time is left out of the header: equal journals make equal archives.
        _write(target, gzip.compress(content, 6, mtime=0), durable=len(done) < MANY)
        finished.append(found.path)
    if len(done) >= MANY:
        os.sync()
    for path in finished:
        path.unlink(missing_ok=True)


def report_lines(place: Place, found: Found, reading: Reading, result: SyncResult) -> None:
    """Set a journal's bad lines aside, each with its number and the reason."""
    # What a killed process leaves is no news; the archive keeps it like any other byte.
    bad = [line for line in reading.bad if not (line.torn and found.state != "ended")]
    if not bad:
        return
    report = place.rejected / f"{reading.run_id}.lines.jsonl"
    rows = []
    for line in bad:
        result.problems.append(f"{found.path.name} line {line.number}: {line.reason}")
        rows.append(
            json.dumps(
                {
                    "journal": found.path.name,
                    "line": line.number,
                    "reason": line.reason,
                    "text": line.text.decode("utf-8", "backslashreplace"),
                }
            )
        )
    place.rejected.mkdir(parents=True, exist_ok=True)
    _write(report, ("\n".join(rows) + "\n").encode(), durable=True)


def set_aside(
    place: Place, found: Found, reading: Reading, verdict: str, result: SyncResult
) -> None:
    """Report a journal that cannot go in, and move it out of the way unless its time may come."""
    name = found.path.name
    if verdict == "newer":
        result.problems.append(f"{name} {reading.newer}: it waits for a newer Sweephouse")
        return
    if found.state == "silent":
        result.problems.append(f"{name}: its run cannot go in ({verdict})")
        return
    report_lines(place, found, reading, result)
    if verdict == "no run":
        why = "it has no run_start, set aside"
    else:
        why = f"run {reading.run_id} is there already with other content; the first is kept"
    result.problems.append(f"{name}: {why}")
    place.rejected.mkdir(parents=True, exist_ok=True)
    target = place.rejected / name
    number = 1
    while target.exists():
        number += 1
        target = place.rejected / f"{name}.{number}"
    with contextlib.suppress(FileNotFoundError):
        found.path.rename(target)


def _write(path: Path, content: bytes, *, durable: bool) -> None:
    """Replace a file's content, whole or not at all."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        if durable:
            file.flush()
            os.fsync(file.fileno())
    os.replace(fresh, path)
